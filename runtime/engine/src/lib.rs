//! The CPU engine for `f32`: a whole network, or any part of one, forward and backward, over slices.
//!
//! It knows graphs and numbers, never tensors, tapes or devices: those are the business of `convnet`, which is built on it.
//!
//! A `plan` is made once for each batch size and kind of pass: the `planner` finds where every value lies in one arena (`layout`,
//! `regions`), `emit` writes which steps run in which order, and both ask `ops` for what there is to know of an operation, whose
//! convolutions have their lists of taps from `geometry`. The `kernels` run the steps of a `program` on the `threads` of a team.
//! [`Cache`] lends [`Pass`]es to whoever trains; a [`Session`] is a network packed once for inference.
//!
//! Everything that is called for each element is inlined or generic, so that a dependent needs neither LTO nor fewer codegen units
//! for its speed.
#![deny(unsafe_code)]

mod algorithm;
mod arena;

mod emit;
mod error;
mod geometry;
#[allow(unsafe_code)]
mod kernels;
mod layout;
mod limits;
mod node;
mod numbers;
mod ops;
mod pass;
mod peak;
mod plan;
mod planner;
pub mod profile;
mod program;
pub mod random;
mod regions;
mod session;
mod threads;
mod writer;

pub use algorithm::{Precision, precision, set_precision};
pub use error::EngineError;
pub use kernels::Isa;
pub use numbers::{sum_of_squares, update};
pub use pass::{Cache, Mode, Pass};
pub use peak::peak;
pub use session::{Options, Session, Weight};
pub use threads::{set_threads, threads};
