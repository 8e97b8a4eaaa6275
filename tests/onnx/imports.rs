//! ONNX files of others as networks, held against what is known of them.
//!
//! `cargo run --release -p convnet-tests --example onnx_imports -- FOLDER`: of each `NAME.onnx` in the folder the network, beside it as
//! `NAME.cnn`, with `NAME.input` and `NAME.output` beside it, numbers of single precision, which engine and portable have to give to 1e-5 of
//! the largest. `tests/onnx/models.py` and `tests/onnx/node_tests.py` write such folders. What cannot be imported is listed with the reason,
//! and all goes into `imports.json`.

#[path = "../../runtime/tests/common/mod.rs"]
mod common;

use convnet::dfdx::prelude::*;
use convnet::engine::Isa;
use convnet::net::{AnyNetwork, Job, Map, Pass};
use convnet::onnx::{ImportOptions, import};
use convnet::portable;
use serde_json::{Value, json};
use std::error::Error;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), tolerance) = (arguments.next(), arguments.next()) else {
        return Err("usage: onnx_imports FOLDER [TOLERANCE]".into());
    };
    let tolerance: f64 = tolerance.map_or(Ok(1e-5), |text| text.parse())?;
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "onnx"));
    files.sort();
    let (mut cases, mut wrong) = (Vec::new(), 0);
    for path in &files {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let case = match compared(path) {
            Ok([engine, portable]) => {
                let agrees = engine.max(portable) <= tolerance;
                wrong += usize::from(!agrees);
                println!("{name}: engine {engine:.1e}, portable {portable:.1e}{}", if agrees { "" } else { ": WRONG" });
                json!({ "name": name, "engine": engine, "portable": portable, "agrees": agrees })
            }
            Err(reason) => {
                println!("{name}: {reason}");
                json!({ "name": name, "reason": reason.to_string() })
            }
        };
        cases.push(case);
    }
    let imported = cases.iter().filter(|case| case.get("agrees").is_some()).count();
    println!("{} files: {imported} imported, of which {wrong} do not agree", files.len());
    std::fs::write(Path::new(&folder).join("imports.json"), serde_json::to_string_pretty(&Value::Array(cases))?)?;
    if wrong == 0 { Ok(()) } else { Err(format!("{wrong} do not agree").into()) }
}

/// The largest error of the engine and of portable, as shares of the largest output.
fn compared(path: &Path) -> Result<[f64; 2], Box<dyn Error>> {
    let found = import(path, &ImportOptions::default())?;
    std::fs::write(path.with_extension("cnn"), &found.source)?;
    let device = Cpu::default();
    let net = found.build(&device)?;
    let graph = net.graph();
    // Two exporters of one network share the numbers.
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let stem = stem.split('.').next().unwrap_or_default().to_string();
    let numbers = |ending: &str| -> Result<Vec<f32>, Box<dyn Error>> {
        let bytes = std::fs::read(path.with_file_name(format!("{stem}.{ending}")))?;
        Ok(bytes.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]])).collect())
    };
    let (images, expected) = (numbers("input")?, numbers("output")?);
    let batch = images.len() / graph.input().len();
    if batch * graph.input().len() != images.len() || batch * graph.output_shape().len() != expected.len() {
        return Err(format!(
            "{} -> {}: {} and {} numbers",
            graph.input(),
            graph.output_shape(),
            images.len(),
            expected.len()
        )
        .into());
    }
    let params: Vec<Map<f32, Cpu>> =
        convnet::net::params(&net as &dyn AnyNetwork<f32, Cpu>).map_err(|error| format!("{error:?}"))?;
    let mut engine = vec![f32::NAN; expected.len()];
    common::freeze(Isa::detect(), graph, &params, batch, false).run(&images, &mut engine)?;
    let [channels, height, width] = graph.input().chw();
    let images = device.tensor_from_vec(images, (batch, channels, height, width));
    let part = convnet::graph::Subgraph::whole(graph, false);
    let job = Job { graph, part: &part, params, inputs: vec![images], pass: Pass::EVAL, fixed: &[] };
    let outcome = portable::on_tape(job, None, NoneTape).map_err(|error| format!("{error:?}"))?;
    let portable = outcome.outputs[0].as_vec();
    Ok([&engine, &portable].map(|found| error(found, &expected)))
}

fn error(found: &[f32], expected: &[f32]) -> f64 {
    let largest = expected.iter().fold(1e-30_f64, |most, x| most.max(f64::from(x.abs())));
    let each = found.iter().zip(expected).map(|(a, b)| (f64::from(*a) - f64::from(*b)).abs() / largest);
    each.fold(0.0, |most, error| if error.is_nan() { f64::INFINITY } else { most.max(error) })
}
