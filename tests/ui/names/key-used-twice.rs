//! The keys of weights are those of their fields unless `as` says otherwise; two parameters cannot have one key.
use convnet::prelude::*;
cnn! {
    pub struct Net: [1, 28, 28] -> [10] {
        conv(4, kernel = 3);
        relu;
        last as "0": conv(4, kernel = 3);
        dotted as "layer1.conv": conv(4, kernel = 3);
        flatten; linear(10);
    }
}

fn main() {}
