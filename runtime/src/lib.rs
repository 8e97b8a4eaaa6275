//! Convolutional networks in Rust, checked when they are compiled.
#![doc = include_str!("../README.md")]
//! # Modules
//!
//! In the order in which a program meets them: a network is declared with [`cnn!`] (whose words are explained in
//! [`words`]), is a [`graph`] with typed [`layers`], and runs through [`net`] on the [`backend`] of its device: the CPU
//! [`engine`], or [`portable`] for everything else. Around it, files become batches ([`data`]), batches train it
//! ([`train`], with [`optim`]) for an [`objective`], which leaves a [`report`], and its [`weights`] are kept in a file, or in the program
//! ([`mod@embed`]); what it has learned can be looked at ([`explain`]). The [`device`] is chosen when the program runs.
#![deny(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub use convnet_graph::{self as graph, diagram};
/// The procedural macro behind [`cnn!`].
#[doc(hidden)]
pub use convnet_macros::cnn as __cnn;
/// The procedural macro behind [`embed!`].
#[doc(hidden)]
pub use convnet_macros::embed as __embed;
pub use dfdx;
#[doc(no_inline)]
pub use rand_distr::StandardNormal;

#[doc(hidden)]
pub mod atomic_file;
pub mod backend;
pub mod data;
pub mod device;
pub mod distributed;
pub mod embed;
pub mod explain;
#[doc(hidden)]
pub mod format_version;
pub mod language;
pub mod layers;
pub mod net;
pub mod objective;
pub mod onnx;
pub mod optim;
#[doc(hidden)]
pub mod portable;
pub mod predict;
mod quietly;
#[doc(hidden)]
pub mod regular_file;
pub mod report;
pub mod train;
mod walk;
pub mod weights;
#[doc(hidden)]
pub mod wording;
pub mod words;

/// The CPU engine, a crate of its own: how many threads it has, and how exactly and on what kind of processor it computes.
pub mod engine {
    #[doc(hidden)]
    pub use crate::device::cpu::{run, run_with};
    pub use convnet_engine::{Isa, Precision, set_precision, set_threads, threads};
    // Plans over slices and their times, which the program, tests and benchmarks look at by themselves.
    #[doc(hidden)]
    pub use convnet_engine::{
        Cache, EngineError, Mode, Options, Pass, Session, Weight, peak, precision, profile, sum_of_squares, update,
    };
}

#[doc = include_str!("language.md")]
#[macro_export]
macro_rules! cnn {
    // The path of this crate goes with the tokens, so that generated code finds it under every name and from every crate.
    ($($tokens:tt)*) => {
        $crate::__cnn! { ($crate) $($tokens)* }
    };
}

/// Compiles a network's weights into the program: `embed!(Net, "net.safetensors")` is a [`&'static Embedded`](embed::Embedded).
///
/// The path is relative to the file of the call, as in [`include_bytes!`], and may be made of texts by `concat!` and `env!`. The file is
/// a safetensors file, as `convnet train` writes it; `convnet convert` makes one of a file of PyTorch or NumPy. A changed file is
/// noticed by cargo.
///
/// Tensors are the network's in names, shapes and types of elements (half, single or double precision), or the program does not compile:
/// as [`weights::load`] has it, a prefix of all names comes off, and `num_batches_tracked` is left out.
///
/// ```text
/// error[E0080]: evaluation panicked: digits.safetensors does not fit LeNet5:
///                 wrong shape: fc3.weight (expected [10, 84], found [12, 84]), fc3.bias (expected [10], found [12])
///                 fix: the file is of a network with 12 outputs: give this one as many
/// ```
///
/// ```
/// use convnet::embed::Embedded;
/// use convnet::prelude::*;
///
/// cnn! {
///     pub struct LeNet5: [1, 28, 28] -> [10] {
///         conv1: conv(6, kernel = 5, pad = 2);
///         relu; max_pool(2);
///         conv2: conv(16, kernel = 5);
///         relu; max_pool(2);
///         flatten;
///         fc1: linear(120); relu;
///         fc2: linear(84); relu;
///         fc3: linear(10);
///     }
/// }
///
/// static DIGITS: &Embedded = convnet::embed!(LeNet5, "../examples/digits/lenet5.safetensors");
///
/// let pixels = DIGITS.preparation()?.read("examples/digits/three.png".as_ref())?;
/// let prediction = DIGITS.predict(&pixels)?.remove(0);
/// let (class, probability) = prediction.top(1)[0];
/// assert_eq!(DIGITS.classes()?.names()[class], "3");
/// assert!(probability > 0.9);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[macro_export]
macro_rules! embed {
    ($($tokens:tt)*) => {
        $crate::__embed! { ($crate) $($tokens)* }
    };
}

/// What generated code names, and nobody else: it may change with any version.
#[doc(hidden)]
pub mod __private {
    pub use crate::backend::State;
    pub use crate::embed::{Aligned, Header, Stored, fits, graph_of};
    pub use crate::layers::NoParams;
    pub use crate::net::{Map, Part, Reader, Traced, Writer, reshape};
    pub use crate::walk::{Walk, WalkMut, Walked};
    pub use convnet_graph::largest;
    pub use std::borrow::Cow;
}

/// Everything a program that declares and runs a network needs, dfdx's own prelude included.
pub mod prelude {
    pub use crate::cnn;
    pub use crate::net::Inspect;
    pub use crate::predict::Predictor;
    pub use dfdx::prelude::*;
}
