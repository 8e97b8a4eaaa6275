//! One macro is made.
use convnet::prelude::*;
cnn! {
    #[export(one, two)]
    pub struct Net: [3, 8, 8] -> [10] {
        flatten;
        fc: linear(10);
    }
}

fn main() {}
