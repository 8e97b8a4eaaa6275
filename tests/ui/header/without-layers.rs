//! A network has its layers in braces.
use convnet::prelude::*;
cnn! {
    pub struct Net: [3, 32, 32] -> [10];
}

fn main() {}
