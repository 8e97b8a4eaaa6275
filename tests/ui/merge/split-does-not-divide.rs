//! A split gives each of its branches the same number of channels.
use convnet::prelude::*;
cnn! {
    pub struct Net: [3, 32, 32] -> [10] {
        conv(10, kernel = 3, pad = 1); relu;
        split { identity; { conv(3, kernel = 1); relu; } { conv(3, kernel = 1); } }
        global_avg_pool;
        fc: linear(10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
