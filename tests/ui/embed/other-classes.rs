//! The file is of a network for another number of classes.
use convnet::embed::Embedded;
use convnet::prelude::*;

cnn! {
    struct Net<const CLASSES: usize = 3>: [1, 4, 4] -> [CLASSES] {
        conv1: conv(2, kernel = 3);
        relu; norm: batch_norm;
        flatten;
        fc: linear(CLASSES);
    }
}

static NET: &Embedded = convnet::embed!(Net::<4>, "weights/five_classes.safetensors");

fn main() {
    let _ = NET.predictor();
}
