//! Statically shaped convolutional networks for Rust.
//!
//! Modules in the order in which a program meets them: a network is declared with [`cnn!`] (whose words are explained in
//! [`words`]), is a [`graph`] with typed [`layers`], and runs through [`net`] on the [`backend`] of its device: the CPU
//! [`engine`], or [`portable`] for everything else. Around it, files become batches ([`data`]), batches train it
//! ([`train`], with [`optim`]), which leaves a [`report`], and it is kept in a [`checkpoint`]; what it has learned can be looked at
//! ([`explain`]). The [`device`] is chosen when the program runs.
#![deny(unsafe_code)]

/// The procedural macro behind [`cnn!`].
#[doc(hidden)]
pub use convnet_macros::cnn as __cnn;
pub use dfdx;
#[doc(no_inline)]
pub use rand_distr::StandardNormal;

pub mod atomic_file;
pub mod backend;
pub mod checkpoint;
pub mod data;
pub mod device;
pub mod diagram;
pub mod distributed;
pub mod engine;
pub mod explain;
pub mod graph;
pub mod layers;
pub mod net;
pub mod optim;
pub mod portable;
pub mod predict;
mod quietly;
mod random;
pub mod regular_file;
pub mod report;
pub mod train;
pub mod weights;
pub mod wording;
pub mod words;

#[doc = include_str!("language.md")]
#[macro_export]
macro_rules! cnn {
    // The path of this crate goes with the tokens, so that generated code finds it under every name and from every crate.
    ($($tokens:tt)*) => {
        $crate::__cnn! { ($crate) $($tokens)* }
    };
}

/// Everything a program that declares and runs a network needs, dfdx's own prelude included.
pub mod prelude {
    pub use crate::cnn;
    pub use crate::net::Probe;
    pub use crate::predict::Predictor;
    pub use dfdx::prelude::*;
}
