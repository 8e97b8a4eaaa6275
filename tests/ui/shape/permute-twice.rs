//! Each of the three dimensions once.
use convnet::prelude::*;
cnn! {
    pub struct Net: [3, 30, 32] -> [10] {
        permute(2, 3, 2);
        flatten;
        fc: linear(10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
