//! The `cnn!` procedural macro: a checked network to Rust tokens.
//!
//! What a network is and what is wrong with it, `convnet-language` says. Here it becomes Rust: the struct of its parameters, the
//! graph as a constant, thin impls. Whatever the errors, the struct is emitted: code that uses it does not light up. `words!` prints
//! the documentation of the language's words, and `embed!` puts a weights file into a program. Nothing here panics, or does any I/O
//! but for `file`.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod attributes;
mod editor;
mod embed;
mod emit;
mod export;
mod file;
mod include;
mod misused;
mod paths;
mod words;

#[cfg(test)]
mod tests;

use convnet_language::Checked;
use convnet_language::ast::Network;
use convnet_language::lints::Finding;
use convnet_language::report::Errors;
use include::Included;
use proc_macro2::TokenStream;
use std::collections::BTreeSet;

/// Declares convolutional networks. `convnet::cnn!` calls this with the path of its crate in parentheses before the networks.
///
/// This macro is defined in the crate `convnet-macros` and used as `convnet::cnn`, where its language is described; what it
/// generates needs the crate `convnet`.
#[proc_macro]
pub fn cnn(tokens: proc_macro::TokenStream) -> proc_macro::TokenStream {
    expand(tokens.into()).into()
}

/// Includes a weights file. `convnet::embed!` calls this with the path of its crate in parentheses before the network and the path.
///
/// This macro is defined in the crate `convnet-macros` and used as `convnet::embed`, where it is described.
#[proc_macro]
pub fn embed(tokens: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let (krate, tokens) = paths::split(tokens.into());
    paths::resolved(embed::expression(tokens), &krate).into()
}

/// Declares a documented constant for each layer word of [`cnn!`](macro@cnn), with its arguments, defaults, shapes and parameters.
///
/// It takes no tokens, and only the crate `convnet` calls it, in its module `words`.
#[doc(hidden)]
#[proc_macro]
pub fn words(_: proc_macro::TokenStream) -> proc_macro::TokenStream {
    words::constants().into()
}

fn expand(tokens: TokenStream) -> TokenStream {
    let (krate, tokens) = paths::split(tokens);
    if let Some(errors) = misused::error(&tokens) {
        return errors.compile_errors();
    }
    let items = match include::file(&tokens) {
        None => {
            let mut errors = Errors::default();
            let checked = checked(tokens, &mut errors);
            // What an editor follows comes first: errors differ with what is being typed, and would move it.
            let followed = checked.as_ref().map(|checked| editor::constant(&checked.tokens));
            let items = checked.map(|checked| items(&checked, &told(&checked)));
            let errors = errors.compile_errors();
            quote::quote!(#followed #errors #items)
        }
        Some(Ok(file)) => included(&file),
        Some(Err(error)) => error.to_compile_error(),
    };
    paths::resolved(items, &krate)
}

/// The networks of a file, in which an editor does not follow words from here.
fn included(file: &Included) -> TokenStream {
    let networks = checked(file.tokens(), &mut Errors::default()).map(|checked| items(&checked, &file.told));
    let (tracked, errors) = (file.tracked(), file.errors());
    quote::quote!(#tracked #errors #networks)
}

/// What there is to say about a network that is no error.
#[derive(Default)]
struct Told {
    warnings: Vec<emit::Warning>,
    notes: Vec<String>,
    /// Whether there is no error in the whole call.
    is_right: bool,
}

fn told(checked: &Checked) -> Vec<Told> {
    let of = |(findings, network): (&Vec<Finding>, &Network)| Told {
        warnings: findings.iter().map(|finding| emit::Warning::of(finding, network)).collect(),
        notes: findings.iter().map(Finding::note).collect(),
        is_right: true,
    };
    checked.findings.iter().zip(&checked.call.networks).map(of).collect()
}

/// The networks as items, and the macros that export them. Of those without mistakes there is something told.
fn items(checked: &Checked, told: &[Told]) -> TokenStream {
    let networks = &checked.call.networks;
    let exported = export::macros(&checked.tokens, networks);
    let (nothing, mut told_before) = (Told::default(), BTreeSet::new());
    let items = networks.iter().zip(&checked.graphs).enumerate().map(|(index, (network, graph))| {
        let Told { warnings, notes, is_right } = told.get(index).unwrap_or(&nothing);
        // What is written in Rust cannot be read at run time.
        let is_custom = graph.nodes.iter().any(convnet_language::graph::Node::is_custom);
        let source =
            (*is_right && !is_custom).then(|| convnet_language::print::network(network, &checked.call.blocks, true));
        let warnings = emit::warnings(network, warnings, &mut told_before);
        let network = emit::network(network, graph, *is_right, source.as_deref(), notes.clone());
        quote::quote!(#network #warnings)
    });
    let items: TokenStream = items.collect();
    quote::quote!(#items #exported)
}

/// A call's networks; nothing where none could be made out. What is found in them is nothing after an error.
fn checked(tokens: TokenStream, errors: &mut Errors) -> Option<Checked> {
    let mut checked = convnet_language::check(tokens, errors)?;
    checked.call.networks.iter_mut().for_each(|network| attributes::settle(network, errors));
    if errors.count() > 0 {
        checked.findings.clear();
    }
    Some(checked)
}
