//! A linear layer in the wrong place is one mistake, and the pool after it none.
use convnet::prelude::*;
cnn! {
    pub struct Net: [1, 28, 28] -> [10] {
        conv(6, kernel = 5);
        fc1: linear(120);
        max_pool(2);
        flatten;
        fc2: linear(10);
    }
}

fn main() {}
