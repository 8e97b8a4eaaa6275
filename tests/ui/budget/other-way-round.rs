//! What is counted comes first, then the comparison, then the number.
use convnet::prelude::*;
cnn! {
    pub struct Net: [3, 32, 32] -> [10] {
        flatten;
        fc: linear(10);
        assert 50_000 >= params;
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
