//! Random networks of every operation, with random shapes and options.

use super::common::{conv, extent, network, pool, table};
use convnet::graph::{
    Activation, Affine, AvgDivisor, Connections, Conv, ConvTranspose, Fill, Graph, Groups, Op, Output, Pad, PoolKind,
    Resample, Shape as NodeShape,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// A random operation that fits `shape`, with the shape that it gives.
fn operation(rng: &mut StdRng, shape: NodeShape, tables: &mut Vec<Connections>) -> (Op, NodeShape) {
    let same = |op| (op, shape);
    let activations = [
        Activation::Relu,
        Activation::Relu6,
        Activation::LeakyRelu(0.1),
        Activation::LeakyRelu(-0.2),
        Activation::Elu(0.7),
        Activation::Selu,
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::HardTanh(-0.6, 0.9),
        Activation::Silu,
        Activation::Mish,
        Activation::HardSwish,
        Activation::Sigmoid,
        Activation::Tanh,
        Activation::ScaledTanh,
        Activation::Softplus,
    ];
    // Rectifiers more often than the rest: they are fused in several ways.
    let which = if rng.gen_bool(0.4) { 0 } else { rng.gen_range(0..activations.len()) };
    // These are drawn apart, so that the networks of a random seed stay what they were before there were such layers.
    let swapped = rng.clone().gen_bool(0.3);
    let activation = match activations[which] {
        Activation::Sigmoid | Activation::Tanh if swapped => Op::Activation(Activation::HardSigmoid),
        other => Op::Activation(other),
    };
    let per_channel = rng.gen_bool(0.5);
    let by_channel = [
        Op::BatchNorm { eps: 1e-5, momentum: 0.1 },
        if swapped { Op::ChannelScale } else { Op::Prelu { per_channel } },
        Op::Softmax,
        Op::LogSoftmax,
        Op::Dropout { p: 0.3, channels: rng.gen_bool(0.5) },
    ];
    let NodeShape::Map([c, h, w]) = shape else {
        return match rng.gen_range(0..5) {
            4 => same(Op::GroupNorm { groups: Groups::One, eps: 1e-2, affine: Affine::Channel }),
            0 | 1 => (Op::Linear { bias: rng.gen_bool(0.7) }, NodeShape::Vector(rng.gen_range(1..40))),
            2 => same(activation),
            _ => same(by_channel[rng.gen_range(0..by_channel.len())]),
        };
    };
    let kinds =
        [PoolKind::Max, PoolKind::Min, PoolKind::Avg(AvgDivisor::WithPad), PoolKind::Avg(AvgDivisor::WithoutPad)];
    match rng.gen_range(0..19) {
        16.. => modern(rng, [c, h, w]),
        12 => transposed(rng, [c, h, w]),
        13 => pixels(rng, [c, h, w]),
        14 => {
            let groups: Vec<usize> = (1..=c).filter(|groups| c.is_multiple_of(*groups)).collect();
            let groups = groups[rng.gen_range(0..groups.len())];
            let affine = [Affine::None, Affine::Channel, Affine::Element][rng.gen_range(0..3)];
            same(Op::GroupNorm {
                groups: if groups == c { Groups::Each } else { Groups::Count(groups) },
                eps: 1e-2,
                affine,
            })
        }
        15 => same(Op::Identity),
        0..=3 => convolution(rng, [c, h, w], tables),
        4 | 5 => same(activation),
        6 => same(by_channel[rng.gen_range(0..by_channel.len())]),
        7 => same(Op::Lrn { size: rng.gen_range(1..6), alpha: 0.5, beta: 0.75, k: 1.5 }),
        8 => {
            let kernel = [rng.gen_range(1..=h.min(4)), rng.gen_range(1..=w.min(4))];
            let stride = [rng.gen_range(1..4), rng.gen_range(1..4)];
            let pad = [rng.gen_range(0..=kernel[0] / 2), rng.gen_range(0..=kernel[1] / 2)];
            let ceil = rng.gen_bool(0.4);
            let out = |i: usize, input: usize| {
                let floor = extent(input, kernel[i], stride[i], 1, 2 * pad[i]);
                let free = input + 2 * pad[i] - kernel[i];
                let more = ceil && !free.is_multiple_of(stride[i]) && floor * stride[i] < input + pad[i];
                floor + usize::from(more)
            };
            let kind = kinds[rng.gen_range(0..kinds.len())];
            (Op::Pool(pool(kind, kernel, stride, pad)), NodeShape::Map([c, out(0, h), out(1, w)]))
        }
        9 => (Op::AdaptiveAvgPool, NodeShape::Map([c, rng.gen_range(1..=h + 1), rng.gen_range(1..=w + 1)])),
        10 if h > 1 && w > 1 => (Op::Subsample { size: 2 }, NodeShape::Map([c, h / 2, w / 2])),
        10 => (Op::GlobalPool(kinds[rng.gen_range(0..3)]), NodeShape::Vector(c)),
        _ => {
            let sizes: Vec<usize> = (1..=c).filter(|size| c % size == 0).collect();
            let size = sizes[rng.gen_range(0..sizes.len())];
            (Op::ChannelPool { kind: kinds[rng.gen_range(0..3)], size }, NodeShape::Map([c / size, h, w]))
        }
    }
}

fn transposed(rng: &mut StdRng, [c, h, w]: [usize; 3]) -> (Op, NodeShape) {
    let groups: Vec<usize> = (1..=c).filter(|groups| c.is_multiple_of(*groups)).collect();
    let groups = groups[rng.gen_range(0..groups.len())];
    let mut pair = |most: usize| -> [usize; 2] { [rng.gen_range(1..=most), rng.gen_range(1..=most)] };
    let (kernel, stride, dilation, pads) = (pair(4), pair(3), pair(2), pair(3));
    let out = groups * rng.gen_range(1..6);
    let extent = |i: usize, input: usize, pad: usize, more: usize| {
        let reach = (input - 1) * stride[i] + dilation[i] * (kernel[i] - 1) + 1 + more;
        reach.checked_sub(2 * pad).filter(|n| *n > 0)
    };
    let (mut sizes, mut pad) = ([0; 2], [0; 2]);
    for (i, input) in [h, w].into_iter().enumerate() {
        let more = rng.gen_range(0..stride[i].max(dilation[i]));
        pad[i] = pads[i] - 1;
        sizes[i] = extent(i, input, pad[i], more).unwrap_or_else(|| {
            pad[i] = 0;
            extent(i, input, 0, more).unwrap()
        });
    }
    let pad = Pad { top: pad[0], bottom: pad[0], left: pad[1], right: pad[1] };
    let numbers =
        ConvTranspose { kernel, stride, pad, dilation, groups: Groups::Count(groups), bias: rng.gen_bool(0.7) };
    (Op::ConvTranspose(numbers), NodeShape::Map([out, sizes[0], sizes[1]]))
}

/// What networks of the last ten years brought.
fn modern(rng: &mut StdRng, [c, h, w]: [usize; 3]) -> (Op, NodeShape) {
    let same = NodeShape::Map([c, h, w]);
    match rng.gen_range(0..10) {
        0 => (Op::PixelNorm { eps: 1e-2, affine: rng.gen_bool(0.6) }, same),
        1 | 2 => {
            let out = rng.gen_range(1..40);
            (Op::PixelLinear { bias: rng.gen_bool(0.6) }, NodeShape::Map([out, h, w]))
        }
        3 => {
            let before = rng.gen_range(0..c);
            (Op::ChannelCrop { before }, NodeShape::Map([rng.gen_range(1..=c - before), h, w]))
        }
        4 => {
            let factors: Vec<usize> = (1..4).filter(|n| h.is_multiple_of(*n) && w.is_multiple_of(*n)).collect();
            let factor = factors[rng.gen_range(0..factors.len())];
            (Op::PixelUnshuffle { factor }, NodeShape::Map([c * factor * factor, h / factor, w / factor]))
        }
        5 | 6 => {
            let nearest = rng.gen_bool(0.3);
            let antialias = !nearest && rng.gen_bool(0.6);
            let shape = NodeShape::Map([c, rng.gen_range(1..14), rng.gen_range(1..14)]);
            (Op::Resample(Resample::Resize { nearest, antialias }), shape)
        }
        7 => (Op::StochasticDepth { p: 0.4 }, same),
        8 => {
            let mut side = |size: usize| rng.gen_range(0..=size.min(4));
            let pad = Pad { top: side(h), bottom: side(h), left: side(w), right: side(w) };
            let shape = NodeShape::Map([c, h + pad.top + pad.bottom, w + pad.left + pad.right]);
            (Op::Resample(Resample::Pad { pad, fill: Fill::Circular }), shape)
        }
        _ => windows(rng, [c, h, w]),
    }
}

/// A pool with gaps between the pixels of a window, or with other padding at each side.
fn windows(rng: &mut StdRng, [c, h, w]: [usize; 3]) -> (Op, NodeShape) {
    let kind = if rng.gen_bool(0.6) { PoolKind::Max } else { PoolKind::Avg(AvgDivisor::WithoutPad) };
    let dilates = kind == PoolKind::Max;
    let mut pool = pool(kind, [1, 1], [rng.gen_range(1..4), rng.gen_range(1..4)], [0, 0]);
    let (mut sizes, mut pads) = ([h, w], [[0; 2]; 2]);
    for (i, size) in sizes.iter_mut().enumerate() {
        let dilation = if dilates { rng.gen_range(1..=3.min(*size)) } else { 1 };
        let kernel = rng.gen_range(1..=((*size - 1) / dilation + 1).min(4));
        let reach = dilation * (kernel - 1) + 1;
        pads[i] = [rng.gen_range(0..=reach / 2), rng.gen_range(0..=reach / 2)];
        *size = extent(*size, kernel, pool.stride[i], dilation, pads[i][0] + pads[i][1]);
        (pool.kernel[i], pool.dilation[i]) = (kernel, dilation);
    }
    let [[top, bottom], [left, right]] = pads;
    pool.pad = Pad { top, bottom, left, right };
    (Op::Pool(pool), NodeShape::Map([c, sizes[0], sizes[1]]))
}

/// A layer that moves pixels.
fn pixels(rng: &mut StdRng, [c, h, w]: [usize; 3]) -> (Op, NodeShape) {
    match rng.gen_range(0..6) {
        4 => {
            let before = rng.gen_range(0..9);
            (Op::ChannelPad { before }, NodeShape::Map([c + before + rng.gen_range(0..9), h, w]))
        }
        0 => {
            let how = if rng.gen_bool(0.5) { Resample::Nearest } else { Resample::Bilinear };
            (Op::Resample(how), NodeShape::Map([c, h * rng.gen_range(1..4), w * rng.gen_range(1..4)]))
        }
        1 => {
            let fill = [Fill::Constant(0.0), Fill::Constant(0.7), Fill::Reflect, Fill::Replicate][rng.gen_range(0..4)];
            let mut side = |size: usize| rng.gen_range(0..size.min(4));
            let pad = Pad { top: side(h), bottom: side(h), left: side(w), right: side(w) };
            let shape = NodeShape::Map([c, h + pad.top + pad.bottom, w + pad.left + pad.right]);
            (Op::Resample(Resample::Pad { pad, fill }), shape)
        }
        2 => {
            let (top, left) = (rng.gen_range(0..h), rng.gen_range(0..w));
            let shape = NodeShape::Map([c, rng.gen_range(1..=h - top), rng.gen_range(1..=w - left)]);
            (Op::Resample(Resample::Crop { top, left }), shape)
        }
        3 => {
            let groups: Vec<usize> = (1..=c).filter(|groups| c.is_multiple_of(*groups)).collect();
            (Op::ChannelShuffle { groups: groups[rng.gen_range(0..groups.len())] }, NodeShape::Map([c, h, w]))
        }
        _ => {
            let factor = if c.is_multiple_of(4) { 2 } else { 1 };
            (Op::PixelShuffle { factor }, NodeShape::Map([c / (factor * factor), h * factor, w * factor]))
        }
    }
}

fn convolution(rng: &mut StdRng, [c, h, w]: [usize; 3], tables: &mut Vec<Connections>) -> (Op, NodeShape) {
    let dilation = [rng.gen_range(1..3), rng.gen_range(1..3)];
    let pads: [usize; 4] = std::array::from_fn(|_| rng.gen_range(0..3));
    let pad = Pad { top: pads[0], bottom: pads[1], left: pads[2], right: pads[3] };
    let (tall, wide) = (h + pad.top + pad.bottom, w + pad.left + pad.right);
    // Sometimes the whole map, as a linear layer is.
    let whole = rng.gen_bool(0.15);
    let dilation = if whole { [1, 1] } else { dilation };
    let largest = |i: usize, input: usize| (input - 1) / dilation[i] + 1;
    let kernel = match whole {
        true => [tall, wide],
        false => [rng.gen_range(1..=largest(0, tall).min(5)), rng.gen_range(1..=largest(1, wide).min(5))],
    };
    let stride = [rng.gen_range(1..4), rng.gen_range(1..4)];
    let mut out = rng.gen_range(1..40);
    let mut numbers = Conv { stride, pad, dilation, bias: rng.gen_bool(0.7), ..conv(kernel) };
    match rng.gen_range(0..4) {
        0 => {
            let groups: Vec<usize> = (1..=c).filter(|groups| c % groups == 0).collect();
            let count = groups[rng.gen_range(0..groups.len())];
            numbers.groups = Groups::Count(count);
            out = count * rng.gen_range(1..6);
            // Depthwise, which has kernels of its own.
            if rng.gen_bool(0.5) {
                (numbers.groups, out) = (Groups::Each, c);
            }
        }
        1 => {
            let rows = (0..out).map(|_| {
                let mut row: Vec<usize> = (0..c).filter(|_| rng.gen_bool(0.4)).collect();
                if row.is_empty() {
                    row.push(rng.gen_range(0..c));
                }
                row
            });
            tables.push(table(rows.collect()));
            numbers.connections = Some(tables.len() - 1);
        }
        _ => {}
    }
    let out_h = extent(h, kernel[0], stride[0], dilation[0], pad.top + pad.bottom);
    let out_w = extent(w, kernel[1], stride[1], dilation[1], pad.left + pad.right);
    (Op::Conv(numbers), NodeShape::Map([out, out_h, out_w]))
}

type Nodes = Vec<(Op, NodeShape, Vec<usize>)>;

/// [`random_graph`] of a seed; every fifth one with one or two further outputs.
#[allow(dead_code)] // Not every test that includes this file asks for outputs.
pub fn of_seed(seed: u64) -> Graph {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut graph = random_graph(&mut rng);
    if seed % 5 == 4 {
        let mut nodes: Vec<usize> = (1..graph.nodes.len()).filter(|id| *id != graph.output()).collect();
        for number in 0..nodes.len().min(rng.gen_range(1..3)) {
            let node = nodes.swap_remove(rng.gen_range(0..nodes.len()));
            graph.outputs.to_mut().push(Output { name: format!("side{number}").into(), node });
        }
    }
    graph
}

pub fn random_graph(rng: &mut StdRng) -> Graph {
    let mut shape = match rng.gen_bool(0.9) {
        true => NodeShape::Map([rng.gen_range(1..20), rng.gen_range(1..10), rng.gen_range(1..10)]),
        false => NodeShape::Vector(rng.gen_range(1..40)),
    };
    let input = shape;
    let (mut nodes, mut tables): (Nodes, _) = (Vec::new(), Vec::new());
    for _ in 0..rng.gen_range(1..6) {
        if let (NodeShape::Map([c, ..]), true) = (shape, rng.gen_bool(0.08)) {
            // Squeeze and excitation, whose factors come from the map itself; or a factor for each element.
            let (at, one) = (nodes.len(), NodeShape::Map([c, 1, 1]));
            if rng.clone().gen_bool(0.4) {
                nodes.push((Op::Conv(conv([1, 1])), shape, vec![at]));
                nodes.push((
                    Op::Scale,
                    shape,
                    if rng.clone().gen_bool(0.5) { vec![at, at + 1] } else { vec![at + 1, at] },
                ));
                continue;
            }
            nodes.push((Op::AdaptiveAvgPool, one, vec![at]));
            nodes.push((Op::Conv(conv([1, 1])), one, vec![at + 1]));
            nodes.push((Op::Scale, shape, vec![at, at + 2]));
            continue;
        }
        if let (NodeShape::Map([c, ..]), true) = (shape, rng.gen_bool(0.06)) {
            // A split, one part of which passes by.
            if c.is_multiple_of(2) {
                split(shape, &mut nodes);
                continue;
            }
        }
        if rng.gen_bool(0.25) {
            shape = merge(rng, shape, &mut nodes);
            continue;
        }
        let (op, next) = match shape {
            NodeShape::Map(_) if rng.gen_bool(0.1) => (Op::Flatten, NodeShape::Vector(shape.len())),
            _ => operation(rng, shape, &mut tables),
        };
        nodes.push((op, next, vec![nodes.len()]));
        shape = next;
    }
    network(input, &nodes, tables)
}

/// Two branches that share the channels out: one is as it was, the other is convolved.
fn split(shape: NodeShape, nodes: &mut Nodes) {
    let ([c, h, w], start) = (shape.chw(), nodes.len());
    let half = NodeShape::Map([c / 2, h, w]);
    nodes.push((Op::ChannelCrop { before: 0 }, half, vec![start]));
    nodes.push((Op::ChannelCrop { before: c / 2 }, half, vec![start]));
    nodes.push((Op::Conv(conv([1, 1])), half, vec![start + 2]));
    nodes.push((Op::Activation(Activation::Relu), half, vec![start + 3]));
    nodes.push((Op::Concat, shape, vec![start + 1, start + 4]));
}

/// Two or three branches from the current value that are added or joined; one of them may be the value itself.
fn merge(rng: &mut StdRng, shape: NodeShape, nodes: &mut Nodes) -> NodeShape {
    let start = nodes.len();
    let adds = rng.gen_bool(0.5);
    let mut ends = Vec::new();
    let mut channels = 0;
    for branch in 0..rng.gen_range(2..4) {
        if adds && branch == 2 {
            break;
        }
        let mut at = start;
        let mut out = shape;
        for _ in 0..rng.gen_range(0..3) {
            let (op, next) = match (out, rng.gen_bool(0.5)) {
                (NodeShape::Map([c, h, w]), true) => {
                    let wide = if adds { c } else { rng.gen_range(1..12) };
                    let pad = Pad { top: 1, bottom: 1, left: 1, right: 1 };
                    (Op::Conv(Conv { pad, ..conv([3, 3]) }), NodeShape::Map([wide, h, w]))
                }
                (NodeShape::Vector(n), true) => {
                    let wide = if adds { n } else { rng.gen_range(1..12) };
                    (Op::Linear { bias: true }, NodeShape::Vector(wide))
                }
                _ if rng.gen_bool(0.4) => (Op::BatchNorm { eps: 1e-5, momentum: 0.1 }, out),
                _ => (Op::Activation(if rng.gen_bool(0.6) { Activation::Relu } else { Activation::Gelu }), out),
            };
            nodes.push((op, next, vec![at]));
            (at, out) = (nodes.len(), next);
        }
        channels += out.chw()[0];
        ends.push(at);
    }
    let out = match (adds, shape) {
        (true, _) => shape,
        (false, NodeShape::Map([_, h, w])) => NodeShape::Map([channels, h, w]),
        (false, NodeShape::Vector(_)) => NodeShape::Vector(channels),
    };
    nodes.push((if adds { Op::Add } else { Op::Concat }, out, ends));
    out
}

/// A network most of whose nodes only move channels: any of them may be read more than once, by those of its kind and by others.
#[allow(dead_code)] // Not every test that includes this file asks for them.
pub fn moved_channels(rng: &mut StdRng) -> Graph {
    let (h, w) = (rng.gen_range(1..18), rng.gen_range(1..6));
    let map = |channels: usize| NodeShape::Map([channels, h, w]);
    // The input and the nodes, with how many channels they have; who is read by nobody is joined at the end.
    let (mut widths, mut unread): (Vec<usize>, Vec<usize>) = (vec![rng.gen_range(1..70)], vec![0]);
    let mut nodes: Nodes = Vec::new();
    for _ in 0..rng.gen_range(3..14) {
        let from = if rng.gen_bool(0.6) { widths.len() - 1 } else { rng.gen_range(0..widths.len()) };
        let channels = widths[from];
        let (op, out, inputs) = match rng.gen_range(0..8) {
            0 | 1 => {
                let before = rng.gen_range(0..channels);
                (Op::ChannelCrop { before }, rng.gen_range(1..=channels - before), vec![from])
            }
            2 | 3 => {
                let other = rng.gen_range(0..widths.len());
                let inputs = if rng.gen_bool(0.5) { vec![from, other] } else { vec![other, from, from] };
                (Op::Concat, inputs.iter().map(|input| widths[*input]).sum(), inputs)
            }
            4 | 5 => {
                let groups: Vec<usize> = (1..=channels).filter(|groups| channels.is_multiple_of(*groups)).collect();
                (Op::ChannelShuffle { groups: groups[rng.gen_range(0..groups.len())] }, channels, vec![from])
            }
            6 => (Op::Activation(Activation::Relu), channels, vec![from]),
            _ => (Op::Conv(conv([1, 1])), rng.gen_range(1..6) * rng.gen_range(1..9), vec![from]),
        };
        if out > 200 {
            continue;
        }
        unread.retain(|id| !inputs.contains(id));
        unread.push(widths.len());
        widths.push(out);
        nodes.push((op, map(out), inputs));
    }
    let all = unread.iter().map(|id| widths[*id]).sum();
    nodes.push((Op::Concat, map(all), unread));
    network(map(widths[0]), &nodes, Vec::new())
}
