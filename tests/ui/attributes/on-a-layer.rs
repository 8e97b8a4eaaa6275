//! Layers have no documentation of their own; a comment serves.
use convnet::prelude::*;
cnn! {
    pub struct Net: [3, 8, 8] -> [10] {
        flatten;
        /// The classifier.
        fc: linear(10);
    }
}

fn main() {}
