//! The struct has `E` and `D` as its generics already.
use convnet::prelude::*;
cnn! {
    pub struct Net<const E: usize = 8>: [1, 28, 28] -> [10] {
        flatten;
        fc: linear(10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
