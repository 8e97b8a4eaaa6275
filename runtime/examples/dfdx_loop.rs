//! A network from `cnn!` in a training loop written with dfdx alone: `alloc_grads`, `traced`, a loss, `backward`, `update`.
//!
//! `cargo run --release -p convnet --example dfdx_loop`
#![allow(missing_docs)]

use convnet::data::fit::Fit;
use convnet::data::{Loader, LoaderOptions, Normalisation, Pipeline, mnist};
use convnet::dfdx::optim::{Momentum, Optimizer, Sgd, SgdConfig};
use convnet::prelude::*;
use std::sync::Arc;

cnn! {
    /// LeNet-5 on 28x28 grey-scale digits.
    pub struct LeNet5: [1, 28, 28] -> [10] {
        conv1: conv(6, kernel = 5, pad = 2);
        relu; max_pool(2);
        conv2: conv(16, kernel = 5);
        relu; max_pool(2);
        flatten;
        fc1: linear(120); relu;
        fc2: linear(84); relu;
        fc3: linear(10);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dev = Cpu::seed_from_u64(1);
    let mut net = dev.build_module::<LeNet5, f32>();
    let config = SgdConfig { lr: 0.05, momentum: Some(Momentum::Classic(0.9)), weight_decay: None };
    let mut sgd = Sgd::new(&net, config);
    let mut gradients = net.alloc_grads();

    let data = mnist::bundled()?.train.first(6_400);
    let pipeline = Pipeline::plain([1, 28, 28], Fit::Auto, Normalisation::named("mnist", 1)?);
    let loader = Loader::new(Arc::new(data), pipeline, LoaderOptions { batch: 64, seed: 1, ..Default::default() });
    for epoch in 1..=3 {
        let (mut total, mut steps) = (0.0, 0);
        for batch in loader.epoch(epoch, 0) {
            let batch = batch?;
            let targets: Tensor<Rank2<64, 10>, f32, _> = dev.tensor(batch.targets);
            let x: Tensor<Rank4<64, 1, 28, 28>, f32, _> = dev.tensor(batch.pixels);

            let logits = net.forward_mut(x.traced(gradients));
            let loss = cross_entropy_with_logits_loss(logits, targets);
            (total, steps) = (total + loss.array(), steps + 1);

            gradients = loss.backward();
            sgd.update(&mut net, &gradients)?;
            net.zero_grads(&mut gradients);
        }
        println!("epoch {epoch}: loss {:.4}", total / steps as f32);
    }
    let first: Tensor<Rank4<1, 6, 5, 5>, f32, _> = net.conv1.weight.clone().reshape();
    println!("the first kernels have norm {:.3}", first.square().sum::<Rank0, _>().sqrt().array());
    Ok(())
}
