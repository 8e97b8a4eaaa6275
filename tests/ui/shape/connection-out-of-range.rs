//! A table of connections names an input channel that there is not; the first one is 0.
use convnet::prelude::*;
cnn! {
    pub struct Net: [1, 28, 28] -> [10] {
        conv1: conv(2, kernel = 3, connections = [[0], [1]]);
        flatten;
        fc: linear(10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
