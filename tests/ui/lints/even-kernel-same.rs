//! An even kernel cannot lie around its pixel, so one side gets more zeros.
#![deny(deprecated)]
use convnet::prelude::*;

cnn! {
    pub struct Net: [1, 28, 28] -> [10] {
        conv1: conv(6, kernel = 4, pad = same); relu;
        flatten;
        fc: linear(10);
    }
}

fn main() {}
