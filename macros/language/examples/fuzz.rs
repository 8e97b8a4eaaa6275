//! Mutated networks and streams of random tokens, in process: whatever a text is, reading it ends soon and in words.
//!
//! `cargo run --release -p convnet-language --example fuzz -- 1000000 200000 [random seed]` tries so many of each. A shorter run
//! is one of the tests.

#[path = "../tests/harness/mod.rs"]
mod harness;

fn main() {
    let mut numbers = std::env::args().skip(1).map(|number| number.parse::<u64>());
    let mut next = |default: u64| match numbers.next() {
        None => default,
        Some(Ok(number)) => number,
        Some(Err(error)) => {
            eprintln!("mutated networks, streams of tokens and the random seed are whole numbers: {error}");
            std::process::exit(2);
        }
    };
    let (mutated, random, seed) = (next(1_000_000), next(200_000), next(1));
    harness::all_are_right();
    println!("{}", harness::mutated(mutated, seed));
    println!("{}", harness::random(random, seed));
}
