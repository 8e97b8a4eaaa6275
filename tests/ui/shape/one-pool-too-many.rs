//! Four pools are too many, whatever the padding of the convolution before them.
use convnet::prelude::*;
cnn! {
    pub struct Net: [6, 14, 14] -> [10] {
        conv2: conv(16, kernel = 5); relu;
        max_pool(2); max_pool(2); max_pool(2); max_pool(2);
        flatten;
        fc: linear(10);
    }
}

fn main() {}
