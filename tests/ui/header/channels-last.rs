//! Shapes have the channels first; Keras's order makes the width of an image its channels.
use convnet::prelude::*;
cnn! {
    pub struct Net: [28, 28, 1] -> [10] {
        conv1: conv(8, kernel = 3);
        flatten;
        fc: linear(10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
