//! Every operation of `portable` against central finite differences in double precision: parameters and input, in
//! evaluation and in training.

mod common;

use common::{chain, conv, conv_transpose, extent, loss_weights, network, numbers, pool, portable, random, table};
use convnet::dfdx::prelude::*;
use convnet::graph::{
    Activation, Affine, AvgDivisor, Conv, ConvTranspose, Fill, Graph, Groups, Op, Pad, Pool, PoolKind, Resample,
    Shape as NodeShape, Subgraph,
};
use convnet::net::{Job, Map, Pass};

const BATCH: usize = 2;

fn loss(graph: &Graph, params: &[Map<f64, Cpu>], x: &Map<f64, Cpu>, pass: Pass) -> f64 {
    let (part, inputs) = (Subgraph::whole(graph, false), vec![x.clone()]);
    let job = Job { graph, part: &part, params: params.to_vec(), inputs, pass, fixed: &[] };
    let outcome = convnet::portable::run(job, None, None).unwrap();
    let values = numbers(&outcome.outputs[0].as_vec());
    let weights: Vec<f64> = loss_weights(values.len());
    values.iter().zip(weights).map(|(x, w)| x * w).sum()
}

/// Moves each element of `tensors[which]` both ways and compares the slope of the loss with `gradient`.
fn compare(what: &str, graph: &Graph, tensors: &mut [Map<f64, Cpu>], which: usize, gradient: &[f64], pass: Pass) {
    let start = tensors[which].as_vec();
    let scale = gradient.iter().fold(1e-2_f64, |max, g| max.max(g.abs()));
    let step = 1e-5;
    for i in 0..start.len() {
        let mut slope = 0.0;
        for sign in [1.0, -1.0] {
            let mut moved = start.clone();
            moved[i] += sign * step;
            tensors[which].copy_from(&moved);
            let (x, params) = tensors.split_last().unwrap();
            slope += sign * loss(graph, params, x, pass) / (2.0 * step);
        }
        tensors[which].copy_from(&start);
        let error = (slope - gradient[i]).abs() / scale;
        assert!(error < 1e-6, "{what}: tensor {which}, element {i}: slope {slope}, gradient {}", gradient[i]);
    }
}

fn check(what: &str, graph: &Graph, training: bool) {
    let pass = Pass { training, dropout: training.then_some(11), input_grad: true };
    let (params, x) = random::<f64>(graph, BATCH, 42);
    let result = portable(graph, &params, &x, pass);
    let mut tensors = params;
    tensors.push(x);
    let trained: Vec<usize> = (0..graph.params.len()).filter(|i| graph.params[*i].trainable).collect();
    for (gradient, which) in result.d_params.iter().zip(trained) {
        compare(what, graph, &mut tensors, which, gradient, pass);
    }
    let last = tensors.len() - 1;
    compare(what, graph, &mut tensors, last, &result.d_input, pass);
}

fn check_both(what: &str, input: [usize; 3], op: Op, output: NodeShape) {
    let graph = chain(NodeShape::Map(input), &[(op, output)]);
    check(&format!("{what} (evaluation)"), &graph, false);
    check(&format!("{what} (training)"), &graph, true);
}

fn check_conv(what: &str, input: [usize; 3], out: usize, numbers: Conv) {
    let Conv { kernel, stride, dilation, pad, .. } = numbers;
    let h = extent(input[1], kernel[0], stride[0], dilation[0], pad.top + pad.bottom);
    let w = extent(input[2], kernel[1], stride[1], dilation[1], pad.left + pad.right);
    check_both(what, input, Op::Conv(numbers), NodeShape::Map([out, h, w]));
}

#[test]
fn convolution() {
    let pad = Pad { top: 1, bottom: 1, left: 1, right: 1 };
    check_conv("plain", [2, 5, 4], 3, conv([3, 3]));
    check_conv("1x1", [3, 3, 3], 2, conv([1, 1]));
    check_conv("no bias", [2, 5, 4], 3, Conv { bias: false, ..conv([2, 3]) });
    check_conv("padded", [2, 4, 5], 2, Conv { pad, ..conv([3, 3]) });
    check_conv("asymmetric", [1, 4, 4], 2, Conv { pad: Pad { top: 0, bottom: 2, left: 1, right: 0 }, ..conv([2, 2]) });
    check_conv("strided", [2, 7, 6], 2, Conv { stride: [2, 3], pad, ..conv([3, 2]) });
    check_conv("stride beyond the kernel", [1, 7, 7], 2, Conv { stride: [3, 3], ..conv([2, 1]) });
    check_conv("dilated", [2, 7, 6], 2, Conv { dilation: [2, 3], pad, ..conv([3, 2]) });
    check_conv("grouped", [4, 4, 4], 6, Conv { groups: Groups::Count(2), pad, ..conv([3, 3]) });
    check_conv("depthwise", [3, 4, 4], 6, Conv { groups: Groups::Each, ..conv([2, 2]) });
    let connected = Op::Conv(Conv { connections: Some(0), ..conv([2, 3]) });
    let nodes = [(connected, NodeShape::Map([3, 3, 2]), vec![0])];
    let tables = vec![table(vec![vec![0, 2], vec![1], vec![2, 0, 1]])];
    let graph = &network(NodeShape::Map([3, 4, 4]), &nodes, tables);
    check("by connections", graph, false);
}

#[test]
fn transposed_convolution() {
    let pad = Pad { top: 1, bottom: 1, left: 2, right: 2 };
    let check = |what, input: [usize; 3], output: [usize; 3], numbers| {
        check_both(what, input, Op::ConvTranspose(numbers), NodeShape::Map(output));
    };
    check("plain", [2, 3, 4], [3, 5, 5], conv_transpose([3, 2]));
    check("strided", [2, 3, 2], [2, 6, 7], ConvTranspose { stride: [2, 3], ..conv_transpose([2, 4]) });
    check("gaps", [1, 3, 2], [2, 7, 5], ConvTranspose { stride: [3, 4], ..conv_transpose([1, 1]) });
    let numbers = ConvTranspose { stride: [2, 2], pad, dilation: [1, 2], bias: false, ..conv_transpose([3, 3]) };
    check("padded, dilated, with a row more", [2, 3, 3], [3, 6, 5], numbers);
    check(
        "grouped",
        [4, 2, 2],
        [6, 4, 4],
        ConvTranspose { groups: Groups::Count(2), stride: [2, 2], ..conv_transpose([2, 2]) },
    );
}

#[test]
fn moving_pixels() {
    let check = |what: &str, input, op, output| check_both(what, input, op, NodeShape::Map(output));
    check("nearest", [2, 2, 3], Op::Resample(Resample::Nearest), [2, 4, 9]);
    check("bilinear", [2, 2, 3], Op::Resample(Resample::Bilinear), [2, 4, 9]);
    check("bilinear from one pixel", [2, 1, 2], Op::Resample(Resample::Bilinear), [2, 3, 2]);
    let pad = Pad { top: 1, bottom: 2, left: 0, right: 1 };
    for fill in [Fill::Constant(0.0), Fill::Constant(-1.5), Fill::Reflect, Fill::Replicate, Fill::Circular] {
        check(&format!("pad {fill:?}"), [2, 3, 3], Op::Resample(Resample::Pad { pad, fill }), [2, 6, 4]);
    }
    check("crop", [2, 4, 4], Op::Resample(Resample::Crop { top: 1, left: 0 }), [2, 2, 3]);
    check("channel pad", [3, 2, 2], Op::ChannelPad { before: 2 }, [6, 2, 2]);
    check("channel shuffle", [6, 2, 2], Op::ChannelShuffle { groups: 3 }, [6, 2, 2]);
    check("pixel shuffle", [8, 2, 3], Op::PixelShuffle { factor: 2 }, [2, 4, 6]);
    check("permute", [3, 2, 5], Op::Permute { order: [1, 2, 0] }, [2, 5, 3]);
    check("pixel unshuffle", [2, 4, 6], Op::PixelUnshuffle { factor: 2 }, [8, 2, 3]);
    check("channel crop", [6, 2, 2], Op::ChannelCrop { before: 2 }, [3, 2, 2]);
    for (nearest, antialias) in [(true, false), (false, false), (false, true)] {
        let resize = Op::Resample(Resample::Resize { nearest, antialias });
        let what = format!("resize, nearest {nearest}, antialias {antialias}");
        check(&format!("{what}, smaller"), [2, 7, 5], resize, [2, 3, 2]);
        check(&format!("{what}, larger"), [2, 3, 2], resize, [2, 7, 5]);
    }
    check("identity", [2, 2, 2], Op::Identity, [2, 2, 2]);
}

#[test]
fn factors_for_channels() {
    let map = NodeShape::Map([3, 2, 2]);
    let ops = [
        (Op::Activation(Activation::Tanh), map, vec![0]),
        (Op::AdaptiveAvgPool, NodeShape::Map([3, 1, 1]), vec![1]),
        (Op::Conv(conv([1, 1])), NodeShape::Map([3, 1, 1]), vec![2]),
        (Op::Scale, map, vec![1, 3]),
    ];
    check("scale", &network(map, &ops, Vec::new()), true);
}

#[test]
fn factors_for_elements() {
    let map = NodeShape::Map([3, 2, 3]);
    let ops = [
        (Op::Activation(Activation::Tanh), map, vec![0]),
        (Op::Conv(Conv { pad: Pad { top: 1, bottom: 1, left: 1, right: 1 }, ..conv([3, 3]) }), map, vec![1]),
        (Op::Scale, map, vec![1, 2]),
    ];
    check("gate", &network(map, &ops, Vec::new()), true);
    // A value times itself.
    let square = [(Op::Activation(Activation::Tanh), map, vec![0]), (Op::Scale, map, vec![1, 1])];
    check("square", &network(map, &square, Vec::new()), true);
    let vector = NodeShape::Vector(5);
    let ops = [
        (Op::Linear { bias: true }, vector, vec![0]),
        (Op::Activation(Activation::Sigmoid), vector, vec![1]),
        (Op::Scale, vector, vec![1, 2]),
    ];
    check("gate of a vector", &network(NodeShape::Vector(4), &ops, Vec::new()), true);
}

#[test]
fn pooling() {
    let kinds =
        [PoolKind::Max, PoolKind::Min, PoolKind::Avg(AvgDivisor::WithPad), PoolKind::Avg(AvgDivisor::WithoutPad)];
    for kind in kinds {
        let plain: Pool = pool(kind, [2, 2], [2, 2], [0, 0]);
        check_both(&format!("{kind:?}"), [2, 4, 5], Op::Pool(plain), NodeShape::Map([2, 2, 2]));
        let padded = pool(kind, [3, 2], [2, 1], [1, 1]);
        check_both(&format!("{kind:?}, padded"), [2, 5, 4], Op::Pool(padded), NodeShape::Map([2, 3, 5]));
        let ceil = pool(kind, [2, 3], [2, 2], [0, 1]);
        check_both(&format!("{kind:?}, rounded up"), [2, 5, 4], Op::Pool(ceil), NodeShape::Map([2, 3, 3]));
        check_both(
            &format!("{kind:?} over channels"),
            [6, 2, 2],
            Op::ChannelPool { kind, size: 3 },
            NodeShape::Map([2, 2, 2]),
        );
    }
    for kind in [PoolKind::Max, PoolKind::Min] {
        let dilated = Pool { dilation: [2, 3], ..pool(kind, [3, 2], [1, 2], [1, 0]) };
        check_both(&format!("{kind:?}, dilated"), [2, 6, 7], Op::Pool(dilated), NodeShape::Map([2, 4, 2]));
    }
    for kind in kinds {
        let uneven = Pool { pad: Pad { top: 0, bottom: 1, left: 1, right: 0 }, ..pool(kind, [2, 2], [2, 1], [0, 0]) };
        check_both(&format!("{kind:?}, padded unevenly"), [2, 5, 4], Op::Pool(uneven), NodeShape::Map([2, 3, 4]));
    }
    check_both("adaptive", [2, 5, 7], Op::AdaptiveAvgPool, NodeShape::Map([2, 3, 2]));
    check_both("adaptive, enlarging", [1, 2, 3], Op::AdaptiveAvgPool, NodeShape::Map([1, 3, 5]));
    for kind in [PoolKind::Max, PoolKind::Min, PoolKind::Avg(AvgDivisor::WithPad)] {
        check_both(&format!("global {kind:?}"), [3, 3, 4], Op::GlobalPool(kind), NodeShape::Vector(3));
    }
    check_both("subsample", [2, 4, 5], Op::Subsample { size: 2 }, NodeShape::Map([2, 2, 2]));
}

#[test]
fn dense_and_normalisation() {
    let graph = &chain(
        NodeShape::Map([2, 2, 3]),
        &[(Op::Flatten, NodeShape::Vector(12)), (Op::Linear { bias: true }, NodeShape::Vector(4))],
    );
    check("linear", graph, false);
    let graph = &chain(NodeShape::Vector(5), &[(Op::Linear { bias: false }, NodeShape::Vector(3))]);
    check("linear without bias", graph, false);
    let map = [3, 3, 2];
    let same = NodeShape::Map(map);
    check_both("batch norm", map, Op::BatchNorm { eps: 1e-5, momentum: 0.1 }, same);
    for size in 1..=4 {
        check_both("lrn", [5, 2, 2], Op::Lrn { size, alpha: 0.7, beta: 0.75, k: 1.3 }, NodeShape::Map([5, 2, 2]));
    }
    check_both("dropout", map, Op::Dropout { p: 0.4, channels: false }, same);
    check_both("dropout of channels", map, Op::Dropout { p: 0.4, channels: true }, same);
    let cases = [
        (Groups::One, Affine::None),
        (Groups::Count(2), Affine::Channel),
        (Groups::Each, Affine::Channel),
        (Groups::One, Affine::Element),
    ];
    for (groups, affine) in cases {
        let norm = Op::GroupNorm { groups, eps: 1e-3, affine };
        check_both(&format!("group norm {groups:?} {affine:?}"), [4, 2, 3], norm, NodeShape::Map([4, 2, 3]));
    }
    let norm = Op::GroupNorm { groups: Groups::One, eps: 1e-3, affine: Affine::Channel };
    check("layer norm of a vector", &chain(NodeShape::Vector(5), &[(norm, NodeShape::Vector(5))]), false);
    check_both("stochastic depth", map, Op::StochasticDepth { p: 0.4 }, same);
    for affine in [false, true] {
        check_both(
            &format!("pixel norm {affine}"),
            [5, 2, 3],
            Op::PixelNorm { eps: 1e-3, affine },
            NodeShape::Map([5, 2, 3]),
        );
    }
    for bias in [false, true] {
        check_both(&format!("pixel linear {bias}"), map, Op::PixelLinear { bias }, NodeShape::Map([4, 3, 2]));
    }
    check_both("softmax", map, Op::Softmax, same);
    check_both("log softmax", map, Op::LogSoftmax, same);
    check_both("channel_scale", map, Op::ChannelScale, same);
    check_both("prelu", map, Op::Prelu { per_channel: false }, same);
    check_both("prelu by channel", map, Op::Prelu { per_channel: true }, same);
}

#[test]
fn activations() {
    let all = [
        Activation::Relu,
        Activation::Relu6,
        Activation::LeakyRelu(0.1),
        Activation::Elu(0.8),
        Activation::Selu,
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::HardTanh(-0.4, 0.6),
        Activation::Silu,
        Activation::Mish,
        Activation::HardSwish,
        Activation::HardSigmoid,
        Activation::Sigmoid,
        Activation::Tanh,
        Activation::ScaledTanh,
        Activation::Softplus,
    ];
    for activation in all {
        check_both(activation.word(), [2, 3, 4], Op::Activation(activation), NodeShape::Map([2, 3, 4]));
    }
}

#[test]
fn branches() {
    let map = NodeShape::Map([2, 3, 3]);
    let pad = Pad { top: 1, bottom: 1, left: 1, right: 1 };
    let same = Op::Conv(Conv { pad, ..conv([3, 3]) });
    let graph = &network(
        map,
        &[
            (same, map, vec![0]),
            (Op::Activation(Activation::Tanh), map, vec![1]),
            (Op::Add, map, vec![2, 0]),
            (same, NodeShape::Map([1, 3, 3]), vec![3]),
            (Op::Concat, NodeShape::Map([5, 3, 3]), vec![3, 4, 1]),
            (Op::Add, NodeShape::Map([5, 3, 3]), vec![5, 5]),
        ],
        Vec::new(),
    );
    check("branches", graph, true);
}

#[test]
fn a_whole_network_through_one_tape() {
    let graph = &chain(
        NodeShape::Map([1, 6, 6]),
        &[
            (Op::Conv(conv([3, 3])), NodeShape::Map([2, 4, 4])),
            (Op::BatchNorm { eps: 1e-5, momentum: 0.1 }, NodeShape::Map([2, 4, 4])),
            (Op::Activation(Activation::Tanh), NodeShape::Map([2, 4, 4])),
            (Op::Pool(pool(PoolKind::Max, [2, 2], [2, 2], [0, 0])), NodeShape::Map([2, 2, 2])),
            (Op::Flatten, NodeShape::Vector(8)),
            (Op::Linear { bias: true }, NodeShape::Vector(3)),
            (Op::LogSoftmax, NodeShape::Vector(3)),
        ],
    );
    check("network (evaluation)", graph, false);
    check("network (training)", graph, true);
}
