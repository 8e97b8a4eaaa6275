//! A sequence is a field of its own, so it has a name; only in `concat` it may have none.
use convnet::prelude::*;
cnn! {
    pub struct Net: [1, 28, 28] -> [10] {
        { relu; }
        flatten;
        fc: linear(10);
    }
}

fn main() {
}
