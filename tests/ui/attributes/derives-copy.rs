//! Parameters are memory of their own, which is not copied by the way.
use convnet::prelude::*;
cnn! {
    #[derive(Copy)]
    pub struct Net: [3, 8, 8] -> [10] {
        flatten;
        fc: linear(10);
    }
}

fn main() {}
