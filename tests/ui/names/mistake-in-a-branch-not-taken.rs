//! What an `if` does not choose is checked all the same, without sizes.
use convnet::prelude::*;
cnn! {
    pub struct Net: [1, 28, 28] -> [10] {
        if channels == 3 { conv(4, kernel = 1); rellu; }
        flatten; linear(10);
    }
}

fn main() {}
