//! A layer within the residual makes the map smaller than the input that is added.
use convnet::prelude::*;
cnn! {
    pub struct Net: [3, 32, 32] -> [10] {
        stem: conv(16, kernel = 3, pad = 1);
        residual {
            conv1: conv(16, kernel = 3);
            relu;
        }
        global_avg_pool;
        fc: linear(10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
