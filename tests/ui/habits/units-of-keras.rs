//! Keras's `Dense` is called `linear`, as in PyTorch, and its `units` are `out`.
use convnet::prelude::*;
cnn! {
    pub struct Net: [3, 32, 32] -> [10] {
        flatten;
        fc: dense(units = 10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
