//! A typed network that is trained by code which does not know its type: its own tensors change, in place and without a copy.

#[path = "common/stripes.rs"]
mod stripes;

use convnet::data::Split;
use convnet::engine;
use convnet::objective::{Options, choose};
use convnet::optim::{Method, ParamOptions, Step};
use convnet::prelude::*;
use convnet::train::{Config, Goal, Hyperparameters, Learner, NetworkLearner, Trainer};
use stripes::stripes;

cnn! {
    /// Almost all of its 270 thousand parameters are in one matrix.
    #[allow(bias_before_norm)]
    struct Net: [1, 8, 8] -> [3] { conv: conv(4, kernel = 3, pad = 1); norm: batch_norm; relu; flatten; wide: linear(1024); fc: linear(3); }
}

const BATCH: usize = 6;

fn rules() -> Hyperparameters {
    Hyperparameters {
        method: Method::Sgd { momentum: 0.9, nesterov: false },
        params: vec![ParamOptions::default(); Net::graph().params.len()],
        ema: None,
        head_weights: Vec::new(),
        front_batch: BATCH,
    }
}

/// Pixels and targets of a batch.
fn batch() -> (Vec<f32>, Vec<f32>) {
    let pixels = (0..BATCH * 64).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect();
    (pixels, (0..BATCH * 3).map(|i| f32::from(i % 3 == i / 3 % 3)).collect())
}

#[test]
fn the_trainer_changes_the_networks_own_fields() {
    let dev = Cpu::seed_from_u64(1);
    let mut net = dev.build_module::<Net, f32>();
    let before = net.clone();
    let config = Config { epochs: 1, batch: 10, ..Config::default() };
    let data = Split { train: stripes(60), test: stripes(9) }.shared();
    Trainer::new(&mut net, &dev).config(config).train(&data).unwrap();
    for (now, then) in [
        (net.conv.weight.as_vec(), before.conv.weight.as_vec()),
        (net.norm.weight.as_vec(), before.norm.weight.as_vec()),
        (net.norm.running_mean.as_vec(), before.norm.running_mean.as_vec()),
        (net.wide.weight.as_vec(), before.wide.weight.as_vec()),
        (net.fc.bias.as_vec(), before.fc.bias.as_vec()),
    ] {
        assert!(now.iter().zip(&then).any(|(now, then)| now != then));
        assert!(now.iter().all(|x| x.is_finite()));
    }
}

/// The largest number of bytes that a step allocates beyond what is there.
fn peak(learner: &mut dyn Learner) -> u64 {
    let (pixels, targets) = batch();
    let objective = choose(&Options::default(), &stripes(9), learner.graph()).unwrap();
    let goal = Goal { objective: &*objective, targets: &targets, total: BATCH as f64, images: BATCH };
    let info = allocation_counter::measure(|| {
        learner.pass(pixels.clone(), goal, 3).unwrap();
        learner.update(&Step::new(0.01)).unwrap();
    });
    info.bytes_max
}

#[test]
fn a_step_copies_no_parameter() {
    engine::set_threads(1).unwrap();
    let dev = Cpu::seed_from_u64(1);
    let mut net = dev.build_module::<Net, f32>();
    let matrix = (net.wide.weight.as_vec().len() * size_of::<f32>()) as u64;
    let kept = net.wide.weight.clone();
    let mut learner = NetworkLearner::new(&mut net, dev);
    learner.begin(rules()).unwrap();
    // What a pass keeps for the next one is made now; and the matrix, which is shared, becomes the network's own.
    let first = peak(&mut *learner);
    assert!(first > matrix, "a copy is not seen: {first} bytes");
    let second = peak(&mut *learner);
    assert!(second < matrix / 2, "{second} bytes, and the matrix has {matrix}");
    drop(kept);
}
