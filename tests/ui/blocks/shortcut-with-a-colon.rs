//! A shortcut is no group with a name.
use convnet::prelude::*;

cnn! {
    pub struct Net: [1, 28, 28] -> [10] {
        residual { conv(6, kernel = 3, pad = 1); } shortcut: { conv(6, kernel = 1); }
        flatten;
        fc: linear(10);
    }
}

fn main() {}
