//! The second declaration of a block would hide the first.
use convnet::prelude::*;
cnn! {
    block unit(out) { conv(out, kernel = 3); }
    block unit(out) { conv(out, kernel = 5); }

    pub struct Net: [1, 28, 28] -> [10] { unit(4); flatten; linear(10); }
}

fn main() {}
