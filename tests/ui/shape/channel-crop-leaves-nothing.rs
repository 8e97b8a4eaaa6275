//! A slice of the channels has to have one at least.
use convnet::prelude::*;
cnn! {
    pub struct Net: [3, 32, 32] -> [10] {
        conv(16, kernel = 3, pad = 1); relu;
        channel_crop((8, 8));
        global_avg_pool;
        fc: linear(10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
