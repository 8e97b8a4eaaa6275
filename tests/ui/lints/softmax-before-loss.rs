//! The trainer's loss takes logits and does a softmax itself.
#![deny(deprecated)]
use convnet::prelude::*;

cnn! {
    pub struct Net: [1, 28, 28] -> [10] {
        flatten;
        fc1: linear(100); relu;
        fc2: linear(10); softmax;
    }
}

fn main() {}
