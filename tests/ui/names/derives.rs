//! A network is `Clone` and `Debug` by itself; what else is asked for, a network cannot be.
use convnet::prelude::*;
cnn! {
    #[derive(Debug, Clone, Copy, Default, PartialEq)]
    pub struct Net: [1, 28, 28] -> [10] { flatten; linear(10); }
}

fn main() {}
