//! The original has a vector for its output.
use convnet::prelude::*;
cnn! {
    #[export(net)]
    pub struct Net<const CLASSES: usize = 10>: [3, 32, 32] -> [CLASSES] {
        conv1: conv(8, kernel = 5); max_pool(4);
        flatten;
        fc: linear(CLASSES);
    }
}

net! { pub struct Tiny: [3, 64, 64] -> [5, 2, 2] }

fn main() {}
