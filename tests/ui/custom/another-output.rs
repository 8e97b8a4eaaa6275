//! The module gives another shape than the one that is declared for it.
use convnet::prelude::*;
cnn! {
    pub struct Inner: [3, 8, 8] -> [10] {
        flatten;
        fc: linear(10);
    }

    pub struct Net: [3, 8, 8] -> [20] {
        custom part: Inner<E, D> -> [20];
    }
}

fn main() {}
