//! Structures whose braces are missing or are others, and layers that have braces in place of round brackets: how each is written here.

use super::tokens::is;
use crate::report::written;
use crate::words;
use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};

/// What is wrong with a structure without braces, and how it is written where that can be told.
pub fn structure(word: &Ident, rest: &[TokenTree]) -> String {
    let (what, example) = match word.to_string().as_str() {
        "concat" => ("branches", "concat { a: ...; b: ...; }"),
        "split" => ("branches", "split { a: ...; b: ...; }"),
        "repeat" => ("layers", "repeat 3 { ... }"),
        "if" => ("layers", "if stride > 1 { ... }"),
        "residual" => ("layers", "residual { ... }"),
        "gate" => ("layers", "gate { ... }"),
        word => return format!("expected `{word} {{ ... }}`"),
    };
    match braced(word, rest) {
        Some(whole) => format!("`{word}` has its {what} in braces\n  fix: write `{whole}`"),
        None => format!("`{word}` has its {what} in braces: `{example}`"),
    }
}

/// A structure of which nothing but the braces is missing.
fn braced(word: &Ident, rest: &[TokenTree]) -> Option<String> {
    let (head, layers) = match (word.to_string().as_str(), rest) {
        ("repeat", [count @ (TokenTree::Literal(_) | TokenTree::Ident(_)), layers @ ..]) => {
            let layers = layers.split_first().filter(|(colon, _)| is(colon, ':')).map_or(layers, |(_, layers)| layers);
            (format!("{word} {count}"), layers)
        }
        ("residual" | "gate" | "concat" | "split", layers) => (word.to_string(), layers),
        _ => return None,
    };
    let inside: Vec<TokenTree> = match layers {
        [TokenTree::Group(group)] if group.delimiter() != Delimiter::Brace => group.stream().into_iter().collect(),
        layers => layers.to_vec(),
    };
    let layers: Vec<&[TokenTree]> =
        inside.split(|token| is(token, ',') || is(token, ';')).filter(|layer| !layer.is_empty()).collect();
    let is_layer = |layer: &&[TokenTree]| {
        let layer = match layer {
            [TokenTree::Ident(_), colon, rest @ ..] if is(colon, ':') => rest,
            layer => layer,
        };
        let word = layer.first().map(ToString::to_string).unwrap_or_default();
        words::find(&word).is_some() && matches!(layer, [_] | [_, TokenTree::Group(_)])
    };
    let known = !layers.is_empty() && layers.iter().all(is_layer);
    let layers = layers.into_iter().map(|layer| format!("{};", written(layer)));
    known.then(|| format!("{head} {{ {} }}", layers.collect::<Vec<_>>().join(" ")))
}

/// `conv{4, kernel = 3}`: the word, and what is wrong with its braces.
pub fn arguments(head: &[TokenTree], group: &Group) -> Option<(Ident, String)> {
    let [TokenTree::Ident(word)] = head else { return None };
    let inside: Vec<TokenTree> = group.stream().into_iter().collect();
    let is_number = |token: &TokenTree| matches!(token, TokenTree::Literal(_));
    let is_named = |tokens: &[TokenTree]| matches!(tokens, [TokenTree::Ident(_), equals, ..] if is(equals, '='));
    let is_list = inside.first().is_some_and(is_number) || is_named(&inside);
    words::find(&word.to_string()).filter(|_| is_list)?;
    Some((word.clone(), round_brackets(word, &inside)))
}

/// What is wrong with the arguments of a layer that stand in other brackets, or in none.
pub fn round_brackets(word: &Ident, arguments: &[TokenTree]) -> String {
    format!("the arguments of `{word}` stand in round brackets\n  fix: write `{word}({});`", written(arguments))
}

/// The word, the condition and the layers of a `shortcut` that stands in the braces of its residual.
pub type Inside = (Ident, TokenStream, Group);

/// A `shortcut` in the braces of its residual, which is to stand behind them, and what else is in them.
pub fn shortcut(inside: TokenStream) -> (TokenStream, Option<Inside>) {
    let trees: Vec<TokenTree> = inside.clone().into_iter().collect();
    let is_word = |token: &TokenTree, word: &str| matches!(token, TokenTree::Ident(ident) if *ident == word);
    let at = trees.iter().position(|token| is_word(token, "shortcut"));
    let Some((before, [TokenTree::Ident(word), after @ ..])) = at.and_then(|at| trees.split_at_checked(at)) else {
        return (inside, None);
    };
    let brace = after
        .iter()
        .position(|token| matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace));
    // One that belongs to a residual in the braces.
    let is_inner = before.iter().any(|token| is_word(token, "residual") || is_word(token, "gate"));
    match brace.and_then(|brace| Some((after.get(..brace)?, after.get(brace)?, after.get(brace + 1..)?))) {
        Some((condition, TokenTree::Group(layers), rest)) if !is_inner => {
            let rest = before.iter().chain(rest).cloned().collect();
            (rest, Some((word.clone(), condition.iter().cloned().collect(), layers.clone())))
        }
        _ => (inside, None),
    }
}
