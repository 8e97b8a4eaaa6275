//! Several budgets stand beside each other, so that each has its own error.
use convnet::prelude::*;
cnn! {
    pub struct Net: [3, 32, 32] -> [10] {
        flatten;
        fc: linear(10);
        assert params <= 50_000 && macs <= 50_000;
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
