//! The last layer gives what the network gives; there is no word for it.
use convnet::prelude::*;
cnn! {
    pub struct Net: [1, 28, 28] -> [10] {
        flatten;
        fc2: linear(84); relu;
        return fc3: linear(10);
    }
}

fn main() {}
