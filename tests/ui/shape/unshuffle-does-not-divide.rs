//! Squares of pixels have to cover the map.
use convnet::prelude::*;
cnn! {
    pub struct Net: [3, 30, 32] -> [10] {
        pixel_unshuffle(4);
        global_avg_pool;
        fc: linear(10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
