//! Sizes end at 2^32 - 1, and one that grows beyond it is an error where it does.
use convnet::prelude::*;
cnn! {
    pub struct Net: [3, 8192, 8192] -> [10] { conv(64, kernel = 3, pad = 1); flatten; fc: linear(10); }

    pub struct Padded: [3, 8, 8] -> [3, 8, 8] { conv(3, kernel = 1, pad = 4294967295); }

    pub struct Wide: [3, 8, 8] -> [10] { repeat 63 { concat { identity; identity; } } global_avg_pool; linear(10); }

    pub struct Declared: [3, 8, 4294967296] -> [10] { global_avg_pool; linear(10); }
}

fn main() {}
