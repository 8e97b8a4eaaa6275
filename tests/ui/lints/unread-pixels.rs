//! A stride leaves the last row and column unread.
#![deny(deprecated)]
use convnet::prelude::*;

cnn! {
    pub struct Net: [1, 28, 28] -> [10] {
        conv1: conv(6, kernel = 6, pad = 2); relu; max_pool(2);
        conv2: conv(16, kernel = 4, stride = 2); relu;
        flatten;
        fc: linear(10);
    }
}

fn main() {}
