//! A misspelt attribute.
use convnet::prelude::*;
cnn! {
    #[exprot(net)]
    pub struct Net: [3, 8, 8] -> [10] {
        flatten;
        fc: linear(10);
    }
}

fn main() {}
