//! A network with a custom module, which no predictor can hold.
use convnet::embed::Embedded;
use convnet::prelude::*;

cnn! {
    struct Inner: [2, 2, 2] -> [2, 2, 2] { relu; }

    struct Net: [1, 4, 4] -> [3] {
        conv1: conv(2, kernel = 3);
        custom norm: Inner<E, D> -> [2, 2, 2];
        flatten;
        fc: linear(3);
    }
}

static NET: &Embedded = convnet::embed!(Net, "weights/older.safetensors");

fn main() {
    let _ = NET.predictor();
}
