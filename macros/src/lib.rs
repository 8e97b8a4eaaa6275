//! The `cnn!` procedural macro: a checked network to Rust tokens.
//!
//! What a network is and what is wrong with it, `convnet-language` says. Here it becomes Rust: the struct of its parameters, the
//! graph as a constant, thin impls. Whatever the errors, the struct is emitted: code that uses it does not light up. `words!` prints
//! the documentation of the language's words, and `embed!` puts a weights file into a program. Nothing here panics, or does any I/O
//! but for `embed/file`.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod attributes;
mod editor;
mod embed;
mod emit;
mod export;
mod misused;
mod paths;
mod words;

#[cfg(test)]
mod tests;

use convnet_language::report::Errors;

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

fn expand(tokens: proc_macro2::TokenStream) -> proc_macro2::TokenStream {
    let (krate, tokens) = paths::split(tokens);
    if let Some(errors) = misused::error(&tokens) {
        return errors.compile_errors();
    }
    let mut errors = Errors::default();
    let Some(mut checked) = convnet_language::check(tokens, &mut errors) else { return errors.compile_errors() };
    checked.call.networks.iter_mut().for_each(|network| attributes::settle(network, &mut errors));
    let networks = &checked.call.networks;
    let exported = export::macros(&checked.tokens, networks);
    let is_right = errors.count() == 0;
    let findings = |index: usize| checked.findings.get(index).filter(|_| is_right).map_or(&[][..], Vec::as_slice);
    let mut told = std::collections::BTreeSet::new();
    let items = networks.iter().zip(&checked.graphs).enumerate().map(|(index, (network, graph))| {
        // What is written in Rust cannot be read at run time.
        let is_custom = graph.nodes.iter().any(convnet_language::graph::Node::is_custom);
        let source =
            (is_right && !is_custom).then(|| convnet_language::print::network(network, &checked.call.blocks, true));
        let warnings = emit::warnings(network, findings(index), &mut told);
        let network = emit::network(network, graph, source.as_deref(), findings(index));
        quote::quote!(#network #warnings)
    });
    let items: proc_macro2::TokenStream = items.collect();
    let (followed, errors) = (editor::constant(&checked.tokens), errors.compile_errors());
    paths::resolved(quote::quote! { #followed #errors #items #exported }, &krate)
}
