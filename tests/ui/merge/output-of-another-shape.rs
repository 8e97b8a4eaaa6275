//! The layers of a further output give another shape than it declares.
use convnet::prelude::*;
cnn! {
    pub struct Net: [3, 32, 32] -> [10] {
        conv(8, kernel = 3, pad = 1); relu;
        output boxes: [4, 8, 8] = conv(4, kernel = 3, stride = 2, pad = 1);
        flatten;
        fc: linear(10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
