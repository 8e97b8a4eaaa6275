//! ONNX files hold what ONNX Runtime was asked about, and the engine gives what it gave.
//!
//! ONNX Runtime itself is asked by `tests/onnx/check.py`, which has kept the answers in `golden/onnx.json`: of random networks of all
//! operations, with checksums of the files. As long as the files are the same, so are the answers.
#![deny(warnings)]

mod common;
#[path = "common/random_graph.rs"]
mod random_graph;

use convnet::data::{Normalisation, Preparation};
use convnet::engine::Isa;
use convnet::net::Map;
use convnet::onnx::{self, ExportError, OnnxError, Options, Resizing};
use convnet::prelude::*;
use serde_json::Value;
use std::collections::BTreeSet;

/// The largest error, as a share of the largest output.
const TOLERANCE: f64 = 1e-5;

#[test]
fn what_is_written_is_what_onnx_runtime_was_asked_about() {
    let stored: Vec<Value> = serde_json::from_str(include_str!("golden/onnx.json")).unwrap();
    assert!(stored.len() >= 80);
    let mut words = BTreeSet::new();
    for case in &stored {
        let seed = case["seed"].as_u64().unwrap();
        let graph = random_graph::of_seed(seed);
        words.extend(graph.nodes.iter().map(|node| node.op.word()));
        let batch = case["first"].as_array().unwrap().len();
        let (params, images) = common::random::<f32>(&graph, batch, seed);
        let numbers: Vec<Vec<f32>> = params.iter().map(Tensor::as_vec).collect();
        for (sum, folded) in case["blake3"].as_array().unwrap().iter().zip([false, true]) {
            let mut options = Options::default();
            options.folded = folded;
            let bytes = onnx::export_graph(&graph, &numbers, &options).unwrap().to_bytes().unwrap();
            let hint = "the file is another one: ask ONNX Runtime again by tests/onnx/check.py --store";
            assert_eq!(blake3::hash(&bytes).to_string(), sum.as_str().unwrap(), "{seed}, folded {folded}: {hint}");
        }
        agrees(case, &engine(&graph, &params, &images, batch), seed);
    }
    for word in
        ["conv_transpose", "lrn", "group_norm", "adaptive_avg_pool", "subsample", "min_pool", "scale", "pixel_shuffle"]
    {
        assert!(words.contains(word), "no {word} among {words:?}");
    }
}

fn engine(graph: &convnet::graph::Graph, params: &[Map<f32, Cpu>], images: &Map<f32, Cpu>, batch: usize) -> Vec<f32> {
    let mut output = vec![f32::NAN; batch * graph.output_len()];
    common::freeze(Isa::detect(), graph, params, batch, false).run(&images.as_vec(), &mut output).unwrap();
    output
}

fn agrees(case: &Value, output: &[f32], seed: u64) {
    let (images, largest) = (case["first"].as_array().unwrap(), case["largest"].as_f64().unwrap().max(1e-30));
    for (image, found) in images.iter().zip(output.chunks_exact(output.len() / images.len())) {
        for (expected, found) in image.as_array().unwrap().iter().zip(found) {
            let error = (expected.as_f64().unwrap() - f64::from(*found)).abs() / largest;
            assert!(error <= TOLERANCE, "{seed}: {error:e}");
        }
    }
}

cnn! {
    struct Headed: [3, 8, 8] -> [5] {
        conv1: conv(32, kernel = 3, pad = 1, bias = false);
        bn1: batch_norm; relu;
        head early: [5] { global_avg_pool; fc: linear(5); }
        global_avg_pool;
        fc: linear(5);
    }
}

fn headed() -> Headed<f32, Cpu> {
    Cpu::seed_from_u64(1).build_module::<Headed, f32>()
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn a_network_is_written_as_it_is_evaluated() {
    let mut options = Options::default();
    options.metadata.insert("classes".into(), "[\"a\"]".into());
    let bytes = onnx::export(&headed(), &options).unwrap().to_bytes().unwrap();
    for name in ["conv1.weight", "bn1.running_var", "fc.bias", "BatchNormalization", "Headed", "classes", "batch"] {
        assert!(has(&bytes, name), "{name}");
    }
    assert!(!has(&bytes, "early"));
    options.folded = true;
    let bytes = onnx::export(&headed(), &options).unwrap().to_bytes().unwrap();
    assert!(has(&bytes, "conv1.bias") && !has(&bytes, "bn1") && !has(&bytes, "BatchNormalization"));
}

#[test]
fn weights_in_a_file_of_their_own_are_found_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("headed.onnx");
    let model = onnx::export(&headed(), &Options::default()).unwrap();
    assert_eq!(onnx::write(&model, &path, false).unwrap(), vec![path.clone()]);
    let one = std::fs::read(&path).unwrap();
    let files = onnx::write(&model, &path, true).unwrap();
    let [_, beside] = &files[..] else { panic!("{files:?}") };
    let (two, data) = (std::fs::read(&path).unwrap(), std::fs::read(beside).unwrap());
    let name = beside.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("headed-") && has(&two, name) && !has(&one, ".data"));
    // Its one large tensor.
    assert_eq!(data.len(), 32 * 3 * 9 * 4);
    assert!(one.windows(data.len()).any(|window| window == data) && two.len() + data.len() < one.len() + 500);
    let error = onnx::write(&model, &folder.path().join("nowhere/x.onnx"), true).unwrap_err();
    assert!(matches!(&error, OnnxError::Write { .. }), "{error}");
}

#[test]
fn what_cannot_be_written_is_an_error() {
    mod custom {
        use convnet::prelude::*;
        cnn! { pub struct Inner: [1, 4, 4] -> [2, 4, 4] { conv(2, kernel = 1); } }
        cnn! { pub struct Outer: [1, 4, 4] -> [3] { custom stem: Inner<E, D> -> [2, 4, 4]; flatten; linear(3); } }
    }
    let net = Cpu::default().build_module::<custom::Outer, f32>();
    let error = onnx::export(&net, &Options::default()).unwrap_err();
    assert_eq!(error.to_string(), "Outer has the custom module `stem`, which is Rust: ONNX has no operator for it");
    let error = onnx::export_graph(Headed::graph(), &[vec![0.0; 3]], &Options::default()).unwrap_err();
    assert!(matches!(error, ExportError::Numbers { expected: 864, found: 3, .. }), "{error}");
}

#[test]
fn preprocessing_is_that_of_the_network() {
    let preparation = |fit: &str, resize: Option<usize>| {
        let mut about: convnet::weights::Metadata =
            [("mean", "0.5"), ("std", "0.25"), ("fit", fit)].map(|(key, value)| (key.into(), value.into())).into();
        about.extend(resize.map(|side| ("resize".to_string(), side.to_string())));
        convnet::format_version::mark(&mut about);
        Preparation::of(&about, Headed::graph()).unwrap().unwrap()
    };
    let of = |fit, resize, resizes| onnx::preprocessing(&preparation(fit, resize), resizes);
    let Normalisation { mean, std } = preparation("auto", None).normalisation;
    let plain = of("auto", None, false).unwrap();
    assert_eq!(plain.resizing, None);
    for byte in [0.0, 255.0] {
        let expected = (byte / 255.0 - mean[0]) / std[0];
        assert!((byte * plain.factor[0] + plain.offset[0] - expected).abs() < 1e-6);
    }
    assert_eq!(of("resize", None, true).unwrap().resizing, Some(Resizing::Stretched));
    assert_eq!(of("crop", None, true).unwrap().resizing, Some(Resizing::Covering));
    assert_eq!(of("crop", Some(9), true).unwrap().resizing, Some(Resizing::Shorter(9)));
    for fit in ["auto", "pad"] {
        assert!(of(fit, None, true).unwrap_err().to_string().contains("put only normalisation into it"));
    }
    let mut options = Options::default();
    options.preprocessing = Some(of("crop", Some(9), true).unwrap());
    let model = onnx::export(&headed(), &options).unwrap();
    assert_eq!(model.ends(), ["input [batch, 3, height, width] bytes", "output [batch, 5] f32"]);
}
