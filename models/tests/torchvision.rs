//! Networks of the zoo against torchvision's, and against others written in PyTorch: names and shapes of the parameters, and what an image
//! gives in evaluation, with numbers in `tests/golden/zoo.json` by `zoo.py` beside it.

#[path = "../cli/src/golden.rs"]
#[allow(dead_code)]
mod golden;

use convnet::graph::{Graph, Param};
use convnet::net::{AnyNetwork, DynNetwork, forward, set_params};
use convnet::prelude::*;
use convnet_models::find;
use serde::Deserialize;
use std::sync::Arc;

/// The largest error of an output, relative to the largest output, as in `convnet parity`.
const LIMIT: f64 = 1e-4;

#[derive(Deserialize)]
struct Sketch {
    model: String,
    seed: u64,
    /// What weights, but for those of batch normalisation, are multiplied by.
    gain: f32,
    params: usize,
    keys: usize,
    digest: String,
    input: [usize; 3],
    l2: f64,
    absmax: f64,
    at: Vec<f64>,
}

fn sketches() -> Vec<Sketch> {
    serde_json::from_str(include_str!("../../tests/golden/zoo.json")).unwrap()
}

/// The hash of one line for each parameter, sorted.
fn digest(graph: &Graph) -> String {
    let mut lines: Vec<String> =
        graph.params.iter().map(|param| format!("{} {:?}\n", param.name, param.shape)).collect();
    lines.sort();
    let hash = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
    format!("{:016x}", lines.concat().bytes().fold(0xCBF2_9CE4_8422_2325, hash))
}

/// What the network gives for one image.
fn outputs(graph: &Graph, seed: u64, gain: f32) -> Vec<f64> {
    let device = Cpu::default();
    let mut net = DynNetwork::<f32, Cpu>::build(Arc::new(graph.clone()), &device).unwrap();
    let value = |param: &Param| {
        let layer = param.name.strip_suffix("weight");
        let norm = |layer: &str| graph.params.iter().any(|other| other.name == format!("{layer}running_mean"));
        let gain = if layer.is_some_and(|layer| !norm(layer)) { gain } else { 1.0 };
        golden::fill(graph, param, seed).into_iter().map(|x| x * gain).collect()
    };
    let params: Vec<(usize, Vec<f32>)> = graph.params.iter().map(value).enumerate().collect();
    set_params(&mut net, &params);
    let [c, h, w] = graph.input().chw();
    let image = device.tensor_from_vec(golden::unit("input", seed, c * h * w), (1, c, h, w));
    let length = graph.output_shape().len();
    let found: Tensor<(usize, usize), f32, Cpu> =
        forward(&net as &dyn AnyNetwork<f32, Cpu>, image, 1, (1, length)).unwrap();
    found.as_vec().into_iter().map(f64::from).collect()
}

#[test]
fn parameters_have_the_names_and_shapes_of_pytorch() {
    for sketch in sketches() {
        let graph = find(&sketch.model).unwrap().graph;
        assert_eq!(graph.input().chw(), sketch.input, "{}", sketch.model);
        assert_eq!(graph.param_count(), sketch.params, "{}", sketch.model);
        assert_eq!((graph.params.len(), digest(graph)), (sketch.keys, sketch.digest), "{}", sketch.model);
    }
}

#[test]
fn an_image_gives_what_it_gives_in_pytorch() {
    for sketch in sketches() {
        let found = outputs(find(&sketch.model).unwrap().graph, sketch.seed, sketch.gain);
        let at = sketch.at.iter().enumerate().map(|(i, want)| found[i * found.len() / sketch.at.len()] - want);
        let l2 = found.iter().map(|x| x * x).sum::<f64>().sqrt();
        let worst = at.map(|error| error.abs() / sketch.absmax).fold((l2 / sketch.l2 - 1.0).abs(), f64::max);
        eprintln!("{}: {worst:.1e}", sketch.model);
        assert!(worst < LIMIT, "{}: {worst:.1e}", sketch.model);
    }
}
