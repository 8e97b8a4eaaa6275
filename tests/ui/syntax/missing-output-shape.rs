//! Input and output stand in the header, so that a reader sees both without reading the layers.
use convnet::prelude::*;
cnn! {
    pub struct Net: [1, 28, 28] {
        flatten;
        fc: linear(10);
    }
}

fn main() {
}
