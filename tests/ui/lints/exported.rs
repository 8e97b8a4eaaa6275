//! A size that an exported network does not divide.
#![deny(deprecated)]
use convnet::prelude::*;

cnn! {
    #[export(tiny)]
    pub struct Tiny<const CLASSES: usize = 10>: [1, 28, 28] -> [CLASSES] {
        conv1: conv(8, kernel = 3, pad = 1); relu; max_pool(2); max_pool(2);
        flatten;
        fc1: linear(100); relu; relu;
        fc2: linear(CLASSES);
    }
}

tiny! { pub struct Fits: [1, 32, 32] -> [5] }

tiny! { pub struct Odd: [1, 30, 27] -> [5] }

tiny! {
    #[allow(unread_pixels)]
    pub struct Meant: [1, 30, 27] -> [5]
}

fn main() {}
