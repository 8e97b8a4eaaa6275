//! A block that uses itself would never end.
use convnet::prelude::*;
cnn! {
    block basic(out) {
        basic(out);
    }

    pub struct Net: [3, 32, 32] -> [10] {
        basic(8);
        flatten;
        fc: linear(10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
