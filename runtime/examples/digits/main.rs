//! A program that knows digits: LeNet-5 and its weights are in it, and it needs nothing else.
//!
//! ```sh
//! cargo run --release -p convnet --example digits -- three.png
//! ```
//!
//! `lenet5.safetensors` is what `convnet train lenet5` writes; its numbers are in `docs/src/results.md`. benches/NOTES.md ("One file that
//! answers") has how this is built as a single static binary, and how fast it starts.

use convnet::embed::Embedded;
use convnet::prelude::*;
use std::error::Error;
use std::path::Path;

cnn! {
    pub struct LeNet5: [1, 28, 28] -> [10] {
        conv1: conv(6, kernel = 5, pad = 2);
        relu; max_pool(2);
        conv2: conv(16, kernel = 5);
        relu; max_pool(2);
        flatten;
        fc1: linear(120); relu;
        fc2: linear(84); relu;
        fc3: linear(10);
    }
}

static DIGITS: &Embedded = convnet::embed!(LeNet5, "lenet5.safetensors");

fn main() -> Result<(), Box<dyn Error>> {
    let (preparation, classes) = (DIGITS.preparation()?, DIGITS.classes()?);
    for path in std::env::args_os().skip(1) {
        let pixels = preparation.read(Path::new(&path))?;
        for prediction in DIGITS.predict(&pixels)? {
            let [(class, probability), ..] = prediction.top(1)[..] else { return Err("no answer".into()) };
            println!("{}: {} ({:.1} %)", Path::new(&path).display(), classes.names()[class], probability * 100.0);
        }
    }
    Ok(())
}
