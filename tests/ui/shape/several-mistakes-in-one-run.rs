//! All mistakes of a call are told at once, each of them once.
use convnet::prelude::*;
cnn! {
    pub struct Net: [1, 28, 28] -> [10] {
        conv1: conv(6, kernel = 50);
        max_pol(2);
        conv2: conv(8, kernl = 3);
        dropout(2.0);
        flatten;
        fc: linear(10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
