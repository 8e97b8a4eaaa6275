//! A short run of `examples/fuzz.rs`, which says what it does and tries a hundred times as much.

mod harness;

#[test]
fn mutated_networks_end_in_words() {
    harness::all_are_right();
    println!("{}", harness::mutated(10_000, 1));
}

#[test]
fn random_tokens_end_in_words() {
    println!("{}", harness::random(4_000, 1));
}
