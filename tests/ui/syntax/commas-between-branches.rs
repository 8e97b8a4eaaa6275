//! Branches stand side by side, without commas.
use convnet::prelude::*;
cnn! {
    pub struct Net: [1, 28, 28] -> [10] {
        concat { a: { conv(8, kernel = 1); }, b: { conv(8, kernel = 3, pad = 1); }, }
        flatten;
        fc: linear(10);
    }
}

fn main() {}
