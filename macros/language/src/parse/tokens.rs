//! Small questions about tokens that statements of other languages are recognised by.

use crate::words;
use proc_macro2::{Ident, TokenTree};

/// The last word of a path of several, none of the first a layer, and what comes after it.
pub fn end_of_path(tokens: &[TokenTree]) -> Option<(&Ident, &[TokenTree])> {
    let [TokenTree::Ident(first), rest @ ..] = tokens else { return None };
    let (mut rest, mut last) = (rest, None);
    loop {
        rest = match rest {
            [a, b, TokenTree::Ident(word), after @ ..] if is(a, ':') && is(b, ':') => {
                last = Some(word);
                after
            }
            [dot, TokenTree::Ident(word), after @ ..] if is(dot, '.') => {
                last = Some(word);
                after
            }
            _ => break,
        };
    }
    last.filter(|_| words::find(&first.to_string()).is_none()).map(|last| (last, rest))
}

/// Whether a token is this sign.
pub fn is(token: &TokenTree, c: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == c)
}

/// The words of all layers.
pub fn names() -> Vec<&'static str> {
    words::all().map(words::Word::name).collect()
}
