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
