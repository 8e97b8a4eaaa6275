//! The length of the vector would be a product with a const generic, which stable Rust has no type for.
use convnet::prelude::*;
cnn! {
    pub struct Net<const WIDE: usize = 8>: [1, 28, 28] -> [10] {
        conv1: conv(WIDE, kernel = 3);
        flatten;
        fc: linear(10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
