//! A residual that changes channels or size needs a shortcut that does the same.
use convnet::prelude::*;
cnn! {
    pub struct Net: [3, 32, 32] -> [10] {
        residual { conv(8, kernel = 3, stride = 2, pad = 1); }
        flatten;
        fc: linear(10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
