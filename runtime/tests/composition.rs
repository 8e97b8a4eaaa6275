//! Heads, custom modules and taps: networks in more than one piece compute what they would in one.
#![deny(warnings)]

use convnet::graph::Subgraph;
use convnet::net::{AnyNetwork, Job, State, named_tensors, params, set_named_tensors};
use convnet::prelude::*;
use convnet::train::loss;

cnn! {
    #[allow(bias_before_norm)]
    struct Middle: [6, 8, 8] -> [5, 8, 8] {
        conv(5, kernel = 3, pad = 1); bn: batch_norm; tanh;
    }

    /// The pieces by themselves, with a module of dfdx's in between.
    struct Pieces: [2, 8, 8] -> [3] {
        first: conv(6, kernel = 3, pad = 1);
        dropout(0.4);
        around: concat {
            left: { custom middle: Middle<E, D> -> [5, 8, 8]; custom act: convnet::dfdx::nn::modules::Sigmoid -> [5, 8, 8]; }
            right: { conv(2, kernel = 1); }
        }
        residual { conv(7, kernel = 3, pad = 1); }
        global_avg_pool;
        last: linear(3);
    }

    /// The same in one piece.
    #[allow(bias_before_norm, stacked_activations)]
    struct Whole: [2, 8, 8] -> [3] {
        first: conv(6, kernel = 3, pad = 1);
        dropout(0.4);
        around: concat {
            left: { middle: { conv(5, kernel = 3, pad = 1); bn: batch_norm; tanh; } sigmoid; }
            right: { conv(2, kernel = 1); }
        }
        residual { conv(7, kernel = 3, pad = 1); }
        global_avg_pool;
        last: linear(3);
    }

    struct Headed: [2, 8, 8] -> [3] {
        conv1: conv(4, kernel = 3); relu;
        head side: [3] { global_avg_pool; fc: linear(3); }
        head map: [2, 6, 6] = conv(2, kernel = 1);
        conv2: conv(5, kernel = 3); relu;
        flatten;
        fc: linear(3);
    }
}

/// Two networks whose tensors are in the same order get the same values.
fn same_weights(from: &dyn AnyNetwork<f32, Cpu>, to: &mut dyn AnyNetwork<f32, Cpu>) {
    let (values, names) = (named_tensors(from).unwrap(), named_tensors(to).unwrap());
    assert_eq!(values.len(), names.len());
    let pairs = values.into_iter().zip(names).map(|(value, name)| {
        assert_eq!(value.shape, name.shape, "{} and {}", value.name, name.name);
        (name.name, value.values)
    });
    set_named_tensors(to, &pairs.collect::<Vec<_>>());
}

fn close(what: &str, a: &[f32], b: &[f32]) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() <= 1e-5 * b.abs().max(1.0), "{what}: {a} and {b}");
    }
}

#[test]
fn custom_modules_change_nothing() {
    let dev = Cpu::seed_from_u64(1);
    let mut pieces = dev.build_module::<Pieces, f32>();
    let mut whole = dev.build_module::<Whole, f32>();
    same_weights(&pieces, &mut whole);
    assert_eq!(pieces.around.left.middle.bn.weight.shape(), whole.around.left.middle.bn.weight.shape());
    let x = dev.sample_normal::<Rank4<3, 2, 8, 8>>();
    close("evaluation", &pieces.forward(x.clone()).as_vec(), &whole.forward(x.clone()).as_vec());

    // Dropout draws from the device, so both get the same start.
    let dev = Cpu::seed_from_u64(5);
    let x1 = dev.sample_normal::<Rank4<3, 2, 8, 8>>();
    let y = pieces.forward_mut(x1.leaky_trace());
    let (y_value, grads) = (y.as_vec(), y.square().sum::<Rank0, _>().backward());
    let dev = Cpu::seed_from_u64(5);
    let x2 = dev.sample_normal::<Rank4<3, 2, 8, 8>>();
    let z = whole.forward_mut(x2.leaky_trace());
    let (z_value, whole_grads) = (z.as_vec(), z.square().sum::<Rank0, _>().backward());
    close("training", &y_value, &z_value);
    close("gradient", &grads.get(&pieces.first.weight).as_vec(), &whole_grads.get(&whole.first.weight).as_vec());
    close(
        "gradient in the custom module",
        &grads.get(&pieces.around.left.middle._0.weight).as_vec(),
        &whole_grads.get(&whole.around.left.middle._0.weight).as_vec(),
    );
    let (a, b) = (&pieces.around.left.middle.bn.running_mean, &whole.around.left.middle.bn.running_mean);
    close("running mean", &a.as_vec(), &b.as_vec());
    assert!(a.as_vec().iter().any(|x| *x != 0.0));
}

#[test]
fn heads_are_there_in_training_only() {
    let dev = Cpu::seed_from_u64(2);
    let mut net = dev.build_module::<Headed, f32>();
    let x = dev.sample_normal::<Rank4<2, 2, 8, 8>>();
    let main: Tensor<Rank2<2, 3>, f32, Cpu> = net.forward(x.clone());
    let (trained, side, map) = net.forward_mut(x.leaky_trace());
    let map_shape: &Rank4<2, 2, 6, 6> = map.shape();
    assert_eq!(map_shape.concrete(), [2, 2, 6, 6]);
    close("the main output", &trained.as_vec(), &main.as_vec());
    // The main output carries the tape, and what is computed from it and from heads comes together.
    let total = trained.square().sum::<Rank0, _>() + side.square().sum::<Rank0, _>() * 0.3;
    let grads = total.backward();
    assert!(grads.get(&net.side.fc.weight).as_vec().iter().any(|g| *g != 0.0));
    assert!(grads.get(&net.map.weight).as_vec().iter().all(|g| *g == 0.0));

    // By hand: what reaches conv1 is the sum of the two ways.
    let alone = |weights: [f32; 2]| {
        let (x, tape) = x_of(&dev).leaky_trace().split_tape();
        let part = Subgraph::whole(Headed::graph(), true);
        let pass = convnet::net::Pass { training: true, dropout: None, input_grad: false };
        let x = x.reshape_like(&(2, 2, 8, 8));
        let job = Job {
            graph: Headed::graph(),
            part: &part,
            params: params(&net).unwrap(),
            inputs: vec![x],
            pass,
            fixed: &[],
        };
        let outcome = convnet::engine::run(job, &convnet::engine::Cache::default(), Some(tape)).unwrap();
        let mut outputs = convnet::net::Outputs::new(outcome.taped::<OwnedTape<_, _>>());
        let main: Tensor<(usize, usize), _, _, _> = outputs.next((2, 3)).unwrap();
        let side: Tensor<(usize, usize), _, _, _> = outputs.next((2, 3)).unwrap();
        let total = main.square().sum::<Rank0, _>() * weights[0] + side.square().sum::<Rank0, _>() * weights[1];
        total.backward().get(&net.conv1.weight).as_vec()
    };
    fn x_of(dev: &Cpu) -> Tensor<Rank4<2, 2, 8, 8>, f32, Cpu> {
        dev.tensor_from_vec((0..256).map(|i| (i as f32 * 0.7).sin()).collect(), Rank4::<2, 2, 8, 8>::default())
    }
    let (first, second, both) = (alone([1.0, 0.0]), alone([0.0, 0.3]), alone([1.0, 0.3]));
    let sum: Vec<f32> = first.iter().zip(&second).map(|(a, b)| a + b).collect();
    close("conv1", &both, &sum);
    // Counts: heads have parameters but no part in evaluation.
    assert_eq!(Headed::PARAMS, net.num_trainable_params());
    assert_eq!(Headed::MACS, 4 * 2 * 9 * 36 + 5 * 4 * 9 * 16 + 80 * 3);
    assert_eq!(Headed::RECEPTIVE_FIELD, [5, 5]);
}

#[test]
fn the_loss_counts_heads() {
    cnn! {
        struct Small: [4] -> [3] { head a: [3] = linear(3); head b: [3] = linear(3); main: linear(3); }
    }
    let dev = Cpu::seed_from_u64(3);
    let mut net = dev.build_module::<Small, f32>();
    let x: Tensor<(usize, Const<4>), f32, Cpu> = dev.sample_like(&(2, Const), convnet::StandardNormal);
    let targets = dev.tensor_from_vec(vec![1.0, 0.0, 0.0, 0.0, 0.0, 1.0], (2, 3));
    let single = |values: &[f32]| {
        let logits: Tensor<(usize, usize), f32, Cpu> = dev.tensor_from_vec(values.to_vec(), (2, 3));
        cross_entropy_with_logits_loss(logits, targets.clone()).array()
    };
    let (main, a, b) = net.forward_mut(x.clone());
    let want = single(&main.as_vec()) + 0.3 * single(&a.as_vec()) + 0.5 * single(&b.as_vec());
    let outputs = convnet::net::forward_mut(&mut net, x, 2).unwrap();
    let (logits, found) = loss(outputs, targets.clone(), &[0.3, 0.5]).unwrap();
    assert_eq!(logits, main.as_vec());
    close("loss", &[found.array()], &[want]);
}

#[test]
fn taps_are_the_activations_in_between() {
    let dev = Cpu::seed_from_u64(4);
    let net = dev.build_module::<Whole, f32>();
    let taps = Whole::taps();
    let x = dev.sample_normal::<Rank4<2, 2, 8, 8>>();
    let first: Tensor<Rank4<2, 6, 8, 8>, f32, Cpu> = net.forward_to(taps.first, x.clone());
    let right: Tensor<Rank4<2, 2, 8, 8>, f32, Cpu> = net.forward_to(taps.around.right.0, x.clone());
    // A sequence stands for where it ends: the concatenation.
    let around: Tensor<Rank4<2, 7, 8, 8>, f32, Cpu> = net.forward_to(taps.around, x.clone());
    let joined = around.as_vec();
    close("the branch is in the whole", &joined[5 * 64..7 * 64], &right.as_vec()[..2 * 64]);

    let output = net.forward(x.clone());
    close("from the first layer", &net.forward_from(taps.first, first.clone()).as_vec(), &output.as_vec());
    close("from the concatenation", &net.forward_from(taps.around, around.clone()).as_vec(), &output.as_vec());
    close("from a branch", &net.forward_with(taps.around.right.0, right.clone(), x.clone()).as_vec(), &output.as_vec());
    close("from the end", &net.forward_from(taps.last, output.clone()).as_vec(), &output.as_vec());

    // The gradient at a tap, from the trunk and as the branch it is, against finite differences.
    let slope = |activation: &Tensor<Rank4<2, 2, 8, 8>, f32, Cpu>| {
        net.forward_with(taps.around.right.0, activation.clone(), x.clone()).square().sum::<Rank0, _>().array()
    };
    let grads =
        net.forward_with(taps.around.right.0, right.leaky_trace(), x.clone()).square().sum::<Rank0, _>().backward();
    let gradient = grads.get(&right).as_vec();
    for i in [0, 17, 64, 200] {
        let moved = |by: f32| {
            let mut values = right.as_vec();
            values[i] += by;
            dev.tensor_from_vec(values, *right.shape())
        };
        let step = 1e-2;
        let found = (slope(&moved(step)) - slope(&moved(-step))) / (2.0 * step);
        assert!((found - gradient[i]).abs() < 2e-3 * gradient[i].abs().max(0.05), "{found} and {}", gradient[i]);
    }
    // On a tape, an activation carries gradients back to the input.
    let grads = net.forward_to(taps.around, x.leaky_trace()).square().sum::<Rank0, _>().backward();
    assert!(grads.get(&x).as_vec().iter().any(|g| *g != 0.0));
    assert_eq!((taps.first.name(), taps.around.right.0.name()), ("first", "around.right.0"));
}

#[test]
fn taps_reach_into_networks_with_custom_modules() {
    let dev = Cpu::seed_from_u64(6);
    let net = dev.build_module::<Pieces, f64>();
    let x: Tensor<(usize, Const<2>, Const<8>, Const<8>), f64, Cpu> =
        dev.sample_like(&(2, Const, Const, Const), convnet::StandardNormal);
    let taps = Pieces::taps();
    let middle: Tensor<(usize, Const<5>, Const<8>, Const<8>), f64, Cpu> =
        net.forward_to(taps.around.left.middle, x.clone());
    let direct = net.around.left.middle.forward(net.forward_to(taps.first, x.clone()));
    assert_eq!(middle.as_vec(), direct.as_vec());
    let output = net.forward(x.clone()).as_vec();
    assert_eq!(net.forward_with(taps.around.left.middle, middle, x).as_vec(), output);
    let state: &State = AnyNetwork::<f64, Cpu>::state(&net);
    assert_eq!(format!("{state:?}"), "State");
}

#[test]
fn a_custom_network_drops_other_elements_each_time() {
    cnn! {
        struct Inner: [64] -> [64] { dropout(0.5); }
        struct Outer: [64] -> [64] { relu; custom inner: Inner<E, D> -> [64]; }
    }
    let dev = Cpu::seed_from_u64(7);
    let mut net = dev.build_module::<Outer, f32>();
    let x: Tensor<Rank1<64>, f32, Cpu> = dev.ones();
    let first = net.forward_mut(x.clone()).as_vec();
    assert_ne!(first, net.forward_mut(x.clone()).as_vec());
    assert_eq!(net.forward(x).as_vec(), [1.0; 64]);
}

#[test]
fn custom_modules_are_found_where_no_member_has_a_name() {
    use convnet::dfdx::nn::modules::Sigmoid;
    cnn! {
        block squashed(out) { custom act: Sigmoid -> [channels]; linear(out); }
        block outer(out) { squashed(out); squashed(out); }
        struct Nameless: [4] -> [3] { squashed(5); relu; outer(3); }
    }
    let dev = Cpu::seed_from_u64(8);
    let mut net = dev.build_module::<Nameless, f32>();
    let x: Tensor<Rank2<2, 4>, f32, Cpu> = dev.sample_normal();
    let linear = |x: Vec<f32>, weight: Vec<f32>, bias: Vec<f32>| {
        let (inputs, squash) = (weight.len() / bias.len(), |x: &f32| 1.0 / (1.0 + (-x).exp()));
        let dot = |row: &[f32], x: &[f32]| row.iter().zip(x).map(|(w, x)| w * squash(x)).sum::<f32>();
        let image =
            |x: &[f32]| weight.chunks(inputs).zip(&bias).map(|(row, bias)| dot(row, x) + bias).collect::<Vec<_>>();
        x.chunks(inputs).flat_map(image).collect::<Vec<f32>>()
    };
    let mut want = linear(x.as_vec(), net._0._1.weight.as_vec(), net._0._1.bias.as_vec());
    want.iter_mut().for_each(|x| *x = x.max(0.0));
    want = linear(want, net._2.0._1.weight.as_vec(), net._2.0._1.bias.as_vec());
    want = linear(want, net._2.1._1.weight.as_vec(), net._2.1._1.bias.as_vec());
    close("evaluation", &net.forward(x.clone()).as_vec(), &want);
    close("training", &net.forward_mut(x).as_vec(), &want);
}

#[test]
fn a_rectifier_that_is_given_is_not_taken_for_a_convolution_that_pools() {
    cnn! {
        struct Small: [1, 6, 6] -> [3] { conv(2, kernel = 3); act: relu; max_pool(2); flatten; linear(3); }
    }
    let dev = Cpu::seed_from_u64(9);
    let net = dev.build_module::<Small, f32>();
    let x: Tensor<Rank4<1, 1, 6, 6>, f32, Cpu> = dev.sample_normal();
    let act = net.forward_to(Small::taps().act, x.clone());
    close("from a rectifier", &net.forward_from(Small::taps().act, act).as_vec(), &net.forward(x).as_vec());
}
