//! Dropout changes the variance in training only, and batch normalisation remembers it.
#![deny(deprecated)]
use convnet::prelude::*;

cnn! {
    pub struct Net: [3, 32, 32] -> [10] {
        conv1: conv(16, kernel = 3, pad = 1); relu; dropout(0.2);
        conv2: conv(16, kernel = 3, pad = 1, bias = false); bn2: batch_norm; relu;
        global_avg_pool;
        fc: linear(10);
    }
}

fn main() {}
