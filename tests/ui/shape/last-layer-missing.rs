//! A network that ends with an activation after a linear layer lacks its last layer.
use convnet::prelude::*;
cnn! {
    pub struct Net: [1, 28, 28] -> [10] {
        flatten;
        fc1: linear(120); relu;
        fc2: linear(84); relu;
    }
}

fn main() {}
