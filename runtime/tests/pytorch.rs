//! Every operation against PyTorch: values and input gradients in `golden/ops.json`, by `golden/ops.py` beside it. The
//! inputs have ties, zeros, infinities and NaN where these decide.

mod common;

use common::{chain, conv, conv_transpose, differentiate, pool, portable, tensor};
use convnet::dfdx::prelude::*;
use convnet::engine;
use convnet::graph::{
    Activation, Affine, AvgDivisor, Conv, ConvTranspose, Fill, Graph, Groups, Op, Pad, Pool, PoolKind, Resample,
    Shape as NodeShape,
};
use convnet::net::{Map, Pass, Real};
use serde_json::Value;

/// The numbers of `ops.py`: `((i * 37 + shift * 11) % 64) / 32 - 1`.
fn values(n: usize, shift: usize) -> Vec<f64> {
    (0..n).map(|i| ((i * 37 + shift * 11) % 64) as f64 / 32.0 - 1.0).collect()
}

fn operation(name: &str) -> Op {
    let activation = match name {
        "relu" => Some(Activation::Relu),
        "relu6" => Some(Activation::Relu6),
        "leaky_relu" => Some(Activation::LeakyRelu(0.1)),
        "elu" => Some(Activation::Elu(0.7)),
        "selu" => Some(Activation::Selu),
        "gelu" => Some(Activation::Gelu),
        "gelu_tanh" => Some(Activation::GeluTanh),
        "hard_tanh" => Some(Activation::HardTanh(-0.5, 0.75)),
        "silu" => Some(Activation::Silu),
        "mish" => Some(Activation::Mish),
        "hard_swish" => Some(Activation::HardSwish),
        "hard_sigmoid" => Some(Activation::HardSigmoid),
        "sigmoid" => Some(Activation::Sigmoid),
        "tanh" => Some(Activation::Tanh),
        "scaled_tanh" => Some(Activation::ScaledTanh),
        "softplus" => Some(Activation::Softplus),
        _ => None,
    };
    if let Some(activation) = activation {
        return Op::Activation(activation);
    }
    let (with, without) = (PoolKind::Avg(AvgDivisor::WithPad), PoolKind::Avg(AvgDivisor::WithoutPad));
    let all = |pad| Pad { top: pad, bottom: pad, left: pad, right: pad };
    let sides = Pad { top: 1, bottom: 2, left: 3, right: 4 };
    match name {
        "conv" => Op::Conv(Conv {
            stride: [2, 1],
            pad: Pad { top: 1, bottom: 1, left: 2, right: 2 },
            dilation: [1, 2],
            ..conv([3, 2])
        }),
        "conv_groups" => Op::Conv(Conv { pad: all(1), groups: Groups::Count(2), ..conv([3, 3]) }),
        "conv_transpose" => Op::ConvTranspose(ConvTranspose {
            stride: [2, 3],
            pad: Pad { top: 1, bottom: 1, left: 2, right: 2 },
            dilation: [1, 2],
            ..conv_transpose([3, 2])
        }),
        "conv_transpose_groups" => {
            Op::ConvTranspose(ConvTranspose { stride: [2, 2], groups: Groups::Count(2), ..conv_transpose([2, 2]) })
        }
        "group_norm" => Op::GroupNorm { groups: Groups::Count(2), eps: 1e-5, affine: Affine::Channel },
        "layer_norm" => Op::GroupNorm { groups: Groups::One, eps: 1e-5, affine: Affine::Element },
        "instance_norm" => Op::GroupNorm { groups: Groups::Each, eps: 1e-5, affine: Affine::None },
        "upsample_nearest" => Op::Resample(Resample::Nearest),
        "upsample_bilinear" => Op::Resample(Resample::Bilinear),
        "pad_constant" => Op::Resample(Resample::Pad { pad: sides, fill: Fill::Constant(0.5) }),
        "pad_reflect" => Op::Resample(Resample::Pad { pad: sides, fill: Fill::Reflect }),
        "pad_replicate" => Op::Resample(Resample::Pad { pad: sides, fill: Fill::Replicate }),
        "crop" => Op::Resample(Resample::Crop { top: 1, left: 1 }),
        "channel_shuffle" => Op::ChannelShuffle { groups: 2 },
        "pixel_shuffle" => Op::PixelShuffle { factor: 2 },
        "pixel_unshuffle" => Op::PixelUnshuffle { factor: 2 },
        "permute" => Op::Permute { order: [1, 2, 0] },
        "channel_crop" => Op::ChannelCrop { before: 1 },
        "pad_circular" => Op::Resample(Resample::Pad { pad: sides, fill: Fill::Circular }),
        "resize_nearest" => Op::Resample(Resample::Resize { nearest: true, antialias: false }),
        "resize_bilinear" => Op::Resample(Resample::Resize { nearest: false, antialias: false }),
        "resize_antialias" => Op::Resample(Resample::Resize { nearest: false, antialias: true }),
        "pixel_norm" => Op::PixelNorm { eps: 1e-5, affine: true },
        "pixel_linear" => Op::PixelLinear { bias: true },
        "max_pool_dilated" => Op::Pool(Pool { dilation: [3, 2], ..pool(PoolKind::Max, [2, 2], [1, 1], [1, 1]) }),
        "max_pool" | "max_pool_nan" => Op::Pool(pool(PoolKind::Max, [2, 2], [2, 2], [0, 0])),
        "max_pool_ceil" => Op::Pool(pool(PoolKind::Max, [3, 3], [2, 2], [1, 1])),
        "avg_pool" => Op::Pool(pool(with, [3, 3], [2, 2], [1, 1])),
        "avg_pool_ceil" => Op::Pool(pool(with, [2, 3], [2, 2], [0, 1])),
        "avg_pool_without_pad" => Op::Pool(pool(without, [3, 3], [2, 2], [1, 1])),
        "adaptive_avg_pool" => Op::AdaptiveAvgPool,
        "lrn" => Op::Lrn { size: 3, alpha: 0.5, beta: 0.75, k: 2.0 },
        "lrn_even" => Op::Lrn { size: 2, alpha: 0.5, beta: 0.75, k: 2.0 },
        "batch_norm_eval" | "batch_norm_train" => Op::BatchNorm { eps: 1e-5, momentum: 0.1 },
        "channel_scale" => Op::ChannelScale,
        "prelu" => Op::Prelu { per_channel: false },
        "prelu_channel" => Op::Prelu { per_channel: true },
        "softmax" => Op::Softmax,
        "log_softmax" => Op::LogSoftmax,
        other => panic!("no operation for {other}"),
    }
}

/// Elements that `ops.py` overwrites.
fn specials(name: &str, graph: &Graph) -> Vec<(usize, f64)> {
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    match (name, graph.nodes[1].op) {
        ("max_pool_nan", _) => vec![(0, nan), (7, nan), (40, inf), (41, -inf)],
        (_, Op::Activation(_)) => {
            [0.0, -0.0, nan, inf, -inf, 3.0, -3.0, 6.0, 100.0, -100.0].into_iter().enumerate().collect()
        }
        _ => vec![],
    }
}

fn setting<E: Real>(name: &str, graph: &Graph) -> (Vec<Map<E, Cpu>>, Map<E, Cpu>)
where
    Cpu: Device<E>,
{
    let dev = Cpu::default();
    let params = graph.params.iter().enumerate().map(|(i, param)| {
        let mut numbers = values(param.shape.iter().product(), i + 1).into_iter();
        let shift = if param.name.ends_with("running_var") { 2.0 } else { 0.0 };
        tensor(&dev, &param.shape, || numbers.next().unwrap() + shift)
    });
    let params = params.collect();
    let [c, h, w] = graph.input().chw();
    let batch = if matches!(graph.nodes[1].op, Op::Activation(_)) { 1 } else { 2 };
    let mut x = values(batch * c * h * w, 0);
    for (i, value) in specials(name, graph) {
        x[i] = value;
    }
    let mut x = x.into_iter();
    (params, tensor(&dev, &[batch, c, h, w], || x.next().unwrap()))
}

fn numbers(list: &Value) -> Vec<f64> {
    let number = |value: &Value| match value {
        Value::Null => f64::NAN,
        Value::String(text) => {
            if text == "inf" {
                f64::INFINITY
            } else {
                f64::NEG_INFINITY
            }
        }
        other => other.as_f64().unwrap(),
    };
    list.as_array().unwrap().iter().map(number).collect()
}

fn close(what: &str, found: &[f64], want: &[f64], tolerance: f64) {
    assert_eq!(found.len(), want.len(), "{what}");
    for (i, (a, b)) in found.iter().zip(want).enumerate() {
        let same = a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * b.abs().max(1.0);
        assert!(same, "{what}, element {i}: {a}, PyTorch has {b}");
    }
}

#[test]
fn every_operation_is_pytorchs() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/ops.json");
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    for case in golden["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let shape: Vec<usize> =
            case["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
        let op = operation(name);
        let input = match op {
            Op::Activation(_) => [2, 3, 6],
            Op::PixelUnshuffle { .. } => [4, 4, 6],
            _ => [4, 5, 6],
        };
        let graph = &chain(NodeShape::Map(input), &[(op, NodeShape::Map([shape[0], shape[1], shape[2]]))]);
        let pass = Pass { training: name == "batch_norm_train", dropout: None, input_grad: true };
        let (y, dx) = (numbers(&case["y"]), numbers(&case["dx"]));

        let (params, x) = setting::<f64>(name, graph);
        let result = portable(graph, &params, &x, pass);
        close(&format!("{name}: portable, output"), &result.output, &y, 1e-9);
        close(&format!("{name}: portable, input gradient"), &finite(name, &result.d_input), &finite(name, &dx), 1e-9);

        let (params, x) = setting::<f32>(name, graph);
        let cache = engine::Cache::default();
        let found = differentiate(graph, &params, &x, pass, |job, tape| engine::run(job, &cache, tape));
        close(&format!("{name}: engine, output"), &found.output, &y, 1e-4);
        close(&format!("{name}: engine, input gradient"), &finite(name, &found.d_input), &finite(name, &dx), 1e-4);
        if pass.training {
            let running = numbers(&golden["batch_norm_running"]);
            for (mean_or_var, want) in [(0, &running[..4]), (1, &running[4..])] {
                close("running statistics, portable", &result.running[mean_or_var].1, want, 1e-9);
                close("running statistics, engine", &found.running[mean_or_var].1, want, 1e-5);
            }
        }
    }
}

/// Gradients at NaN and infinity are a matter of taste and differ between PyTorch's own kernels; elements 2 to 4 of an
/// activation's input hold these.
fn finite(name: &str, gradient: &[f64]) -> Vec<f64> {
    let mut gradient = gradient.to_vec();
    if matches!(operation(name), Op::Activation(_)) {
        gradient.drain(2..5);
    }
    gradient
}
