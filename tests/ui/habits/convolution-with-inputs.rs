//! A convolution as PyTorch calls it, without a path: its translation.
use convnet::prelude::*;

cnn! {
    pub struct Net: [1, 28, 28] -> [10] {
        conv1: Conv2d(1, 6, 5, padding=2);
        flatten;
        fc: linear(10);
    }
}

fn main() {}
