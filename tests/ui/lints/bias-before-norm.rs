//! The mean that batch normalisation takes away takes the bias with it.
#![deny(deprecated)]
use convnet::prelude::*;

cnn! {
    block unit(out) {
        conv1: conv(out, kernel = 3, pad = 1);
        bn1: batch_norm; relu;
    }

    pub struct Small: [3, 32, 32] -> [10] {
        stem: unit(8);
        layer1: { repeat 3 { unit(8); } }
        global_avg_pool;
        fc: linear(10);
    }

    pub struct Large<const CLASSES: usize = 10>: [3, 32, 32] -> [CLASSES] {
        stem: unit(16);
        global_avg_pool;
        fc: linear(CLASSES, bias = true);
    }
}

fn main() {}
