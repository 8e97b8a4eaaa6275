//! A mistake within a block is told once, at its place in the block, with the use that led there.
use convnet::prelude::*;
cnn! {
    block basic(out) {
        conv1: conv(out, kernel = 40);
        relu;
    }

    pub struct Net: [3, 32, 32] -> [10] {
        layer1: { repeat 3 { basic(16); } }
        global_avg_pool;
        fc: linear(10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
