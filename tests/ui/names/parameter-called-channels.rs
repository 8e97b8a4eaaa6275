//! `channels`, `height` and `width` are the shape at the point of use, and nothing else can have these names.
use convnet::prelude::*;
cnn! {
    block unit(channels) { conv(channels, kernel = 3); }

    pub struct Net<const height: usize = 10>: [1, 28, 28] -> [10] { unit(4); flatten; linear(10); }
}

fn main() {}
