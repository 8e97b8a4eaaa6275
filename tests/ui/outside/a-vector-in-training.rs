//! Numbers instead of a tensor, in training.
use convnet::prelude::*;
cnn! {
    pub struct Net: [1, 28, 28] -> [10] {
        conv1: conv(6, kernel = 5, pad = 2); relu; max_pool(2);
        side: residual { inner: conv(6, kernel = 3, pad = 1); }
        conv2: conv(16, kernel = 5); relu; max_pool(2);
        flatten;
        fc: linear(10);
    }
}

fn main() {
    let dev = Cpu::default();
    let mut net = dev.build_module::<Net, f32>();
    let _ = net.forward_mut(vec![0.0_f32; 784]);
}
