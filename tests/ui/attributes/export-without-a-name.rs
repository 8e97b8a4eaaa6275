//! `#[export(name)]` says what the macro is to be called.
use convnet::prelude::*;
cnn! {
    #[export]
    pub struct Net: [3, 8, 8] -> [10] {
        flatten;
        fc: linear(10);
    }
}

fn main() {}
