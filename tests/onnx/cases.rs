//! Networks for `check.py` to hold against ONNX Runtime and OpenVINO: each as an ONNX file, as it is and with its batch normalisations
//! folded, with a batch of images and what the engine makes of it.
//!
//! `cargo run --release -p convnet-tests --example onnx_cases -- FOLDER random 300`: random networks of the engine's tests;
//! `... FOLDER zoo`: all networks of the zoo, with random weights.

#[path = "../../runtime/tests/common/mod.rs"]
mod common;
#[path = "../../runtime/tests/common/random_graph.rs"]
mod random_graph;

use convnet::dfdx::prelude::*;
use convnet::engine::Isa;
use convnet::graph::Graph;
use convnet::net::Map;
use convnet::onnx::{Model, Options};
use convnet_models::CATALOGUE;
use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (folder, networks) = match words[..] {
        [folder, "zoo"] => (folder, zoo()),
        [folder, "random", count] => (folder, random(count.parse()?)),
        _ => return Err("usage: onnx_cases FOLDER zoo, or onnx_cases FOLDER random COUNT".into()),
    };
    let folder = Path::new(folder);
    std::fs::create_dir_all(folder)?;
    let mut cases = Vec::new();
    for Case { name, graph, batch, seed } in networks {
        let (params, images) = common::random::<f32>(&graph, batch, seed);
        let mut sums = Vec::new();
        for (folds, ending) in [(false, "onnx"), (true, "folded.onnx")] {
            let bytes = export(&graph, &params, folds)?.to_bytes()?;
            sums.push(blake3::hash(&bytes).to_string());
            std::fs::write(folder.join(format!("{name}.{ending}")), bytes)?;
        }
        let images = images.as_vec();
        let mut output = vec![f32::NAN; batch * graph.output_len()];
        common::freeze(Isa::detect(), &graph, &params, batch, false).run(&images, &mut output)?;
        for (what, numbers) in [("input", &images), ("output", &output)] {
            let bytes: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
            std::fs::write(folder.join(format!("{name}.{what}")), bytes)?;
        }
        let words: Vec<&str> = graph.nodes.iter().map(|node| node.op.word()).collect();
        cases.push(serde_json::json!({ "name": name, "seed": seed, "batch": batch, "words": words, "blake3": sums }));
    }
    Ok(std::fs::write(folder.join("cases.json"), serde_json::to_string(&cases)?)?)
}

struct Case {
    name: String,
    graph: Graph,
    batch: usize,
    seed: u64,
}

fn zoo() -> Vec<Case> {
    let of =
        |entry: &convnet_models::Entry| Case { name: entry.name.into(), graph: entry.graph.clone(), batch: 1, seed: 7 };
    CATALOGUE.iter().map(of).collect()
}

fn random(count: u64) -> Vec<Case> {
    let of = |seed| Case { name: format!("random-{seed:03}"), graph: random_graph::of_seed(seed), batch: 2, seed };
    (0..count).map(of).collect()
}

fn export(graph: &Graph, params: &[Map<f32, Cpu>], folded: bool) -> Result<Model, Box<dyn Error>> {
    let numbers: Vec<Vec<f32>> = params.iter().map(Tensor::as_vec).collect();
    let mut options = Options::default();
    options.folded = folded;
    Ok(convnet::onnx::export_graph(graph, &numbers, &options)?)
}
