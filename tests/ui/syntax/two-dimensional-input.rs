//! An image has channels, even if it is one; a shape is `[C, H, W]`.
use convnet::prelude::*;
cnn! {
    pub struct Net: [28, 28] -> [10] {
        flatten;
        fc: linear(10);
    }
}

fn main() {
}
