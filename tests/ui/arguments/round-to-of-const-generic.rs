//! A const generic has no value when a width is rounded.
use convnet::prelude::*;
cnn! {
    pub struct Net<const WIDTH: usize = 12>: [3, 32, 32] -> [10] {
        conv(round_to(WIDTH, 8), kernel = 3, pad = 1); relu;
        global_avg_pool;
        fc: linear(10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net<12>, f32>();
    let _ = net;
}
