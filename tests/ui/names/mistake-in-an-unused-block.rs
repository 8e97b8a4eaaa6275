//! A block that no network uses is checked all the same, without sizes.
use convnet::prelude::*;
cnn! {
    block unit(out) { conv(out, kernal = 3); relu; }

    pub struct Net: [1, 28, 28] -> [10] { flatten; linear(10); }
}

fn main() {}
