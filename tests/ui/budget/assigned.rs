//! A budget compares; a single `=` does not.
use convnet::prelude::*;
cnn! {
    pub struct Net: [3, 32, 32] -> [10] {
        flatten;
        fc: linear(10);
        assert params = 30_730;
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
