//! Two activations follow each other.
#![deny(deprecated)]
use convnet::prelude::*;

cnn! {
    pub struct Net: [1, 28, 28] -> [10] {
        conv1: conv(6, kernel = 5); relu; relu;
        conv2: conv(6, kernel = 5); tanh; sigmoid;
        flatten;
        fc: linear(10);
    }
}

fn main() {}
