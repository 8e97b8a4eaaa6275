//! A factor for each channel needs as many channels as come in.
use convnet::prelude::*;
cnn! {
    pub struct Net: [3, 32, 32] -> [10] {
        conv1: conv(16, kernel = 3, pad = 1); relu;
        gate {
            adaptive_avg_pool(1);
            squeeze: conv(4, kernel = 1); relu;
            expand: conv(8, kernel = 1); sigmoid;
        }
        flatten;
        fc: linear(10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
