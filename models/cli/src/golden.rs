//! Golden files: what PyTorch computes for a network under weights that both programs compute from the names of parameters.
//!
//! `unit(name, seed, n)` is a stream of numbers in [-1, 1) from splitmix64's finaliser over a hash of the parameter's name;
//! parameters, input and targets follow from it, so no weights file is needed. The format is described beside the files.

use convnet::graph::{Graph, Param};
use serde::Deserialize;
use std::collections::BTreeMap;

/// One file.
#[derive(Debug, Deserialize)]
pub struct Golden {
    pub model: String,
    pub seed: u64,
    pub input_shape: [usize; 4],
    pub targets: Vec<usize>,
    pub keys: BTreeMap<String, Vec<usize>>,
    pub eval: Values,
    pub train: Values,
}

/// What was computed in one mode.
#[derive(Debug, Deserialize)]
pub struct Values {
    pub logits_first8: Vec<Vec<f64>>,
    #[serde(default)]
    pub logits_last2: Vec<Vec<f64>>,
    pub logits_l2: Option<f64>,
    pub logits_absmax: f64,
    pub argmax: Option<Vec<usize>>,
    pub loss: f64,
    pub input_grad_l2: Option<f64>,
    pub input_grad_sum: Option<f64>,
    pub grads: BTreeMap<String, Gradient>,
    #[serde(default)]
    pub buffers_l2_after: BTreeMap<String, f64>,
}

/// One parameter's gradient: its norm, its sum, some elements by flat index.
#[derive(Debug, Deserialize)]
pub struct Gradient {
    pub l2: f64,
    pub sum: f64,
    pub at: BTreeMap<usize, f64>,
}

/// The stream of numbers that belongs to a name.
pub fn unit(name: &str, seed: u64, n: usize) -> Vec<f32> {
    let hash = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
    let start = name.bytes().fold(0xCBF2_9CE4_8422_2325, hash) ^ seed;
    let number = |i: u64| {
        let mut z = start.wrapping_add(i.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        (z >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (1..=n as u64).map(number).collect()
}

/// The values of a parameter.
pub fn fill(graph: &Graph, param: &Param, seed: u64) -> Vec<f32> {
    let len = param.shape.iter().product::<usize>();
    let field = param.name.rsplit('.').next().unwrap_or_default();
    // A batch norm is what has running statistics.
    let layer = param.name.strip_suffix(field).unwrap_or_default();
    let is_norm = graph.params.iter().any(|other| other.name == format!("{layer}running_mean"));
    let fan_in = len as f64 / param.shape.first().copied().unwrap_or(1) as f64;
    let value = |u: f64| match (field, is_norm) {
        ("weight", true) => 1.0 + 0.1 * u,
        ("running_var", _) => 1.0 + 0.5 * u,
        ("weight", false) => u * (4.5 / fan_in).sqrt(),
        _ => 0.1 * u,
    };
    unit(&param.name, seed, len).into_iter().map(|u| value(f64::from(u)) as f32).collect()
}
