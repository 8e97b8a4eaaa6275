//! Arguments from a `macro_rules!` of one's own are checked like others; the error is on the token that was passed.
use convnet::prelude::*;
macro_rules! net {
    ($name:ident, $kernel:expr, $bias:expr) => {
        cnn! {
            pub struct $name: [1, 28, 28] -> [10] { conv(4, kernel = $kernel, bias = $bias); flatten; linear(10); }
        }
    };
}

net!(Fits, (3, 5), false);
net!(TooLarge, (3, 50), false);
net!(NoFlag, 3, 1);

fn main() {}
