//! What follows an `if` is `else if`, as in Rust.
use convnet::prelude::*;
cnn! {
    pub struct Net: [3, 32, 32] -> [10] {
        if channels == 1 { relu; }
        elif channels == 3 { tanh; }
        flatten;
        fc: linear(10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
