//! Keras has the channels last.
#![deny(deprecated)]
use convnet::prelude::*;

cnn! {
    pub struct Net: [32, 32, 3] -> [10] {
        conv1: conv(16, kernel = 3, pad = 1); relu;
        flatten;
        fc: linear(10);
    }
}

fn main() {}
