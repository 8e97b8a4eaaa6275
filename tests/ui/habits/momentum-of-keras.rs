//! Keras weighs the old statistics by the momentum.
use convnet::prelude::*;

cnn! {
    pub struct Net: [1, 28, 28] -> [10] {
        bn1: layers.BatchNormalization(momentum=0.99);
        flatten;
        fc: linear(10);
    }
}

fn main() {}
