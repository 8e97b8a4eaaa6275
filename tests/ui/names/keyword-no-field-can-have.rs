//! A few keywords cannot even be written `r#...`; then the field has another name than the key.
use convnet::prelude::*;
cnn! {
    pub struct Net: [1, 28, 28] -> [10] { self: conv(4, kernel = 3); flatten; linear(10); }
}

fn main() {}
