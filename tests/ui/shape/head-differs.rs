//! The layers of an auxiliary head give another shape than the head declares.
use convnet::prelude::*;
cnn! {
    struct Net: [1, 28, 28] -> [10] {
        conv(8, kernel = 3);
        head aux: [10] { global_avg_pool; linear(12); }
        flatten;
        linear(10);
    }
}

fn main() {}
