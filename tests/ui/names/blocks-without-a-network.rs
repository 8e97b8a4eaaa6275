use convnet::prelude::*;

cnn! {
    block unit(out) { conv(out, kernel = 3); relu; }
}

fn main() {}
