//! After a mistake in a network, no tensor is a second one.
use convnet::prelude::*;

cnn! {
    pub struct Net: [28, 28, 1] -> [10] {
        conv1: conv(6, kernel = 5); relu;
        flatten;
        fc: linear(10);
    }
}

fn main() {
    let dev = Cpu::default();
    let net = dev.build_module::<Net, f32>();
    let images: Tensor<Rank4<64, 1, 28, 28>, f32, Cpu> = dev.zeros();
    let logits: Tensor<Rank2<64, 10>, f32, Cpu> = net.forward(images);
    let _ = logits;
}
