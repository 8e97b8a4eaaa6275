//! A pool of two pixels that is padded to keep its size is half a pixel off.
#![deny(deprecated)]
use convnet::prelude::*;
cnn! {
    pub struct Net: [3, 32, 32] -> [10] {
        conv(16, kernel = 3, pad = 1); relu;
        max_pool(2, stride = 1, pad = same);
        global_avg_pool;
        fc: linear(10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
