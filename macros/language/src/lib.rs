//! The language of `cnn!`: tokens or text in, a checked network out.
//!
//! ```text
//! tokens --parse--> ast (as written) --check--> graph (as meant: operations, shapes, costs)
//! ```
//!
//! Both readers of the language come here: rustc by `cnn!`, whose crate prints a checked network as Rust, and a running program.
//! So there is one grammar, one arithmetic of shapes and one wording of errors. Each pass collects its errors in
//! [`report::Errors`] and goes on as far as it can, so that one run shows every mistake once. No pass does any I/O, and none
//! panics. Attributes, visibility and the types of `custom` modules pass through as tokens that nobody here reads.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

#[allow(missing_docs)] // What the grammar in `parse` says.
pub mod ast;
mod parse;

#[cfg(feature = "read")]
mod alone;
mod args;
pub mod habits;
mod layers;
pub mod lint;
pub mod lints;
mod signature;
mod values;
pub mod words;

mod budgets;
mod chain;
mod check;
#[allow(missing_docs)] // Each field and case is what its name says.
pub mod cost;
mod functions;
#[allow(missing_docs)]
pub mod graph;
#[cfg(feature = "read")]
mod mistakes;
#[cfg(feature = "read")]
mod numbers;
pub mod print;
#[cfg(feature = "read")]
mod read;
pub mod report;
mod shape;
pub mod text;
mod trace;
mod walk;

#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;
#[cfg(feature = "read")]
pub use {
    alone::{is_name, shape},
    mistakes::{Mistake, Mistakes},
    read::{Read, Sizes, read},
};

/// What a call of `cnn!` holds, as written and as meant.
pub struct Checked {
    /// Blocks and networks as they were written.
    pub call: ast::Call,
    /// The graph of each network, as complete as its errors allow.
    pub graphs: Vec<graph::Graph>,
    /// What the lints find in each; nothing after an error.
    pub findings: Vec<Vec<lints::Finding>>,
    /// The tokens, without the invisible groups of `macro_rules!`.
    pub tokens: TokenStream,
}

/// Reads and checks everything in a call of `cnn!`. Nothing where no network could be made out at all; `errors` say why.
pub fn check(tokens: TokenStream, errors: &mut report::Errors) -> Option<Checked> {
    let (call, tokens) = parsed(tokens, errors)?;
    let graphs = check::call(&call, true, errors);
    let findings = match errors.count() {
        0 => call.networks.iter().zip(&graphs).map(|(network, graph)| lints::find(graph, network)).collect(),
        _ => Vec::new(),
    };
    Some(Checked { call, graphs, findings, tokens })
}

/// What stands in a call of `cnn!`, not checked yet, and its tokens without the invisible groups of `macro_rules!`.
fn parsed(tokens: TokenStream, errors: &mut report::Errors) -> Option<(ast::Call, TokenStream)> {
    let tokens = parse::prepared(tokens, errors)?;
    Some((parse::call(tokens.clone(), errors), tokens))
}
