//! A word that no layer has, and that is like none, is told with all that there are.
use convnet::prelude::*;
cnn! {
    pub struct Net: [1, 28, 28] -> [10] {
        attention;
        flatten;
        fc: linear(10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
