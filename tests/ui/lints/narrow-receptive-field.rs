//! No output can see the whole image.
#![deny(deprecated)]
use convnet::prelude::*;

cnn! {
    pub struct Net: [3, 64, 64] -> [2, 64, 64] {
        conv1: conv(16, kernel = 3, pad = 1); relu;
        conv2: conv(2, kernel = 3, pad = 1);
    }
}

fn main() {}
