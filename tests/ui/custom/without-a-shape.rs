//! Only the compiler knows what a module gives, so its shape is declared.
use convnet::prelude::*;
cnn! {
    pub struct Inner: [3, 8, 8] -> [10] {
        flatten;
        fc: linear(10);
    }

    pub struct Net: [3, 8, 8] -> [10] {
        custom part: Inner<E, D>;
    }
}

fn main() {}
