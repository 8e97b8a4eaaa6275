//! PyTorch's `Linear` is told its inputs; here they are known, and the one number is the number of outputs.
use convnet::prelude::*;
cnn! {
    pub struct Net: [3, 32, 32] -> [10] {
        flatten;
        fc: linear(3072, 10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
