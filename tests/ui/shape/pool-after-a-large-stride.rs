//! A stride that is larger than its kernel leaves nothing to pool; the smaller one was tried.
use convnet::prelude::*;
cnn! {
    pub struct Net: [6, 14, 14] -> [10] {
        conv2: conv(16, kernel = 5, stride = 20); relu;
        max_pool(2);
        flatten;
        fc: linear(10);
    }
}

fn main() {}
