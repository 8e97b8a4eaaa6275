//! A gate multiplies a map by another one or by `[C, 1, 1]`; a vector has no place in a map.
use convnet::prelude::*;
cnn! {
    pub struct Net: [3, 32, 32] -> [10] {
        conv1: conv(16, kernel = 3, pad = 1); relu;
        gate { global_avg_pool; fc1: linear(16); sigmoid; }
        flatten;
        fc: linear(10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
