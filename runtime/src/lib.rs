//! Statically shaped convolutional networks for Rust.
//!
//! Modules in the order in which data meets them: a network is declared with [`cnn!`], is a [`graph`] with typed
//! [`layers`], and runs through [`net`] on a [`backend`].

pub use convnet_macros::cnn;
pub use dfdx;

pub mod backend;
pub mod engine;
pub mod graph;
pub mod layers;
pub mod net;
pub mod portable;

/// Everything a program that declares and runs a network needs, dfdx's own prelude included.
pub mod prelude {
    pub use crate::cnn;
    pub use dfdx::prelude::*;
}
