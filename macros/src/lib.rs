//! The `cnn!` procedural macro: tokens in, a checked and statically shaped network out.
//!
//! ```text
//! tokens --parse--> ast (as written) --check--> graph (as meant: shapes, costs) --emit--> Rust items
//! ```
//!
//! Each pass collects its errors in `report::Errors` and goes on as far as it can, so that one run shows every mistake
//! once. Whatever the errors, the struct is emitted: code that uses it does not light up. No pass does any I/O, and none
//! panics.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod ast;
mod parse;
mod paths;

mod catalog;
mod values;

mod check;
mod cost;
mod graph;
mod layers;
mod shape;
mod trace;
mod walk;

mod emit;
mod export;
mod report;

#[cfg(test)]
mod tests;

/// Declares convolutional networks. `convnet::cnn!` calls this with the path of its crate in parentheses before the networks.
///
/// This macro is defined in the crate `convnet-macros` and used as `convnet::cnn`, where its language is described; what it
/// generates needs the crate `convnet`.
#[proc_macro]
pub fn cnn(tokens: proc_macro::TokenStream) -> proc_macro::TokenStream {
    expand(tokens.into()).into()
}

fn expand(tokens: proc_macro2::TokenStream) -> proc_macro2::TokenStream {
    let (krate, tokens) = paths::split(tokens);
    let mut errors = report::Errors::default();
    let Some(tokens) = parse::prepared(tokens, &mut errors) else { return errors.compile_errors() };
    let call = parse::call(tokens.clone(), &mut errors);
    let exported = export::macros(&tokens, &call.networks);
    let graphs = check::call(&call, &mut errors);
    let items = call.networks.iter().zip(&graphs).map(|(network, graph)| emit::network(network, graph));
    let items: proc_macro2::TokenStream = items.collect();
    let errors = errors.compile_errors();
    paths::resolved(quote::quote! { #errors #items #exported }, &krate)
}
