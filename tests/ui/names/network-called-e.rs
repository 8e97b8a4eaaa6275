//! The struct has `E` and `D` as its generics, so it cannot itself be called so.
use convnet::prelude::*;
cnn! {
    pub struct E: [1, 28, 28] -> [10] { flatten; linear(10); }
}

fn main() {}
