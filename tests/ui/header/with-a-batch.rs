//! Shapes are those of one image; every network takes batches of any size.
use convnet::prelude::*;
cnn! {
    pub struct Net: [64, 3, 32, 32] -> [10] {
        flatten;
        fc: linear(10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
