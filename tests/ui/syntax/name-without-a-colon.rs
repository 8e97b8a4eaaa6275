//! A name without its colon.
use convnet::prelude::*;

cnn! {
    pub struct Net: [1, 28, 28] -> [10] {
        conv1 conv(6, kernel = 5); relu;
        flatten;
        fc: linear(10);
    }
}

fn main() {}
