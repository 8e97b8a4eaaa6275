//! LeNet-5 as `convnet bench` times it, under criterion: a training step at batch 64, inference at batch 1 and 64.
//!
//! `cargo bench -p convnet-benches --bench step`
#![allow(missing_docs)] // criterion's macros make items without docs.

use convnet::dfdx::optim::{Momentum, Optimizer, Sgd, SgdConfig};
use convnet::prelude::*;
use convnet_models::LeNet5;
use criterion::{Criterion, criterion_group, criterion_main};

fn train_step(c: &mut Criterion) {
    let dev = Cpu::default();
    let mut net = dev.build_module::<LeNet5, f32>();
    let mut sgd = Sgd::new(&net, SgdConfig { lr: 0.01, momentum: Some(Momentum::Classic(0.9)), weight_decay: None });
    let x: Tensor<Rank4<64, 1, 28, 28>, f32, _> = dev.sample_normal();
    let targets: Tensor<Rank2<64, 10>, f32, _> = dev.tensor(std::array::from_fn::<_, 64, _>(|n| {
        std::array::from_fn::<_, 10, _>(|class| if class == n % 10 { 1.0 } else { 0.0 })
    }));
    let mut gradients = Some(net.alloc_grads());
    c.bench_function("lenet5 train step, batch 64", |b| {
        b.iter(|| {
            let traced = x.clone().traced(gradients.take().unwrap());
            let logits = net.forward_mut(traced);
            let mut new = cross_entropy_with_logits_loss(logits, targets.clone()).backward();
            sgd.update(&mut net, &new).unwrap();
            net.zero_grads(&mut new);
            gradients = Some(new);
        });
    });
}

fn inference(c: &mut Criterion) {
    let dev = Cpu::default();
    let net = dev.build_module::<LeNet5, f32>();
    let one: Tensor<Rank4<1, 1, 28, 28>, f32, _> = dev.sample_normal();
    c.bench_function("lenet5 inference, batch 1", |b| b.iter(|| net.forward(one.clone())));
    let many: Tensor<Rank4<64, 1, 28, 28>, f32, _> = dev.sample_normal();
    c.bench_function("lenet5 inference, batch 64", |b| b.iter(|| net.forward(many.clone())));
}

criterion_group!(benches, train_step, inference);
criterion_main!(benches);
