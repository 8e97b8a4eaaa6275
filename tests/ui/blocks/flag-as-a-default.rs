//! The parameters of a block are whole numbers, and so are their defaults.
use convnet::prelude::*;
cnn! {
    block basic(out, act = true) {
        conv(out, kernel = 3);
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
