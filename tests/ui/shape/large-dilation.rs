//! A kernel with gaps covers more than the map; what a smaller one leaves is told for those gaps.
use convnet::prelude::*;
cnn! {
    pub struct Net: [6, 14, 14] -> [10] {
        conv(16, kernel = 5, dilation = 4);
        flatten;
        fc: linear(10);
    }
}

fn main() {}
