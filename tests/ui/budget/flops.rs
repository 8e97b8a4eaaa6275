//! Operations are counted as `macs`: multiplications with their additions, for one image.
use convnet::prelude::*;
cnn! {
    pub struct Net: [3, 32, 32] -> [10] {
        flatten;
        fc: linear(10);
        assert flops <= 50_000;
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
