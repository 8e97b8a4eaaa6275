//! What a statement of another language means, which those who know such statements tell.

use proc_macro2::{Group, Ident, TokenTree};

/// What a statement of another language means.
pub enum Meant<'a> {
    /// `name: rest`
    Named(Ident, &'a [TokenTree]),
    /// These tokens and, as statements after them, the others.
    Chain(&'a [TokenTree], &'a [TokenTree]),
    /// Some layer, with its name where it has one.
    Unknown(Option<Ident>),
    /// Nothing that the network would lack.
    Nothing,
}

/// What is wrong with a statement of another language, and what it means, if it is one.
pub type Found<'a> = Option<(String, Meant<'a>)>;

/// Whether a group holds a word and nothing else.
pub fn is_one_word(group: &Group) -> bool {
    let mut tokens = group.stream().into_iter();
    matches!((tokens.next(), tokens.next()), (Some(TokenTree::Ident(_)), None))
}
