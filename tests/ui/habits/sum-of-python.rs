//! A residual as Python writes it.
use convnet::prelude::*;

cnn! {
    pub struct Net: [1, 28, 28] -> [10] {
        x = x + conv(1, kernel = 3, pad = 1);
        flatten;
        fc: linear(10);
    }
}

fn main() {}
