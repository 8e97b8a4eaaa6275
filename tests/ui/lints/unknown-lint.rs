//! There is no such lint.
use convnet::prelude::*;
cnn! {
    pub struct Net: [1, 28, 28] -> [10] {
        #[allow(unread_pixel)]
        max_pool(5);
        flatten;
        fc: linear(10);
    }
}

fn main() {}
