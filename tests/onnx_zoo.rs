//! The zoo's networks go out as ONNX files and come back as the same networks, in fewer lines than their layers.
#![deny(warnings)]

#[path = "../runtime/tests/common/meaning.rs"]
mod meaning;

use convnet::graph::Op;
use convnet::onnx::{self, ImportOptions, Options};
use convnet_models::CATALOGUE;
use meaning::meaning;

/// Larger networks have the same layers as these, and take long in a debug build; `tests/onnx/imports.rs` reads all.
const MOST: usize = 15_000_000;

#[test]
fn the_zoo_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut read = 0;
    // The one of 1998 has a connection table and trainable pools, which are other layers in ONNX.
    for entry in CATALOGUE.iter().filter(|entry| entry.graph.param_count() < MOST && entry.name != "lenet1998") {
        let params: Vec<Vec<f32>> =
            entry.graph.params.iter().map(|param| vec![0.5; param.shape.iter().product()]).collect();
        let path = folder.path().join("net.onnx");
        let model = onnx::export_graph(entry.graph, &params, &Options::default()).unwrap();
        onnx::write(&model, &path, false).unwrap();
        let import = onnx::import(&path, &ImportOptions::default()).unwrap();
        assert_eq!(meaning(entry.graph), meaning(&import.graph), "{}:\n{}", entry.name, import.source);
        let (lines, layers) = (import.source.lines().count(), entry.graph.nodes.len());
        // Where each layer of stochastic depth has a probability of its own, nothing around it repeats.
        let differs = entry.graph.nodes.iter().any(|node| matches!(node.op, Op::StochasticDepth { .. }));
        assert!(
            differs || lines < 30 + layers / 2,
            "{}: {lines} lines of {layers} layers:\n{}",
            entry.name,
            import.source
        );
        // Keys are those of the zoo, so that its weights go on loading.
        let keys = |graph: &convnet::graph::Graph| -> Vec<String> {
            graph.params.iter().map(|param| param.name.to_string()).collect()
        };
        let main: Vec<String> = keys(entry.graph).into_iter().filter(|key| !key.starts_with("aux")).collect();
        assert_eq!(main, keys(&import.graph), "{}:\n{}", entry.name, import.source);
        read += 1;
    }
    assert!(read >= 12, "{read}");
}
