//! Branches can be joined by their channels only if all of them give maps, or all of them vectors.
use convnet::prelude::*;
cnn! {
    pub struct Net: [3, 32, 32] -> [10] {
        concat { a: conv(8, kernel = 1); b: { flatten; linear(8); } }
        flatten;
        fc: linear(10);
    }
}

fn main() {
    let net = Cpu::default().build_module::<Net, f32>();
    let _ = net;
}
