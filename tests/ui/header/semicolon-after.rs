//! A network ends with its brace, as any struct with fields does.
use convnet::prelude::*;
cnn! {
    pub struct Net: [3, 32, 32] -> [10] {
        flatten;
        fc: linear(10);
    };
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
