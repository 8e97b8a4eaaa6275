use convnet::prelude::*;

cnn! {
    pub struct E: [1, 28, 28] -> [10] { flatten; linear(10); }
}

fn main() {}
