//! A network that no machine could hold is refused before it is unrolled.
use convnet::prelude::*;
cnn! {
    pub struct Net: [3, 8, 8] -> [3, 8, 8] { repeat 1000000000 { relu; } }

    pub struct Empty: [3, 8, 8] -> [3, 8, 8] { repeat 20000 { repeat 2 { if channels == 99 { relu; } } } repeat 9 { relu; } }

    pub struct Nested: [3, 8, 8] -> [3, 8, 8] { repeat 20000 { repeat 20000 { if channels == 99 { relu; } } } }
}

fn main() {}
