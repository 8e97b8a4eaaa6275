//! Branches are joined by their channels, at each pixel, so they need one height and width.
use convnet::prelude::*;
cnn! {
    pub struct Net: [3, 32, 32] -> [10] {
        concat {
            branch1: conv(16, kernel = 1);
            branch2: conv(16, kernel = 3);
        }
        global_avg_pool;
        fc: linear(10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
