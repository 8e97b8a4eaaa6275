//! The kernel is larger than the map that comes in; the trace shows what made the map small.
use convnet::prelude::*;
cnn! {
    pub struct Net: [1, 28, 28] -> [10] {
        conv1: conv(6, kernel = 5, pad = 2);
        relu;
        max_pool(2);
        conv2: conv(16, kernel = 17);
        flatten;
        fc: linear(10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
