//! A kernel of 3 without padding makes the map smaller by two pixels, and then it cannot be added to the input.
use convnet::prelude::*;
cnn! {
    pub struct Net: [3, 32, 32] -> [10] {
        residual { conv(3, kernel = 3); }
        flatten;
        fc: linear(10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
