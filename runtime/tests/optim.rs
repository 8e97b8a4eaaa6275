//! The engine's stochastic gradient descent against dfdx's.
#![deny(warnings)]

use convnet::dfdx::optim::{Momentum, Optimizer, Sgd as Plain, SgdConfig, WeightDecay};
use convnet::net::named_tensors;
use convnet::optim::Sgd;
use convnet::prelude::*;

cnn! {
    /// One parameter is large enough to be shared by threads.
    struct Net: [2, 12, 12] -> [5] {
        conv(3, kernel = 3); batch_norm; relu;
        flatten;
        linear(300); relu;
        linear(5);
    }
}

#[test]
fn steps_are_those_of_dfdx() {
    let dev = Cpu::seed_from_u64(3);
    let x: Tensor<Rank4<6, 2, 12, 12>, f32, _> = dev.sample_normal();
    let momenta = [None, Some(Momentum::Classic(0.9)), Some(Momentum::Nesterov(0.8))];
    let decays = [None, Some(WeightDecay::L2(0.01)), Some(WeightDecay::Decoupled(0.02))];
    for (momentum, weight_decay) in momenta.into_iter().flat_map(|momentum| decays.map(|decay| (momentum, decay))) {
        let mut net = dev.build_module::<Net, f32>();
        let mut plain_net = net.clone();
        let config = SgdConfig { lr: 0.05, momentum, weight_decay };
        let (mut sgd, mut plain) = (Sgd::new(&net, config), Plain::new(&plain_net, config));
        let (mut gradients, mut plain_gradients) = (net.alloc_grads(), plain_net.alloc_grads());
        for _ in 0..4 {
            gradients = net.forward_mut(x.clone().traced(gradients)).square().mean().backward();
            sgd.step(&mut net, &mut gradients).unwrap();
            plain_gradients = plain_net.forward_mut(x.clone().traced(plain_gradients)).square().mean().backward();
            plain.update(&mut plain_net, &plain_gradients).unwrap();
            plain_net.zero_grads(&mut plain_gradients);
        }
        for (found, want) in named_tensors(&net).into_iter().zip(named_tensors(&plain_net)) {
            let pairs = found.values.iter().zip(&want.values);
            let error = pairs.fold(0.0_f32, |error, (a, b)| error.max((a - b).abs()));
            assert!(error < 1e-6, "{}: {error}, {config:?}", found.name);
        }
    }
}
