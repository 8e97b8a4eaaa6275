//! However many positions are too many, it is one error, on the first of them.
use convnet::prelude::*;
cnn! {
    pub struct Net: [1, 28, 28] -> [10] { conv(4, 3, 1, 1, 1, 1, 1, 1); flatten; linear(10); }
}

fn main() {}
