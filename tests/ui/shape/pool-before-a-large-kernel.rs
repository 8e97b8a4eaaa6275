//! A pool leaves one pixel for the kernel after it, so that the pool is at fault.
use convnet::prelude::*;
cnn! {
    pub struct Net: [1, 28, 28] -> [10] {
        max_pool(20);
        conv(6, kernel = 10);
        flatten;
        fc: linear(10);
    }
}

fn main() {}
