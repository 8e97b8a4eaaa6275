//! The engine against `portable` in double precision, on random chains of every operation with random shapes and options.
//!
//! The two share no code but the graph, and `portable` is itself checked by finite differences and against PyTorch.

mod common;
#[path = "common/random_graph.rs"]
mod random_graph;

use common::{chain, conv, differentiate, pool, portable, random};
use convnet::dfdx::prelude::*;
use convnet::engine;
use convnet::graph::{Activation, Conv, Graph, Op, Pad, PoolKind, Shape as NodeShape, Subgraph};
use convnet::net::{Job, Map, Pass};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use random_graph::{moved_channels, random_graph};

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
            let job = Job { graph, part, params: params.clone(), inputs: inputs.clone(), pass, fixed: &[] };
            let outcome = engine::run(job, &cache, Some(tape)).unwrap().taped::<OwnedTape<_, _>>();
            let wide = double(&inputs);
            let job = Job { graph, part, params: double(&params), inputs: wide.clone(), pass, fixed: &[] };
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

/// Channels that are only moved are collected from where they were written first, forward; and their gradients come back to there.
#[test]
fn channels_that_are_only_moved() {
    let mut rng = StdRng::seed_from_u64(31);
    for seed in 0..300 {
        let graph = &moved_channels(&mut rng);
        let batch = rng.gen_range(1..4);
        let (params, x) = random::<f32>(graph, batch, seed);
        let (wide, wide_x): (Vec<_>, _) = (params.iter().map(to_double).collect(), to_double(&x));
        let pass = Pass { training: true, dropout: None, input_grad: true };
        let want = portable(graph, &wide, &wide_x, pass);
        for isa in engine::Isa::available() {
            let context = || format!("{isa:?}, batch {batch}, {:#?}", graph.nodes);
            let mut frozen = vec![f32::NAN; want.output.len()];
            common::freeze(isa, graph, &params, batch, false).run(&x.as_vec(), &mut frozen).unwrap();
            assert!(error(&common::numbers(&frozen), &want.output) < 1e-5, "frozen: {}", context());
            let found = by_kernels(isa, graph, &params, &x, pass);
            assert!(error(&found.output, &want.output) < 1e-5, "{}", context());
            assert!(error(&found.d_input, &want.d_input) < 1e-4, "input: {}", context());
            for (found, want) in found.d_params.iter().zip(&want.d_params) {
                assert!(error(found, want) < 1e-4, "a parameter: {}", context());
            }
        }
    }
}

/// A gate in front of a convolution of single pixels, which takes its factors into its weights, unless others want the product too.
#[test]
fn gates_in_front_of_convolutions() {
    let mut rng = StdRng::seed_from_u64(37);
    for seed in 0..200 {
        let [channels, out, h, w] = [70, 50, 20, 9].map(|most| rng.gen_range(1..most));
        let map = |channels: usize| NodeShape::Map([channels, h, w]);
        let one = NodeShape::Map([channels, 1, 1]);
        let last = Op::Conv(Conv { stride: [rng.gen_range(1..3); 2], bias: rng.gen_bool(0.5), ..conv([1, 1]) });
        let shape = match last {
            Op::Conv(conv) => NodeShape::Map([out, h.div_ceil(conv.stride[0]), w.div_ceil(conv.stride[1])]),
            _ => unreachable!(),
        };
        let mut nodes = vec![
            (Op::Activation(Activation::Silu), map(channels), vec![0]),
            (Op::AdaptiveAvgPool, one, vec![1]),
            (Op::Conv(conv([1, 1])), one, vec![2]),
            (Op::Activation(Activation::Sigmoid), one, vec![3]),
            (Op::Scale, map(channels), vec![1, 4]),
            (last, shape, vec![5]),
            (Op::BatchNorm { eps: 1e-3, momentum: 0.1 }, shape, vec![6]),
            (Op::Activation(Activation::Relu), shape, vec![7]),
        ];
        match rng.gen_range(0..4) {
            // The factors have a halo, and are read after the product.
            0 => {
                let pad = Pad { top: 1, bottom: 1, left: 1, right: 1 };
                nodes.push((Op::Conv(Conv { pad, ..conv([3, 3]) }), NodeShape::Map([out, 1, 1]), vec![4]));
                nodes.push((Op::Scale, shape, vec![8, 9]));
            }
            // The product is wanted itself.
            1 => {
                nodes.push((Op::Conv(conv([1, 1])), map(3), vec![5]));
                nodes.push((Op::AdaptiveAvgPool, shape_of(3, shape), vec![9]));
                nodes.push((Op::Concat, shape_of(3 + out, shape), vec![8, 10]));
            }
            _ => {}
        }
        let graph = &common::network(map(channels), &nodes, Vec::new());
        let batch = rng.gen_range(1..4);
        let (params, x) = random::<f32>(graph, batch, seed);
        let (wide, wide_x): (Vec<_>, _) = (params.iter().map(to_double).collect(), to_double(&x));
        let want = portable(graph, &wide, &wide_x, Pass::EVAL).output;
        for isa in engine::Isa::available() {
            let mut found = vec![f32::NAN; want.len()];
            common::freeze(isa, graph, &params, batch, false).run(&x.as_vec(), &mut found).unwrap();
            let off = error(&common::numbers(&found), &want);
            assert!(off < 1e-4, "{off} with {isa:?}, batch {batch}, {:#?}", graph.nodes);
        }
    }
}

/// As many channels of a map's size.
fn shape_of(channels: usize, map: NodeShape) -> NodeShape {
    let [_, h, w] = map.chw();
    NodeShape::Map([channels, h, w])
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

/// In a batch of the same size an image has the same values whatever the other images are, and wherever it stands.
#[test]
fn the_values_of_an_image_do_not_depend_on_the_others_in_its_batch() {
    let mut rng = StdRng::seed_from_u64(23);
    for seed in 0..200 {
        let graph = &random_graph(&mut rng);
        let batch = rng.gen_range(2..40);
        let (params, x) = random::<f32>(graph, batch, seed);
        let (part, len, outputs) = (Subgraph::whole(graph, false), graph.input().len(), graph.output_shape().len());
        let pixels = x.as_vec();
        let mut order: Vec<usize> = (0..batch).collect();
        order.shuffle(&mut rng);
        // Those in the second half are others.
        let mut moved: Vec<f32> = order.iter().flat_map(|i| &pixels[i * len..(i + 1) * len]).copied().collect();
        moved[batch.div_ceil(2) * len..].iter_mut().for_each(|pixel| *pixel = 3.0 - *pixel);
        let moved = x.device().tensor_from_vec(moved, *x.shape());
        for isa in engine::Isa::available() {
            let cache = engine::Cache::default();
            let run = |images: &Map<f32, Cpu>| {
                let (params, inputs) = (params.clone(), vec![images.clone()]);
                let job = Job { graph, part: &part, params, inputs, pass: Pass::EVAL, fixed: &[] };
                engine::run_with(isa, job, &cache, None).unwrap().outputs[0].as_vec()
            };
            let (before, after) = (run(&x), run(&moved));
            for (place, image) in order[..batch.div_ceil(2)].iter().enumerate() {
                let [a, b] = [(&before, *image), (&after, place)].map(|(all, i)| &all[i * outputs..(i + 1) * outputs]);
                assert!(a == b, "{isa:?}: image {image} at {place} of {batch}\n{:#?}", graph.nodes);
            }
        }
    }
}

/// What learns beside and behind nodes that do not learns the same by the engine as by `portable`, whose normalisations take running
/// statistics there, too.
#[test]
fn fixed_nodes_do_not_learn() {
    let mut rng = StdRng::seed_from_u64(17);
    for seed in 0..300 {
        let graph = &random_graph(&mut rng);
        let (params, x) = random::<f32>(graph, rng.gen_range(2..9), seed);
        let learns = |id: &usize| graph.nodes[*id].params > 0;
        let front = rng.gen_range(0..=graph.nodes.len());
        let share = *[0.0, 0.5].choose(&mut rng).unwrap();
        let fixed: Vec<usize> =
            (0..graph.nodes.len()).filter(learns).filter(|id| *id < front || rng.gen_bool(share)).collect();
        let pass = Pass { training: true, dropout: Some(seed), input_grad: rng.gen_bool(0.5) };
        let (wide, wide_x): (Vec<_>, _) = (params.iter().map(to_double).collect(), to_double(&x));
        let want = differentiate(graph, &wide, &wide_x, pass, |job, tape| {
            convnet::portable::run(Job { fixed: &fixed, ..job }, None, tape)
        });
        let trained: Vec<usize> = (0..graph.params.len()).filter(|i| graph.params[*i].trainable).collect();
        let is_fixed = |param: usize| fixed.iter().any(|id| graph.nodes[*id].param_ids().contains(&param));
        let among = want.d_params.iter().flatten().fold(0.0_f64, |max, x| max.max(x.abs()));
        for isa in engine::Isa::available() {
            let cache = engine::Cache::default();
            let run = |job: Job<'_, f32, Cpu>, tape| engine::run_with(isa, Job { fixed: &fixed, ..job }, &cache, tape);
            let found = differentiate(graph, &params, &x, pass, run);
            let context = || format!("{:#?}\n{pass:?}, {isa:?}, fixed: {fixed:?}", graph.nodes);
            assert!(error(&found.output, &want.output) < 2e-2, "output\n{}", context());
            for (i, (found, want)) in trained.iter().zip(found.d_params.iter().zip(&want.d_params)) {
                assert!(is_fixed(*i) || error_among(found, want, among) < 2e-2, "parameter {i}\n{}", context());
            }
            let none = || found.d_input.iter().all(|d| *d == 0.0);
            let off = if pass.input_grad { error_among(&found.d_input, &want.d_input, among) } else { 0.0 };
            assert!(off < 2e-2 && (pass.input_grad || none()), "input\n{}", context());
            assert_eq!(found.running.len(), want.running.len(), "{}", context());
            assert!(found.running.iter().all(|(i, _)| !is_fixed(*i)), "{}", context());
        }
    }
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
    let job = Job { graph, part: &part, params, inputs: vec![x], pass, fixed: &[] };
    let outcome = engine::run(job, &engine::Cache::default(), None).unwrap();
    assert_eq!(*outcome.outputs[0].shape(), (0, 16, 1, 1));
}
