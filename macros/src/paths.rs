//! Where generated code finds the crate `convnet`.
//!
//! All passes write `::__convnet` for it, which exists nowhere. The macro's own crate says what it is really called: as
//! `$crate`, which is right whatever a manifest names it and from whatever crate a network comes.

use proc_macro2::{Delimiter, Group, Spacing, TokenStream, TokenTree};
use quote::quote;

/// The path of the crate at the head of a call, and the call itself: `($crate) pub struct ...`.
pub fn split(tokens: TokenStream) -> (TokenStream, TokenStream) {
    let mut rest = tokens.clone().into_iter();
    match rest.next() {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis => {
            (group.stream(), rest.collect())
        }
        _ => (quote!(::convnet), tokens),
    }
}

/// The tokens with `krate` for each `::__convnet`.
pub fn resolved(tokens: TokenStream, krate: &TokenStream) -> TokenStream {
    let mut out: Vec<TokenTree> = Vec::new();
    for tree in tokens {
        match tree {
            TokenTree::Group(group) => {
                let mut new = Group::new(group.delimiter(), resolved(group.stream(), krate));
                new.set_span(group.span());
                out.push(TokenTree::Group(new));
            }
            TokenTree::Ident(name) if name == "__convnet" && after_colons(&out) => {
                out.truncate(out.len() - 2);
                out.extend(krate.clone());
            }
            other => out.push(other),
        }
    }
    out.into_iter().collect()
}

fn after_colons(out: &[TokenTree]) -> bool {
    match out {
        [.., TokenTree::Punct(first), TokenTree::Punct(second)] => {
            first.as_char() == ':' && first.spacing() == Spacing::Joint && second.as_char() == ':'
        }
        _ => false,
    }
}
