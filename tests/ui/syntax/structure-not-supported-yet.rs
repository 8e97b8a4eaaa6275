use convnet::prelude::*;

cnn! {
    pub struct Net: [1, 28, 28] -> [10] {
        residual { conv(1, kernel = 1); }
        flatten;
        fc: linear(10);
    }
}

fn main() {
}
