//! The branches of a `concat` stand in one pair of braces.
use convnet::prelude::*;
cnn! {
    pub struct Net: [1, 28, 28] -> [10] {
        concat { conv(8, kernel = 1); } { conv(8, kernel = 3, pad = 1); }
        flatten;
        fc: linear(10);
    }
}

fn main() {}
