//! A block is a template within its own call of `cnn!`, and nothing uses it there.
use convnet::prelude::*;
cnn! {
    block unit(out) { conv(out, kernel = 3); relu; }
}

fn main() {}
