//! Blocks are among the words that a slip of the pen is compared with.
use convnet::prelude::*;
cnn! {
    block basic(out) {
        conv1: conv(out, kernel = 3);
    }

    pub struct Net: [3, 32, 32] -> [10] {
        bsic(16);
        global_avg_pool;
        fc: linear(10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
