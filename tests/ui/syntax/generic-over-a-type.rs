//! A network is generic over sizes; dtype and device are added by the macro.
use convnet::prelude::*;
cnn! {
    pub struct Net<T>: [1, 28, 28] -> [10] {
        flatten;
        fc: linear(10);
    }
}

fn main() {
}
