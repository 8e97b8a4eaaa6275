//! What is refused before anything recurses into it or reads it: brackets too deep, stretches and numbers too long.

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};

/// Brackets inside brackets beyond this depth are refused before anything recurses into them.
const DEPTH: usize = 64;

/// More tokens than this in one statement or argument are refused: syn recurses into a chain of operators as it does
/// into brackets.
const LENGTH: usize = 512;

/// Numbers with more characters than this are refused: reading one takes a time that grows with the square of its length.
const DIGITS: usize = 64;

/// Words and texts with more characters than this are refused: paths are made of them, for each layer.
const NAME: usize = 200;

/// The first place that is beyond a limit, with what to say about it.
pub fn exceeded(tokens: &TokenStream) -> Option<(Span, String)> {
    if let Some(span) = too_deep(tokens.clone(), 0) {
        return Some((span, format!("nested more than {DEPTH} deep")));
    }
    if let Some(span) = too_long(tokens.clone(), true) {
        return Some((span, format!("this is too long: more than {LENGTH} tokens in one statement or argument")));
    }
    if let Some((span, length)) = long_number(tokens.clone()) {
        let message = format!("this number has {length} characters; no number here needs more than {DIGITS}");
        return Some((span, message));
    }
    let (span, length) = long_name(tokens.clone())?;
    Some((span, format!("this name has {length} characters; no name here has more than {NAME}")))
}

fn too_deep(tokens: TokenStream, depth: usize) -> Option<Span> {
    tokens.into_iter().find_map(|tree| match tree {
        TokenTree::Group(group) if depth >= DEPTH => Some(group.span_open()),
        TokenTree::Group(group) => too_deep(group.stream(), depth + 1),
        _ => None,
    })
}

/// The token at which a stretch without `,` or `;` becomes too long. A body ends one too, between statements but not
/// between arguments, and so does an attribute; `else` goes on with the one before.
fn too_long(tokens: TokenStream, in_body: bool) -> Option<Span> {
    let (mut length, mut before) = (0usize, 0usize);
    for tree in tokens {
        length += 1;
        if length > LENGTH {
            return Some(tree.span());
        }
        match &tree {
            TokenTree::Punct(punct) if matches!(punct.as_char(), ',' | ';') => length = 0,
            TokenTree::Ident(word) if in_body && length == 1 && word == "else" => length += before,
            TokenTree::Group(group) => {
                let brace = group.delimiter() == Delimiter::Brace;
                let found = too_long(group.stream(), brace);
                if found.is_some() {
                    return found;
                }
                let attribute = length == 2 && group.delimiter() == Delimiter::Bracket;
                if in_body && (brace || attribute) {
                    (before, length) = (length, 0);
                }
            }
            _ => {}
        }
    }
    None
}

fn long_number(tokens: TokenStream) -> Option<(Span, usize)> {
    tokens.into_iter().find_map(|tree| match tree {
        TokenTree::Group(group) => long_number(group.stream()),
        TokenTree::Literal(literal) => {
            let text = literal.to_string();
            let long = text.len() > DIGITS && text.starts_with(|c: char| c.is_ascii_digit());
            long.then(|| (literal.span(), text.len()))
        }
        _ => None,
    })
}

/// A word that is too long, or a text that a layer would be called by: one after `as`. Doc comments are as long as they like.
fn long_name(tokens: TokenStream) -> Option<(Span, usize)> {
    let mut after_as = false;
    tokens.into_iter().find_map(|tree| {
        let named = std::mem::replace(&mut after_as, matches!(&tree, TokenTree::Ident(word) if word == "as"));
        match tree {
            TokenTree::Group(group) => long_name(group.stream()),
            TokenTree::Ident(word) => Some((word.span(), word.to_string().len())),
            TokenTree::Literal(literal) if named => Some((literal.span(), literal.to_string().len())),
            _ => None,
        }
        .filter(|(_, length)| *length > NAME)
    })
}
