//! Channels are shared out, and a vector has none.
use convnet::prelude::*;
cnn! {
    pub struct Net: [3, 32, 32] -> [10] {
        global_avg_pool;
        split { a: linear(4); b: linear(6); }
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
