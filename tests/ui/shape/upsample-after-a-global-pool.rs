//! A global pool gives a vector, so what takes a map stands before it.
use convnet::prelude::*;
cnn! {
    pub struct Net: [16, 14, 14] -> [10] {
        global_max_pool;
        upsample(3);
        flatten;
        fc: linear(10);
    }
}

fn main() {}
