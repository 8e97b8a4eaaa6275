//! Padding is one number, one for height and one for width, or one for each of the four sides; three mean nothing.
use convnet::prelude::*;
cnn! {
    pub struct Net: [1, 28, 28] -> [10] {
        conv(6, kernel = 3, pad = (1, 2, 3));
        flatten;
        fc: linear(10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
