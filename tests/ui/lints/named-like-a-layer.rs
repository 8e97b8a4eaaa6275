//! A `:` for a `;` makes a name of the layer that was meant.
#![deny(deprecated)]
use convnet::prelude::*;

cnn! {
    pub struct Net: [1, 28, 28] -> [10] {
        conv1: conv(6, kernel = 5, pad = 2);
        relu: max_pool(2);
        flatten;
        fc: linear(10);
    }
}

fn main() {}
