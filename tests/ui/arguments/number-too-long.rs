//! A number with hundreds of digits is refused before it is read.
use convnet::prelude::*;
cnn! {
    pub struct Net: [1, 28, 28] -> [10] {
        flatten;
        linear(10000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000);
    }
}

fn main() {}
