//! The network was changed after it was trained: it has another layer, and lacks one.
use convnet::embed::Embedded;
use convnet::prelude::*;

cnn! {
    struct Net: [1, 4, 4] -> [3] {
        conv1: conv(2, kernel = 3);
        relu; norm: batch_norm;
        flatten;
        fc: linear(3);
    }
}

static NET: &Embedded = convnet::embed!(Net, "weights/older.safetensors");

fn main() {
    let _ = NET.predictor();
}
