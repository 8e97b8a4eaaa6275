//! A batch in the header, by a name.
use convnet::prelude::*;

cnn! {
    pub struct Net: [N, 1, 28, 28] -> [10] {
        conv1: conv(6, kernel = 5, pad = 2); relu;
        flatten;
        fc: linear(10);
    }
}

fn main() {}
