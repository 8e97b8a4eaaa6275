//! A structure with a slip of the pen.
use convnet::prelude::*;

cnn! {
    pub struct Net: [1, 28, 28] -> [10] {
        residul { conv(1, kernel = 3, pad = 1); }
        flatten;
        fc: linear(10);
    }
}

fn main() {}
