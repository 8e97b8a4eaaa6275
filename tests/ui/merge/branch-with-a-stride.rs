//! One branch has a stride, and the other one none.
use convnet::prelude::*;
cnn! {
    pub struct Net: [1, 28, 28] -> [10] {
        concat {
            { conv(8, kernel = 1); relu; }
            { conv(8, kernel = 3, stride = 2, pad = 1); relu; }
        }
        flatten;
        fc: linear(10);
    }
}

fn main() {}
