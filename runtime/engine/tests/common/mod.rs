//! A small network by hand: the engine has to work without the language and without tensors.
#![allow(dead_code)] // Each test target uses its part.

use convnet_graph::{Activation, Conv, Graph, Groups, Init, Node, Op, Output, Pad, Param, Shape};

/// Channels of the input and of the convolution, height and width of the maps, outputs.
pub const SIZES: [usize; 5] = [2, 5, 4, 3, 3];
/// What the batch normalisation adds to a variance, so that nothing is divided by zero.
pub const EPS: f64 = 1e-5;
/// The weight of a new batch in the running statistics of the batch normalisation.
pub const MOMENTUM: f64 = 0.1;

/// A node without what executors do not read.
pub fn node(name: &'static str, op: Op, inputs: Vec<usize>, shape: Shape, params: std::ops::Range<usize>) -> Node {
    Node {
        name: name.into(),
        op,
        inputs: inputs.into(),
        shape,
        first_param: params.start,
        n_params: params.len(),
        // Of scalars; only whether there are any counts here.
        params: params.len(),
        macs: 0,
        receptive_field: [1, 1],
        jump: [1, 1],
        auxiliary: false,
    }
}

/// A parameter that is trained, or one that is not.
pub fn param(name: &'static str, shape: Vec<usize>, trainable: bool) -> Param {
    Param { name: name.into(), shape: shape.into(), trainable, init: Init::Zeros }
}

/// A graph whose output is its last node.
pub fn graph(nodes: Vec<Node>, params: Vec<Param>) -> Graph {
    let output = Output { name: "output".into(), node: nodes.len() - 1 };
    Graph {
        name: "Small".into(),
        nodes: nodes.into(),
        params: params.into(),
        connections: Vec::new().into(),
        outputs: vec![output].into(),
        heads: Vec::new().into(),
        peak_activations: 0,
    }
}

/// A convolution with a kernel of 3 and a padding of 1.
pub fn conv() -> Op {
    Op::Conv(Conv {
        kernel: [3, 3],
        stride: [1, 1],
        pad: Pad { top: 1, bottom: 1, left: 1, right: 1 },
        dilation: [1, 1],
        groups: Groups::One,
        bias: false,
        connections: None,
    })
}

/// `conv, batch_norm, relu, flatten, linear`.
pub fn small() -> Graph {
    let [ins, outs, height, width, classes] = SIZES;
    let map = |channels| Shape::Map([channels, height, width]);
    let flat = outs * height * width;
    graph(
        vec![
            node("input", Op::Input, vec![], map(ins), 0..0),
            node("conv", conv(), vec![0], map(outs), 0..1),
            node("norm", Op::BatchNorm { eps: EPS, momentum: MOMENTUM }, vec![1], map(outs), 1..5),
            node("relu", Op::Activation(Activation::Relu), vec![2], map(outs), 5..5),
            node("flatten", Op::Flatten, vec![3], Shape::Vector(flat), 5..5),
            node("linear", Op::Linear { bias: true }, vec![4], Shape::Vector(classes), 5..7),
        ],
        vec![
            param("conv.weight", vec![outs, ins, 3, 3], true),
            param("norm.weight", vec![outs], true),
            param("norm.bias", vec![outs], true),
            param("norm.running_mean", vec![outs], false),
            param("norm.running_var", vec![outs], false),
            param("linear.weight", vec![classes, flat], true),
            param("linear.bias", vec![classes], true),
        ],
    )
}

/// Numbers between -1 and 1 that look random.
pub fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mixed = (0..count as u64).map(|i| convnet_engine::random::mix(seed.wrapping_mul(1 << 32).wrapping_add(i + 1)));
    mixed.map(|z| (z >> 40) as f32 / (1 << 23) as f32 - 1.0).collect()
}

/// Parameters of [`small`], with variances that are positive.
pub fn params(graph: &Graph) -> Vec<Vec<f32>> {
    let lengths = graph.params.iter().map(|param| param.shape.iter().product::<usize>());
    let mut params: Vec<Vec<f32>> = lengths.enumerate().map(|(i, len)| numbers(len, i as u64)).collect();
    params[4].iter_mut().for_each(|x| *x += 1.5);
    params
}

/// [`small`] in double precision, from its definition: the outputs, and the statistics (mean, biased variance) of the batch,
/// which it normalises by in training.
pub fn by_hand(params: &[Vec<f64>], images: &[f64], training: bool) -> (Vec<f64>, [Vec<f64>; 2]) {
    let [ins, outs, height, width, classes] = SIZES;
    let pixels = height * width;
    let batch = images.len() / (ins * pixels);
    let mut maps = vec![0.0; batch * outs * pixels];
    for (i, y) in maps.iter_mut().enumerate() {
        let (image, out, row, col) = (i / (outs * pixels), i / pixels % outs, i / width % height, i % width);
        for (tap, weight) in params[0][out * ins * 9..(out + 1) * ins * 9].iter().enumerate() {
            let (channel, ky, kx) = (tap / 9, tap / 3 % 3, tap % 3);
            if (1..=height).contains(&(row + ky)) && (1..=width).contains(&(col + kx)) {
                let from = ((image * ins + channel) * height + row + ky - 1) * width + col + kx - 1;
                *y += weight * images[from];
            }
        }
    }
    let count = (batch * pixels) as f64;
    let channel = |i: usize| i / pixels % outs;
    let (mut mean, mut var) = (vec![0.0; outs], vec![0.0; outs]);
    maps.iter().enumerate().for_each(|(i, x)| mean[channel(i)] += x / count);
    maps.iter().enumerate().for_each(|(i, x)| var[channel(i)] += (x - mean[channel(i)]).powi(2) / count);
    let [used_mean, used_var] = if training { [&mean, &var] } else { [&params[3], &params[4]] };
    for (i, x) in maps.iter_mut().enumerate() {
        let c = channel(i);
        *x = ((*x - used_mean[c]) / (used_var[c] + EPS).sqrt() * params[1][c] + params[2][c]).max(0.0);
    }
    let flat = outs * pixels;
    let outputs = (0..batch * classes).map(|i| {
        let (image, weights) = (&maps[i / classes * flat..][..flat], &params[5][i % classes * flat..][..flat]);
        image.iter().zip(weights).map(|(x, w)| x * w).sum::<f64>() + params[6][i % classes]
    });
    (outputs.collect(), [mean, var])
}

/// Numbers in double precision.
pub fn wide(numbers: &[f32]) -> Vec<f64> {
    numbers.iter().map(|x| f64::from(*x)).collect()
}

/// Panics if the numbers differ by more than rounding.
pub fn assert_close(found: &[f32], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let distance = (f64::from(*found) - expected).abs();
        assert!(distance < 2e-4 * expected.abs().max(1.0), "{what} {i}: {found}, not {expected}");
    }
}
