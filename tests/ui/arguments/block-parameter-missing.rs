//! A parameter of a block that has no default has to be given where the block is used.
use convnet::prelude::*;
cnn! {
    block basic(out) {
        conv1: conv(out, kernel = 3);
    }

    pub struct Net: [3, 32, 32] -> [10] {
        basic();
        global_avg_pool;
        fc: linear(10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
