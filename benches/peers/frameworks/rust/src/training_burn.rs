//! The small network of "Coming from burn", trained for some steps on made-up images.
//!
//! `cargo run --release --features burn --bin training_burn`
// ANCHOR: network
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::optim::{GradientsParams, SgdConfig, momentum::MomentumConfig};
use burn::prelude::*;
use burn::tensor::activation::relu;

#[derive(Module, Debug)]
struct Small {
    conv: Conv2d,
    bn: BatchNorm,
    pool: MaxPool2d,
    fc: Linear,
}

impl Small {
    fn new(device: &Device) -> Self {
        let conv = Conv2dConfig::new([1, 8], [3, 3]).with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1));
        Small {
            conv: conv.with_bias(false).init(device),
            bn: BatchNormConfig::new(8).init(device),
            pool: MaxPool2dConfig::new([2, 2]).init(),
            fc: LinearConfig::new(8 * 14 * 14, 10).init(device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = self.pool.forward(relu(self.bn.forward(self.conv.forward(x))));
        self.fc.forward(x.flatten(1, 3))
    }
}
// ANCHOR_END: network

/// Batches of images with their classes: bright rows, by the class.
fn batches(device: &Device) -> Vec<(Tensor<4>, Tensor<1, Int>)> {
    let batch = |_| {
        let classes: Vec<i32> = (0..32).map(|i| i % 10).collect();
        let pixel = |at: i32| f32::from(u8::from(at / 28 % 28 / 2 == classes[(at / 784) as usize]));
        let pixels: Vec<f32> = (0..32 * 784).map(pixel).collect();
        let images = Tensor::<1>::from_data(pixels.as_slice(), device).reshape([32, 1, 28, 28]);
        (images, Tensor::from_ints(classes.as_slice(), device))
    };
    (0..20).map(batch).collect()
}

fn main() {
    // ANCHOR: loop
    let device = Device::flex().autodiff();
    let mut net = Small::new(&device);
    let momentum = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0);
    let mut optimizer = SgdConfig::new().with_momentum(Some(momentum)).init();
    let loss_of = CrossEntropyLossConfig::new().init(&device);
    for (images, classes) in batches(&device) {
        let loss = loss_of.forward(net.forward(images), classes);
        println!("{:.4}", loss.clone().into_scalar::<f32>());
        let gradients = GradientsParams::from_grads(loss.backward(), &net);
        net = optimizer.step(0.05, net, gradients);
    }
    // ANCHOR_END: loop
}
