//! The shortcut does not do what the residual does to the size of the map.
use convnet::prelude::*;
cnn! {
    pub struct Net: [3, 32, 32] -> [10] {
        residual {
            conv1: conv(16, kernel = 3, stride = 2, pad = 1);
        } shortcut {
            down: conv(16, kernel = 1);
        }
        global_avg_pool;
        fc: linear(10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
