//! Builds every network of the zoo with its type, at full size, runs it forward and through a step of training, and compares the
//! bits with those of the network without a type.
//!
//! It is a script and not a test: 29 types take the compiler some minutes.
//!
//! `cargo bench -p convnet-benches --bench typed -- [NAME ...]`

#[path = "../models/tests/common/twins.rs"]
mod twins;

use convnet::dfdx::prelude::Cpu;
use convnet_models::{CATALOGUE, Model, WithModel, with_model};
use std::error::Error;

struct Compare;

impl WithModel for Compare {
    type Output = Result<(), Box<dyn Error>>;

    fn run<N: Model>(self, _: &'static str) -> Self::Output {
        twins::compare::<N::On<Cpu>>(2)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    for entry in CATALOGUE.iter().filter(|entry| asked.is_empty() || asked.iter().any(|name| name == entry.name)) {
        with_model(entry.name, Compare)??;
        println!("{}: the same bits with and without a type", entry.name);
    }
    Ok(())
}
