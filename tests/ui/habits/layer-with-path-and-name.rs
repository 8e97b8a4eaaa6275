//! A layer of PyTorch as a statement of Python: its translation.
use convnet::prelude::*;

cnn! {
    pub struct Net: [1, 28, 28] -> [10] {
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2);
        flatten;
        fc: linear(10);
    }
}

fn main() {}
