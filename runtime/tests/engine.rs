//! The engine against `portable` in double precision, on random chains of every operation with random shapes and options.
//!
//! The two share no code but the graph, and `portable` is itself checked by finite differences and against PyTorch.

mod common;

use common::{chain, conv, differentiate, extent, network, pool, portable, random, table};
use convnet::dfdx::prelude::*;
use convnet::engine;
use convnet::graph::{
    Activation, Affine, AvgDivisor, Connections, Conv, ConvTranspose, Fill, Graph, Groups, Op, Pad, PoolKind, Resample,
    Shape as NodeShape, Subgraph,
};
use convnet::net::{Job, Map, Pass};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
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
    match rng.gen_range(0..16) {
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

fn random_graph(rng: &mut StdRng) -> Graph {
    let mut shape = match rng.gen_bool(0.9) {
        true => NodeShape::Map([rng.gen_range(1..20), rng.gen_range(1..10), rng.gen_range(1..10)]),
        false => NodeShape::Vector(rng.gen_range(1..40)),
    };
    let input = shape;
    let (mut nodes, mut tables): (Nodes, _) = (Vec::new(), Vec::new());
    for _ in 0..rng.gen_range(1..6) {
        if let (NodeShape::Map([c, ..]), true) = (shape, rng.gen_bool(0.08)) {
            // Squeeze and excitation, whose factors come from the map itself.
            let (at, one) = (nodes.len(), NodeShape::Map([c, 1, 1]));
            nodes.push((Op::AdaptiveAvgPool, one, vec![at]));
            nodes.push((Op::Conv(conv([1, 1])), one, vec![at + 1]));
            nodes.push((Op::Scale, shape, vec![at, at + 2]));
            continue;
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

fn by_engine(graph: &Graph, params: &[Map<f32, Cpu>], x: &Map<f32, Cpu>, pass: Pass) -> common::Result {
    by_kernels(engine::Isa::detect(), graph, params, x, pass)
}

fn by_kernels(
    isa: engine::Isa,
    graph: &Graph,
    params: &[Map<f32, Cpu>],
    x: &Map<f32, Cpu>,
    pass: Pass,
) -> common::Result {
    let cache = engine::Cache::default();
    let run = || differentiate(graph, params, x, pass, |job, tape| engine::run_with(isa, job, &cache, tape));
    let first = run();
    // The second run reuses the arena; nothing of the first may shine through.
    assert_eq!(first, run(), "a second run on the same memory differs");
    first
}

/// The largest difference relative to the largest value.
fn error(found: &[f64], want: &[f64]) -> f64 {
    error_among(found, want, 1.0)
}

/// [`error`], where values of the size `among` occur elsewhere in the same computation.
fn error_among(found: &[f64], want: &[f64], among: f64) -> f64 {
    assert_eq!(found.len(), want.len());
    // Gradients that cancel to zero keep the rounding of their terms, which are of the order of one.
    let scale = want.iter().fold(2e-2 * among.max(1.0), |max, x| max.max(x.abs()));
    found.iter().zip(want).map(|(a, b)| (a - b).abs() / scale).fold(0.0, f64::max)
}

fn to_double(t: &Map<f32, Cpu>) -> Map<f64, Cpu> {
    let values = t.as_vec().into_iter().map(f64::from).collect();
    t.device().tensor_from_vec(values, *t.shape())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, rng_seed: RngSeed::Fixed(1998), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn engine_agrees_with_portable(seed in any::<u64>()) {
        let mut rng = StdRng::seed_from_u64(seed);
        let graph = &random_graph(&mut rng);
        let batch = rng.gen_range(1..20);
        let (params, x) = random::<f32>(graph, batch, seed);
        let (wide, wide_x): (Vec<_>, _) = (params.iter().map(to_double).collect(), to_double(&x));
        let training = rng.gen_bool(0.6);
        let dropout = (training && rng.gen_bool(0.8)).then_some(seed ^ 5);
        let pass = Pass { training, dropout, input_grad: true };
        let want = portable(graph, &wide, &wide_x, pass);
        // Batch norm over a handful of elements divides by small numbers.
        let normalises = |op| matches!(op, Op::BatchNorm { .. } | Op::GroupNorm { .. });
        let tolerance = if graph.nodes.iter().any(|node| normalises(node.op)) { 2e-2 } else { 1e-3 };
        let among = want.d_params.iter().chain([&want.d_input]).flatten().fold(0.0_f64, |max, x| max.max(x.abs()));
        for isa in engine::Isa::available() {
            let found = by_kernels(isa, graph, &params, &x, pass);
            let context = || format!("{:#?}\nbatch {batch}, {pass:?}, {isa:?}", graph.nodes);
            let off = error(&found.output, &want.output);
            prop_assert!(off < tolerance, "output off by {off}\n{}", context());
            for (i, (found, want)) in found.d_params.iter().zip(&want.d_params).enumerate() {
                prop_assert!(error_among(found, want, among) < tolerance, "parameter {i}\n{found:?}\n{want:?}\n{}", context());
            }
            prop_assert!(error_among(&found.d_input, &want.d_input, among) < tolerance, "input\n{}", context());
            prop_assert_eq!(found.running.len(), want.running.len());
            for ((i, found), (j, want)) in found.running.iter().zip(&want.running) {
                prop_assert_eq!(i, j);
                prop_assert!(error(found, want) < 1e-4, "running statistics");
            }
        }
    }
}

/// Any value of a network can be asked for, and any can be given: in two pieces, joined at a random node, values and gradients
/// are those of `portable` in the same pieces, and the output is that of the whole.
#[test]
fn networks_in_pieces() {
    let mut rng = StdRng::seed_from_u64(11);
    for seed in 0..200 {
        let graph = &random_graph(&mut rng);
        let (params, x) = random::<f32>(graph, 3, seed);
        let pass = Pass { training: false, dropout: None, input_grad: true };
        let cut = rng.gen_range(0..graph.nodes.len());
        let first = Subgraph {
            inputs: vec![0],
            outputs: if cut == graph.output() { vec![cut] } else { vec![cut, graph.output()] },
        };
        let given = if cut == 0 { vec![0] } else { vec![0, cut] };
        let second = Subgraph { inputs: given, outputs: vec![graph.output()] };
        let double = |tensors: &[Map<f32, Cpu>]| tensors.iter().map(to_double).collect::<Vec<_>>();
        let cache = engine::Cache::default();
        let run = |part: &Subgraph, inputs: Vec<Map<f32, Cpu>>| {
            let tape = x.clone().traced(Gradients::leaky()).split_tape().1;
            let job = Job { graph, part, params: params.clone(), inputs: inputs.clone(), pass };
            let outcome = engine::run(job, &cache, Some(tape)).unwrap().taped::<OwnedTape<_, _>>();
            let wide = double(&inputs);
            let job = Job { graph, part, params: double(&params), inputs: wide.clone(), pass };
            let want = convnet::portable::run(job, None, Some(OwnedTape::default())).unwrap();
            let want = want.taped::<OwnedTape<f64, Cpu>>();
            for (found, want) in outcome.outputs.iter().zip(&want.outputs) {
                assert!(
                    error(&common::numbers(&found.as_vec()), &want.as_vec()) < 1e-3,
                    "cut at {cut}, {:#?}",
                    graph.nodes
                );
            }
            let (values, last) = (outcome.outputs.clone(), outcome.outputs.last().unwrap().clone());
            let mut found = last.put_tape(outcome.tape).square().sum::<Rank0, _>().backward();
            let mut want =
                want.outputs.last().unwrap().clone().put_tape(want.tape).square().sum::<Rank0, _>().backward();
            for (input, wide) in inputs.iter().zip(&wide) {
                found.try_alloc_for(input).unwrap();
                want.try_alloc_for(wide).unwrap();
                let (found, want) = (common::numbers(&found.get(input).as_vec()), want.get(wide).as_vec());
                let among = want.iter().fold(0.0_f64, |max, x| max.max(x.abs()));
                assert!(error_among(&found, &want, among) < 5e-2, "gradient, cut at {cut}, {:#?}", graph.nodes);
            }
            values
        };
        let pieces = run(&first, vec![x.clone()]);
        let (tap, whole) = (pieces[0].clone(), pieces.last().unwrap().as_vec());
        let inputs = if cut == 0 { vec![tap] } else { vec![x.clone(), tap] };
        let joined = common::numbers(&run(&second, inputs)[0].as_vec());
        assert!(error(&joined, &common::numbers(&whole)) < 1e-3, "cut at {cut}, {:#?}", graph.nodes);
    }
}

/// A frozen network gives what evaluation gives: with normalisations folded, sums and activations fused, for batches of any
/// size, whatever has been in its memory before.
#[test]
fn frozen_networks() {
    let mut rng = StdRng::seed_from_u64(13);
    for seed in 0..400 {
        let graph = &random_graph(&mut rng);
        let batch = rng.gen_range(1..5);
        let (params, x) = random::<f32>(graph, 2 * batch + 1, seed);
        let (wide, wide_x): (Vec<_>, _) = (params.iter().map(to_double).collect(), to_double(&x));
        let want = portable(graph, &wide, &wide_x, Pass::EVAL).output;
        for isa in engine::Isa::available() {
            for half in [false, true] {
                let mut session = common::freeze(isa, graph, &params, batch, half);
                // Weights in half precision are rounded to 11 bits.
                let most = if half { 2e-2 } else { 1e-3 };
                for _ in 0..2 {
                    let mut found = vec![f32::NAN; want.len()];
                    session.run(&x.as_vec(), &mut found).unwrap();
                    let error = error(&common::numbers(&found), &want);
                    assert!(error < most, "{error} with {isa:?}, batch {batch}, half {half}, {:#?}", graph.nodes);
                }
            }
        }
    }
}

/// Large linear layers on few images read their weights where they are, in single or half precision.
#[test]
fn large_linear_layers() {
    let (map, vector) = (NodeShape::Map([65, 8, 8]), NodeShape::Vector);
    let linear = Op::Linear { bias: true };
    let relu = (Op::Activation(Activation::Relu), vector(67));
    let flattened = chain(map, &[(Op::Flatten, vector(4160)), (linear, vector(67)), relu]);
    let odd = chain(vector(2051), &[(linear, vector(67)), relu]);
    let narrow = chain(vector(70_001), &[(Op::Linear { bias: false }, vector(3))]);
    for (graph, batch) in [(&flattened, 1), (&flattened, 3), (&odd, 4), (&narrow, 2)] {
        let (params, x) = random::<f32>(graph, batch, 5);
        let (wide, wide_x): (Vec<_>, _) = (params.iter().map(to_double).collect(), to_double(&x));
        let want = portable(graph, &wide, &wide_x, Pass::EVAL).output;
        for isa in engine::Isa::available() {
            for (half, most) in [(false, 1e-5), (true, 1e-2)] {
                let mut session = common::freeze(isa, graph, &params, batch, half);
                let mut found = vec![f32::NAN; want.len()];
                session.run(&x.as_vec(), &mut found).unwrap();
                let found = common::numbers(&found);
                assert!(error(&found, &want) < most, "{isa:?}, batch {batch}, half {half}: {}", error(&found, &want));
                assert!(!half || error(&found, &want) > 1e-5, "half precision does not show");
            }
        }
    }
}

/// One test for all, since the number of threads is the process's: results must not depend on it, bit for bit.
#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let mut rng = StdRng::seed_from_u64(7);
    for seed in 0..30 {
        let graph = &random_graph(&mut rng);
        let (params, x) = random::<f32>(graph, rng.gen_range(1..40), seed);
        let pass = Pass { training: true, dropout: Some(3), input_grad: true };
        engine::set_threads(1).unwrap();
        let want = by_engine(graph, &params, &x, pass);
        for threads in [2, 3, 8] {
            engine::set_threads(threads).unwrap();
            assert_eq!(by_engine(graph, &params, &x, pass), want, "{threads} threads, {:#?}", graph.nodes);
        }
    }
    engine::set_threads(0).unwrap();
}

/// The rectifier's backward pass is done by the max pool behind it, in each form of the pool, unless another layer needs
/// what the pool would skip.
#[test]
fn rectified_max_pools() {
    let map = |c, h, w| NodeShape::Map([c, h, w]);
    let relu = Op::Activation(Activation::Relu);
    let pools = [
        (pool(PoolKind::Max, [2, 2], [2, 2], [0, 0]), map(5, 4, 3)),
        (pool(PoolKind::Max, [3, 2], [3, 2], [0, 0]), map(5, 3, 3)),
        (pool(PoolKind::Max, [3, 3], [2, 2], [1, 1]), map(5, 5, 4)),
        (pool(PoolKind::Max, [2, 3], [1, 1], [0, 1]), map(5, 8, 7)),
    ];
    for (window, shape) in pools {
        for after in [None, Some(relu), Some(Op::Activation(Activation::Tanh)), Some(Op::LogSoftmax)] {
            let mut ops = vec![(Op::Conv(conv([2, 2])), map(5, 9, 7)), (relu, map(5, 9, 7)), (Op::Pool(window), shape)];
            ops.extend(after.map(|op| (op, shape)));
            let graph = &chain(map(2, 10, 8), &ops);
            let (params, x) = random::<f32>(graph, 3, 9);
            let (wide, wide_x): (Vec<_>, _) = (params.iter().map(to_double).collect(), to_double(&x));
            let pass = Pass { training: true, dropout: None, input_grad: true };
            let want = portable(graph, &wide, &wide_x, pass);
            for isa in engine::Isa::available() {
                let found = by_kernels(isa, graph, &params, &x, pass);
                for (found, want) in
                    found.d_params.iter().chain([&found.d_input]).zip(want.d_params.iter().chain([&want.d_input]))
                {
                    assert!(error(found, want) < 1e-4, "{isa:?} {window:?} {after:?}");
                }
            }
        }
    }
}

#[test]
fn an_input_gradient_that_nobody_asked_for_is_not_computed() {
    let graph = &chain(NodeShape::Map([2, 5, 5]), &[(Op::Conv(conv([3, 3])), NodeShape::Map([4, 3, 3]))]);
    let (params, x) = random::<f32>(graph, 3, 1);
    let pass = Pass { training: true, dropout: None, input_grad: false };
    let result = by_engine(graph, &params, &x, pass);
    assert!(result.d_input.iter().all(|d| *d == 0.0));
    let with = by_engine(graph, &params, &x, Pass { input_grad: true, ..pass });
    assert!(with.d_input.iter().any(|d| *d != 0.0));
    assert_eq!(with.d_params, result.d_params);
}

#[test]
fn an_empty_batch_gives_an_empty_output() {
    let graph = &chain(NodeShape::Map([1, 4, 4]), &[(Op::Flatten, NodeShape::Vector(16))]);
    let (params, x) = random::<f32>(graph, 0, 1);
    let pass = Pass { training: false, dropout: None, input_grad: false };
    let part = Subgraph::whole(graph, false);
    let job = Job { graph, part: &part, params, inputs: vec![x], pass };
    let outcome = engine::run(job, &engine::Cache::default(), None).unwrap();
    assert_eq!(*outcome.outputs[0].shape(), (0, 16, 1, 1));
}
