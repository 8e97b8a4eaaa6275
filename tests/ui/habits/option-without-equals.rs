//! An option without its `=`.
use convnet::prelude::*;

cnn! {
    pub struct Net: [1, 28, 28] -> [10] {
        conv1: conv(16, kernel 5);
        flatten;
        fc: linear(10);
    }
}

fn main() {}
