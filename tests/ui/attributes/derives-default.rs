//! A network is built on a device.
use convnet::prelude::*;
cnn! {
    #[derive(Clone, Default, Debug)]
    pub struct Net: [3, 8, 8] -> [10] {
        flatten;
        fc: linear(10);
    }
}

fn main() {}
