//! Networks that are read while a program runs, with the same words, checks and errors as in [`cnn!`](crate::cnn).
//!
//! A text holds what stands between the braces of `cnn! { ... }`, and a network that was compiled has its own as
//! [`SOURCE`](crate::net::Network::SOURCE). What comes out is the same [`Graph`](crate::graph::Graph).
//!
//! ```
//! use convnet::language::{Sizes, read};
//!
//! let text = "struct Tiny<const CLASSES: usize = 10>: [1, 28, 28] -> [CLASSES] { flatten; linear(CLASSES); }";
//! let sizes = Sizes { numbers: vec![("CLASSES".into(), 3)], ..Sizes::default() };
//! let networks = read(text, &sizes).unwrap();
//! assert_eq!(networks[0].graph.param_count(), 28 * 28 * 3 + 3);
//!
//! let mistakes = read("struct Tiny: [1, 28, 28] -> [10] { linear(10); }", &Sizes::default()).unwrap_err();
//! assert!(mistakes.all()[0].message.contains("needs a vector"));
//! ```
//!
//! Behind the feature `read`, so that a crate whose networks are all compiled does not build the language a second time.
#![cfg(feature = "read")]

pub use convnet_language::{Mistake, Mistakes, Read, Sizes, read};
