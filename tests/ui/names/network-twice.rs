//! Two networks of one call cannot have one name.
use convnet::prelude::*;
cnn! {
    pub struct Net: [1, 28, 28] -> [10] { flatten; linear(10); }
    pub struct Net: [3, 32, 32] -> [10] { flatten; linear(10); }
}

fn main() {
    let _ = Net::PARAMS;
}
