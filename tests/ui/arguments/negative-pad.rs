//! A padding is 0 or more.
use convnet::prelude::*;
cnn! {
    pub struct Net: [1, 28, 28] -> [10] {
        conv1: conv(6, kernel = 3, pad = -1);
        flatten;
        fc: linear(10);
    }
}

fn main() {}
