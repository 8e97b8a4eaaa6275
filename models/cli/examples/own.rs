//! A program with networks of its own: all commands know them by name, as types.
//!
//! ```text
//! cargo run --release -p convnet-cli --example own -- models
//! cargo run --release -p convnet-cli --example own -- train --data FOLDER
//! ```

use convnet::prelude::*;

cnn! {
    /// The first of the list below, so the one that commands mean where they name none.
    struct Tiny<const CLASSES: usize = 3>: [3, 16, 16] -> [CLASSES] {
        conv(8, kernel = 3, pad = 1); relu; max_pool(2);
        flatten;
        linear(CLASSES);
    }

    /// With a module of dfdx's own, which is Rust: this network is what its type says, with no other sizes.
    struct Smooth: [3, 16, 16] -> [2] {
        conv(4, kernel = 3, pad = 1);
        custom act: convnet::dfdx::nn::modules::Tanh -> [4, 16, 16];
        max_pool(2);
        flatten;
        linear(2);
    }
}

fn main() -> std::process::ExitCode {
    convnet_cli::run(&[convnet_cli::declared::<Tiny>(), convnet_cli::declared::<Smooth>()])
}
