//! The pages of the book that hold Rust, one module for each, so that rustdoc compiles and runs their blocks. `tests/builds.rs` holds that
//! none is missing. A block that only shows a part is marked `ignore`, and says in the sentence before it what it is a part of.
#![forbid(unsafe_code)]

#[doc = include_str!("../../../docs/src/guide/distributed.md")]
mod distributed {}
