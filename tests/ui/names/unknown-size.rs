//! A size that nothing is called is told with the nearest that there is.
use convnet::prelude::*;
cnn! {
    pub struct Net<const CHANNELS: usize = 8>: [1, 28, 28] -> [10] {
        conv(CHANELS, kernel = 3);
        flatten;
        fc: linear(10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
