//! The shape after a `custom` module is not what the module gives; here Rust's type checker compares.
use convnet::prelude::*;
cnn! {
    struct Stem: [1, 28, 28] -> [8, 14, 14] {
        conv(8, kernel = 3, pad = 1);
        max_pool(2);
    }
}

cnn! {
    struct Net: [1, 28, 28] -> [10] {
        custom stem: Stem<E, D> -> [8, 13, 13];
        flatten;
        linear(10);
    }
}

fn main() {}
