//! Keras counts the old statistics, where the momentum here is the weight of the new batch.
#![deny(deprecated)]
use convnet::prelude::*;

cnn! {
    pub struct Net: [1, 28, 28] -> [10] {
        conv1: conv(6, kernel = 5, bias = false);
        bn1: batch_norm(momentum = 0.99); relu;
        flatten;
        fc: linear(10);
    }
}

fn main() {}
