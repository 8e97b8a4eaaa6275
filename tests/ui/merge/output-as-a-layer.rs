//! What a network ends in is no layer; a further output has a name and a shape.
use convnet::prelude::*;
cnn! {
    pub struct Net: [3, 32, 32] -> [10] {
        conv(8, kernel = 3, pad = 1); relu;
        flatten;
        output(10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
