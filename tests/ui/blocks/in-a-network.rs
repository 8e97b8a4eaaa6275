//! A block is a template for all networks of a call, so it stands beside them.
use convnet::prelude::*;
cnn! {
    pub struct Net: [3, 32, 32] -> [10] {
        block basic(out) { conv(out, kernel = 3); }
        basic(8);
        flatten;
        fc: linear(10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
