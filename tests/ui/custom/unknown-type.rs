//! There is no such type.
use convnet::prelude::*;
cnn! {
    pub struct Inner: [3, 8, 8] -> [10] {
        flatten;
        fc: linear(10);
    }

    pub struct Net: [3, 8, 8] -> [10] {
        custom part: Nowhere -> [10];
    }
}

fn main() {}
