//! A block without parameters is declared with empty brackets.
use convnet::prelude::*;
cnn! {
    block basic {
        relu;
    }

    pub struct Net: [3, 32, 32] -> [10] {
        basic;
        flatten;
        fc: linear(10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
