//! A const generic passes through as a number of channels or outputs, but nothing can be computed from it.
use convnet::prelude::*;
cnn! {
    pub struct Net<const WIDTH: usize = 8>: [1, 28, 28] -> [10] {
        conv(WIDTH * 2, kernel = 3);
        flatten;
        fc: linear(10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
