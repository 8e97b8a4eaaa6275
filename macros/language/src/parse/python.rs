//! Statements of Python and Rust that no network has: functions, classes, loops, `return`.

use super::meaning::{Found, Meant, is_one_word};
use super::tokens::is;
use super::torch;
use crate::report::written;
use crate::words;
use proc_macro2::{Ident, TokenTree};

/// `def forward(..)`, `for ..:`, `return x`.
pub fn python(tokens: &[TokenTree]) -> Found<'_> {
    let [TokenTree::Ident(word), next, ..] = tokens else { return None };
    match (word.to_string().as_str(), next) {
        ("def" | "fn", TokenTree::Ident(name)) => Some((function(name), Meant::Unknown(None))),
        ("class", TokenTree::Ident(_)) => {
            let message = "there are no classes: a network is its layers in the order in which they run";
            Some((message.into(), Meant::Unknown(None)))
        }
        ("for" | "while", TokenTree::Ident(_)) => Some((looped(tokens), Meant::Unknown(None))),
        ("return", _) if !is(next, ':') => Some(returned(tokens.get(1..)?)),
        _ => None,
    }
}

/// `return x`, `return fc: linear(10)`, and what was meant by what comes after the word.
fn returned(rest: &[TokenTree]) -> (String, Meant<'_>) {
    let message = "there is no `return`: a network gives what its last layer gives";
    let is_layer = |rest: &[TokenTree]| matches!(rest, [TokenTree::Ident(word)] | [TokenTree::Ident(word), TokenTree::Group(_)] if words::find(&word.to_string()).is_some());
    match rest {
        [TokenTree::Ident(name), colon, layer @ ..] if is(colon, ':') && is_layer(layer) => {
            (format!("{message}\n  fix: write `{name}: {};`", written(layer)), Meant::Chain(&[], rest))
        }
        // `relu(x)` says what it is applied to.
        layer if is_layer(layer) && !matches!(layer, [_, TokenTree::Group(input)] if is_one_word(input)) => {
            (format!("{message}\n  fix: write `{};`", written(rest)), Meant::Chain(&[], rest))
        }
        [TokenTree::Ident(_)] => (format!("{message}\n  fix: leave this out"), Meant::Nothing),
        _ => match torch::statement(rest, None) {
            Some(statement) => (format!("{message}\n  fix: write `{statement}`"), Meant::Unknown(None)),
            None => (format!("{message}\n  fix: leave this out"), Meant::Unknown(None)),
        },
    }
}

pub fn function(name: &Ident) -> String {
    format!(
        "there is no `{name}`: layers run in the order in which they stand\n  fix: leave out the function, and keep its layers"
    )
}

/// What to write for `for _ in 0..2`, `for i in range(2)` and other loops.
pub fn looped(head: &[TokenTree]) -> String {
    let number = |token: &TokenTree| token.to_string().parse::<u64>().ok();
    let is_in = |token: &TokenTree| matches!(token, TokenTree::Ident(word) if word == "in");
    let range = head.iter().position(is_in).and_then(|at| head.get(at + 1..)).unwrap_or_default();
    let times = match range {
        [from, dot, other, equals, to, ..] if is(dot, '.') && is(other, '.') && is(equals, '=') => {
            number(to).zip(number(from)).and_then(|(to, from)| to.checked_add(1)?.checked_sub(from))
        }
        [from, dot, other, to, ..] if is(dot, '.') && is(other, '.') => {
            number(to).zip(number(from)).and_then(|(to, from)| to.checked_sub(from))
        }
        [TokenTree::Ident(word), TokenTree::Group(group), ..] if word == "range" => {
            match &group.stream().into_iter().collect::<Vec<_>>()[..] {
                [to] => number(to),
                [from, comma, to] if is(comma, ',') => {
                    number(to).zip(number(from)).and_then(|(to, from)| to.checked_sub(from))
                }
                _ => None,
            }
        }
        _ => None,
    };
    let loops = "there is no loop but `repeat`\n  fix: write `repeat";
    match times.filter(|times| *times > 0) {
        Some(times) => format!("{loops} {times} {{ ... }}`"),
        None => format!("{loops} 3 {{ ... }}` with the number of times"),
    }
}
