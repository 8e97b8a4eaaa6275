//! A macro sees its own tokens only, so a constant of the program around it has no value there.
use convnet::prelude::*;
const CLASSES: usize = 10;

cnn! {
    pub struct Net: [3, 32, 32] -> [10] {
        flatten;
        fc: linear(CLASSES);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
