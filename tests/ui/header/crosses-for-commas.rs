//! The sizes of a shape are parted by commas.
use convnet::prelude::*;
cnn! {
    pub struct Net: [3x32x32] -> [10] {
        flatten;
        fc: linear(10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
