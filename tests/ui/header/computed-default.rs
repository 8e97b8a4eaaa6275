//! The default of a const generic is one number, since the macro does not run Rust.
use convnet::prelude::*;
cnn! {
    pub struct Net<const CLASSES: usize = 2 * 5>: [3, 32, 32] -> [CLASSES] {
        flatten;
        fc: linear(CLASSES);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
