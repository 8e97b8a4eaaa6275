//! The program `convnet`.
fn main() {}
