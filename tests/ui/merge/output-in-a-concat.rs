//! A further output goes beside the network's values and is no branch of a concatenation.
use convnet::prelude::*;
cnn! {
    pub struct Net: [3, 32, 32] -> [10] {
        concat {
            conv(8, kernel = 3, pad = 1);
            output small: [4, 32, 32] = conv(4, kernel = 1);
        }
        flatten;
        fc: linear(10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let (logits, small) = net.forward(Cpu::default().zeros::<Rank3<3, 32, 32>>());
    let _ = (logits, small);
}
