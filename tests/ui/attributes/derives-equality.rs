//! Networks are not compared.
use convnet::prelude::*;
cnn! {
    #[derive(PartialEq)]
    pub struct Net: [3, 8, 8] -> [10] {
        flatten;
        fc: linear(10);
    }
}

fn main() {}
