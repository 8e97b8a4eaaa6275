//! The path in a constant, whose value no macro can know.
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

const PATH: &str = "weights/net.safetensors";
static NET: &Embedded = convnet::embed!(Net, PATH);

fn main() {
    let _ = NET.predictor();
}
