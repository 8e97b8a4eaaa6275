use convnet::prelude::*;

cnn! {
    pub struct Net: [1, 28, 28] -> [10] {
        head aux: [10] { flatten; linear(10); }
        flatten;
        fc: linear(10);
    }
}

fn main() {
}
