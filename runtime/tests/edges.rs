//! Where numbers are at the edge of what they can say: large logits, statistics of one value, weighted means of parts.
#![deny(warnings)]

#[path = "common/stripes.rs"]
mod stripes;

use convnet::data::Split;
use convnet::net::named_tensors;
use convnet::prelude::*;
use convnet::train::{Config, TrainError, Trainer, overfit};
use stripes::stripes;

cnn! {
    #[allow(softmax_before_loss)]
    struct Soft: [5] -> [5] { softmax; }
    #[allow(softmax_before_loss)]
    struct LogSoft: [5] -> [5] { log_softmax; }
    struct Pooled: [1, 8, 8] -> [3] { conv: conv(4, kernel = 3); global_avg_pool; norm: batch_norm; fc: linear(3); }
    struct Plain: [1, 8, 8] -> [3] { conv(4, kernel = 3); relu; flatten; linear(3); }
}

cnn! {
    /// Whatever chooses rows of a matrix.
    struct Choosing: [4, 9, 8] -> [6] {
        conv(6, kernel = 3, pad = 1, stride = 2); relu;
        conv(6, kernel = 3, groups = 2, pad = 1);
        conv(4, kernel = 2, connections = [[0, 1], [2, 5], [3], [4]]);
        conv_transpose(4, kernel = 3, groups = 2, stride = 2);
        max_pool(2, stride = 1, pad = 1); avg_pool(2); upsample(3, bilinear); pad(1, reflect);
        lrn(3); squeeze_excite(2); channel_shuffle(2); channel_max_pool(2); adaptive_avg_pool(2);
        flatten; linear(6);
    }
}

/// The log-softmax of numbers in single precision, in double precision.
fn exact(logits: [f32; 5]) -> [f64; 5] {
    let max = logits.iter().copied().fold(f32::MIN, f32::max);
    let sum: f64 = logits.iter().map(|x| (f64::from(*x) - f64::from(max)).exp()).sum();
    logits.map(|x| f64::from(x) - f64::from(max) - sum.ln())
}

#[test]
fn softmax_of_large_logits_is_as_exact_as_of_small_ones() {
    let dev = Cpu::default();
    let (soft, log_soft) = (dev.build_module::<Soft, f32>(), dev.build_module::<LogSoft, f32>());
    for base in [0.0_f32, 100.0, 1e4, -1e4, 1e6] {
        let logits = [0.0, 1.0, 2.5, -3.0, 0.5].map(|x| base + x);
        let expected = exact(logits);
        let found = log_soft.forward(dev.tensor(logits)).array();
        let probabilities = soft.forward(dev.tensor(logits)).array();
        for ((found, probability), expected) in found.into_iter().zip(probabilities).zip(expected) {
            assert!(
                (f64::from(found) - expected).abs() < 1e-6 * expected.abs().max(1.0),
                "{base}: {found}, {expected}"
            );
            assert!(
                (f64::from(probability) - expected.exp()).abs() < 3e-7,
                "{base}: {probability}, {}",
                expected.exp()
            );
        }
    }
}

#[test]
fn a_batch_normalisation_of_one_value_is_refused_or_learns_nothing() {
    let dev = Cpu::seed_from_u64(1);
    let mut net = dev.build_module::<Pooled, f32>();
    let data = |train| Split { train: stripes(train), test: stripes(9) }.shared();
    let config = |batch, drop_last| Config { epochs: 1, batch, drop_last, ..Config::default() };
    let run = |net: &mut Pooled<f32, Cpu>, train, batch, drop_last| {
        Trainer::new(net, &Cpu::default()).config(config(batch, drop_last)).train(&data(train)).map(|_| ())
    };
    let error = run(&mut net, 65, 64, false).unwrap_err();
    let TrainError::OneValue { layer, images: 1, of: Some([65, 64]) } = &error else { panic!("{error}") };
    assert_eq!(layer, "norm");
    assert!(error.to_string().contains("(65 training images in batches of 64)"), "{error}");
    assert!(matches!(run(&mut net, 64, 1, false), Err(TrainError::OneValue { .. })));
    assert!(matches!(run(&mut net, 1, 64, true), Err(TrainError::OneValue { .. })));
    run(&mut net, 65, 64, true).unwrap();
    run(&mut net, 66, 64, false).unwrap();
    let mut learner = convnet::train::NetworkLearner::new(&mut net, dev.clone());
    let error = overfit(&mut *learner, &data(65), &config(1, false), 3, 0.01).unwrap_err();
    assert!(matches!(error, TrainError::OneValue { images: 1, of: None, .. }), "{error}");
    // By hand, there is nobody to refuse it.
    drop(learner);
    let before = (net.norm.running_mean.array(), net.norm.running_var.array());
    let x: Tensor<Rank4<1, 1, 8, 8>, f32, Cpu> = dev.sample_normal();
    let _ = net.forward_mut(x.leaky_trace());
    assert_eq!(before, (net.norm.running_mean.array(), net.norm.running_var.array()));
    let x: Tensor<Rank4<2, 1, 8, 8>, f32, Cpu> = dev.sample_normal();
    let _ = net.forward_mut(x.leaky_trace());
    assert_ne!(before.1, net.norm.running_var.array());
}

#[test]
fn weighted_classes_in_accumulated_batches_are_those_of_one_large_batch() {
    let train = |batch, accumulate| {
        let mut net = Cpu::seed_from_u64(1).build_module::<Plain, f32>();
        let config =
            Config { epochs: 1, batch, accumulate, class_weights: vec![0.1, 1.0, 9.0], lr: 0.1, ..Config::default() };
        let data = Split { train: stripes(70), test: stripes(9) }.shared();
        Trainer::new(&mut net, &Cpu::default()).config(config).train(&data).unwrap();
        named_tensors(&net).unwrap().into_iter().flat_map(|tensor| tensor.values).collect::<Vec<f32>>()
    };
    let error = train(32, 1).into_iter().zip(train(8, 4)).fold(0.0_f32, |max, (a, b)| max.max((a - b).abs()));
    assert!(error < 1e-5, "{error}");
}

#[test]
fn rows_that_a_network_keeps_are_those_that_it_counts() {
    let dev = Cpu::seed_from_u64(3);
    let net = dev.build_module::<Choosing, f64>();
    for batch in [2, 5, 1] {
        let x: Tensor<(usize, Const<4>, Const<9>, Const<8>), f64, Cpu> =
            dev.sample_normal_like(&(batch, Const, Const, Const));
        // A clone has kept nothing.
        let (kept, counted) = (net.forward(x.clone()), net.clone().forward(x.clone()));
        assert_eq!(kept.as_vec(), counted.as_vec());
        assert_eq!(kept.as_vec(), net.forward(x).as_vec());
    }
}
