//! A network inside a network is written with its dtype and device.
use convnet::prelude::*;
cnn! {
    pub struct Inner: [3, 8, 8] -> [10] {
        flatten;
        fc: linear(10);
    }

    pub struct Net: [3, 8, 8] -> [10] {
        custom part: Inner -> [10];
    }
}

fn main() {}
