//! `same` is an option of convolutions and pools; the padding of a transposed convolution is a number.
use convnet::prelude::*;
cnn! {
    pub struct Net: [3, 32, 32] -> [10] {
        conv_transpose(8, kernel = 3, pad = same);
        flatten;
        fc: linear(10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
