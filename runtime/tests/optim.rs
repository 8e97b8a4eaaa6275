//! Optimisers against PyTorch's values, saved and restored, on any number of threads.
#![deny(warnings)]

use convnet::engine;
use convnet::net::{named_tensors, set_named_tensors};
use convnet::optim::{Ema, Method, Optimizer, ParamInfo, ParamOptions, Step};
use convnet::prelude::*;

cnn! {
    /// One parameter of four numbers, whose gradient is what the input is.
    struct Four: [4] -> [1] { fc: linear(1, bias = false); }
}

cnn! {
    /// One parameter is large enough to be shared by threads.
    #[allow(bias_before_norm)]
    struct Net: [2, 12, 12] -> [5] {
        conv(3, kernel = 3); batch_norm; relu;
        flatten;
        linear(900); relu;
        linear(5);
    }
}

fn method(name: &str) -> Method {
    let (betas, eps) = ([0.85, 0.99], 1e-6);
    match name {
        "sgd" => Method::Sgd { momentum: 0.0, nesterov: false },
        "sgd momentum" => Method::Sgd { momentum: 0.9, nesterov: false },
        "sgd nesterov" => Method::Sgd { momentum: 0.8, nesterov: true },
        "adam" => Method::Adam { betas, eps },
        "adamw" => Method::AdamW { betas, eps },
        "rmsprop" => Method::RmsProp { alpha: 0.9, eps, momentum: 0.0 },
        "rmsprop momentum" => Method::RmsProp { alpha: 0.9, eps, momentum: 0.7 },
        other => panic!("no method {other}"),
    }
}

#[test]
fn steps_are_those_of_pytorch() {
    let cases: serde_json::Value = serde_json::from_str(include_str!("golden/optim.json")).unwrap();
    let dev = Cpu::default();
    for case in cases.as_array().unwrap() {
        let mut net = dev.build_module::<Four, f32>();
        set_named_tensors(&mut net, &[("fc.weight".to_string(), vec![0.5, -1.25, 2.0, 0.0])]);
        let weight_decay = case["decay"].as_f64().unwrap();
        let options = |_: &ParamInfo<'_>| ParamOptions { weight_decay, ..ParamOptions::default() };
        let mut optimizer = Optimizer::new(&net, method(case["method"].as_str().unwrap()), options);
        let mut gradients = net.alloc_grads();
        for step in 0..6 {
            let p = &named_tensors(&net).unwrap()[0].values;
            let gradient: Vec<f32> = (0..4).map(|i| ((i + step) as f32).cos() + 0.5 * p[i]).collect();
            let x: Tensor<Rank1<4>, f32, _> = dev.tensor_from_vec(gradient, Rank1::default());
            gradients = net.forward_mut(x.traced(gradients)).sum().backward();
            let step = Step { clip_norm: case["norm"].as_f64(), clip_value: case["value"].as_f64(), ..Step::new(0.1) };
            let report = optimizer.step(&mut net, &mut gradients, &step).unwrap();
            assert!(report.finite && report.grad_norm.is_some() == step.clip_norm.is_some());
        }
        let found = &named_tensors(&net).unwrap()[0].values;
        for (found, expected) in found.iter().zip(case["end"].as_array().unwrap()) {
            assert!((f64::from(*found) - expected.as_f64().unwrap()).abs() < 2e-5, "{found} in {case}");
        }
    }
}

type Trained = (Vec<u32>, Vec<u32>);

fn bits(values: impl IntoIterator<Item = f32>) -> Vec<u32> {
    values.into_iter().map(f32::to_bits).collect()
}

/// Trains for six steps, and saves and restores everything after `pause` of them.
fn train(method: Method, pause: Option<usize>) -> Trained {
    let dev = Cpu::seed_from_u64(3);
    let x: Tensor<Rank4<6, 2, 12, 12>, f32, _> = dev.sample_normal();
    let mut net = dev.build_module::<Net, f32>();
    let options = |param: &ParamInfo<'_>| ParamOptions {
        weight_decay: if param.is_weight() { 0.01 } else { 0.0 },
        frozen: param.name == "5.bias",
        ..ParamOptions::default()
    };
    let mut optimizer = Optimizer::new(&net, method, options);
    let mut average = Ema::new(&net, 0.9).unwrap();
    let mut gradients = net.alloc_grads();
    for step in 0..6 {
        if pause == Some(step) {
            let (state, saved) = (optimizer.state(), average.state());
            optimizer = Optimizer::new(&net, method, options);
            average = Ema::new(&dev.build_module::<Net, f32>(), 0.9).unwrap();
            optimizer.restore(&state).unwrap();
            average.restore(&saved).unwrap();
        }
        gradients = net.forward_mut(x.clone().traced(gradients)).square().mean().backward();
        let step = Step { clip_norm: Some(0.5), ..Step::new(0.01) };
        optimizer.step(&mut net, &mut gradients, &step).unwrap();
        average.update(&mut net).unwrap();
    }
    let weights = bits(named_tensors(&net).unwrap().into_iter().flat_map(|tensor| tensor.values));
    average.swap(&mut net).unwrap();
    let averaged = bits(named_tensors(&net).unwrap().into_iter().flat_map(|tensor| tensor.values));
    average.swap(&mut net).unwrap();
    assert_eq!(bits(named_tensors(&net).unwrap().into_iter().flat_map(|tensor| tensor.values)), weights);
    (weights, averaged)
}

#[test]
fn threads_and_pauses_do_not_change_a_bit() {
    for name in ["sgd momentum", "adamw", "rmsprop momentum"] {
        engine::set_threads(1).unwrap();
        let alone = train(method(name), None);
        assert_ne!(alone.0, alone.1);
        for threads in [2, 3, 8] {
            engine::set_threads(threads).unwrap();
            assert!(train(method(name), None) == alone, "{name} on {threads} threads");
        }
        for pause in [0, 1, 5] {
            assert!(train(method(name), Some(pause)) == alone, "{name}, saved after {pause} steps");
        }
    }
    engine::set_threads(0).unwrap();
}

#[test]
fn frozen_parameters_stay_and_gradients_end_at_zero() {
    let dev = Cpu::seed_from_u64(1);
    let mut net = dev.build_module::<Net, f32>();
    let before = named_tensors(&net).unwrap();
    let options = |param: &ParamInfo<'_>| ParamOptions { frozen: param.name.starts_with("0."), ..Default::default() };
    let mut optimizer = Optimizer::new(&net, method("adam"), options);
    let x: Tensor<Rank4<6, 2, 12, 12>, f32, _> = dev.sample_normal();
    let mut gradients = net.forward_mut(x.traced(net.alloc_grads())).square().mean().backward();
    optimizer.step(&mut net, &mut gradients, &Step::new(0.1)).unwrap();
    convnet::optim::each_gradient(&mut net, &mut gradients, &mut |_, gradient| {
        assert!(gradient.iter().all(|x| *x == 0.0));
    })
    .unwrap();
    for (before, after) in before.iter().zip(named_tensors(&net).unwrap()) {
        assert_eq!(before.values == after.values, before.name.starts_with("0."), "{}", before.name);
    }
}

#[test]
fn what_is_not_finite_is_reported() {
    let dev = Cpu::default();
    for (bad, clip_norm) in [(f32::NAN, None), (f32::INFINITY, None), (f32::NEG_INFINITY, Some(1.0))] {
        let mut net = dev.build_module::<Four, f32>();
        let mut optimizer = Optimizer::new(&net, method("sgd"), |_| ParamOptions::default());
        let x: Tensor<Rank1<4>, f32, _> = dev.tensor([1.0, bad, 0.0, 2.0]);
        let mut gradients = net.forward_mut(x.traced(net.alloc_grads())).sum().backward();
        let step = Step { clip_norm, ..Step::new(0.1) };
        assert!(!optimizer.step(&mut net, &mut gradients, &step).unwrap().finite);
    }
}

#[test]
fn a_state_of_something_else_is_refused() {
    let dev = Cpu::default();
    let (net, four) = (dev.build_module::<Net, f32>(), dev.build_module::<Four, f32>());
    let mut sgd = Optimizer::new(&four, method("sgd momentum"), |_| ParamOptions::default());
    let adam = Optimizer::new(&four, method("adam"), |_| ParamOptions::default());
    let error = sgd.restore(&adam.state()).unwrap_err().to_string();
    assert_eq!(error, "`method` is adam, not sgd");
    let mut average = Ema::new(&four, 0.9).unwrap();
    let error = average.restore(&Ema::new(&net, 0.9).unwrap().state()).unwrap_err().to_string();
    assert_eq!(error, "it has no `fc.weight`");
}
