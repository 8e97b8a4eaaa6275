//! Statements as other languages write them: one error each, which says how it is written here, and what was meant, so that the rest of
//! the network is checked as if it had been.

use super::tokens::{end_of_path, is, names, written};
use super::torch;
use crate::habits::{self, Habit};
use crate::words;
use proc_macro2::{Delimiter, Group, Ident, Spacing, TokenStream, TokenTree};

/// A statement of another language.
pub struct Foreign<'a> {
    /// The token at fault.
    pub place: TokenTree,
    /// What is wrong with it, and how it is written here.
    pub message: String,
    /// What was meant.
    pub meant: Meant<'a>,
}

/// What a statement of another language means.
pub enum Meant<'a> {
    /// `name: rest`
    Named(Ident, &'a [TokenTree]),
    /// These tokens and, as statements after them, the others.
    Chain(&'a [TokenTree], &'a [TokenTree]),
    /// Some layer, with its name where it has one.
    Unknown(Option<Ident>),
}

/// The statement that begins with these tokens, if it is of another language.
pub fn look(tokens: &[TokenTree]) -> Option<Foreign<'_>> {
    let [first, ..] = tokens else { return None };
    named(tokens)
        .or_else(|| added(tokens))
        .or_else(|| path(tokens, None).map(|message| (message, Meant::Unknown(None))))
        .or_else(|| chain(tokens))
        .or_else(|| brackets(tokens))
        .or_else(|| commented(tokens))
        .map(|(message, meant)| Foreign { place: first.clone(), message, meant })
}

type Found<'a> = Option<(String, Meant<'a>)>;

/// `name = layer`, `let name = layer`, `self.name = layer`, `name => layer`.
fn named(tokens: &[TokenTree]) -> Found<'_> {
    let rest = match tokens {
        [TokenTree::Ident(word), rest @ ..] if word == "let" => match rest {
            [TokenTree::Ident(word), rest @ ..] if word == "mut" => rest,
            rest => rest,
        },
        [TokenTree::Ident(word), dot, rest @ ..] if word == "self" && is(dot, '.') => rest,
        tokens => tokens,
    };
    if let Some(found) = without_colon(rest) {
        return Some(found);
    }
    let [TokenTree::Ident(name), TokenTree::Punct(equals), rest @ ..] = rest else { return None };
    let rest = match rest {
        [next, rest @ ..] if equals.spacing() == Spacing::Joint && is(next, '>') => {
            if words::find(&name.to_string()).is_some() {
                let message =
                    format!("layers follow each other as statements\n  fix: write `{name}; {};`", written(rest));
                return Some((message, Meant::Chain(tokens.get(..1)?, rest)));
            }
            rest
        }
        rest => rest,
    };
    // `conv(..)(x)`: what a layer is applied to is what comes before it.
    let rest = match rest {
        [before @ .., TokenTree::Group(_), TokenTree::Group(_)] => rest.get(..before.len() + 1).unwrap_or_default(),
        rest => rest,
    };
    if equals.as_char() != '=' || !matches!(rest.first(), Some(TokenTree::Ident(_))) {
        return None;
    }
    if let Some(layer) = summed(rest) {
        return Some((residual(&layer), Meant::Unknown(None)));
    }
    if let Some(message) = path(rest, Some(name)) {
        return Some((format!("a name stands before `:`, and {message}"), Meant::Unknown(Some(name.clone()))));
    }
    // `relu(x)`
    let rest = match rest {
        [TokenTree::Ident(word), TokenTree::Group(input)] if is_one_word(input) && takes_nothing(word) => {
            rest.get(..1)?
        }
        rest => rest,
    };
    let message = format!("a name stands before `:`\n  fix: write `{name}: {};`", written(rest));
    Some((message, Meant::Named(name.clone(), rest)))
}

/// `x += layer`
fn added(tokens: &[TokenTree]) -> Found<'_> {
    let [TokenTree::Ident(_), plus, equals, layer @ ..] = tokens else { return None };
    (is(plus, '+') && is(equals, '=')).then(|| (residual(&statement(layer, None)), Meant::Unknown(None)))
}

/// The layer of `x + layer` or `layer + x`, as it is written here.
fn summed(tokens: &[TokenTree]) -> Option<String> {
    let mut parts = tokens.split(|token| is(token, '+'));
    let (one, other) = (parts.next()?, parts.next().filter(|_| parts.next().is_none())?);
    match (one, other) {
        ([TokenTree::Ident(_)], layer @ [TokenTree::Ident(_), _, ..])
        | (layer @ [TokenTree::Ident(_), _, ..], [TokenTree::Ident(_)]) => Some(statement(layer, None)),
        _ => None,
    }
}

fn residual(layer: &str) -> String {
    format!("the sum of a layer and what comes into it is a `residual`\n  fix: write `residual {{ {layer}; }}`")
}

/// A layer as it is written here, as far as that is known.
fn statement(tokens: &[TokenTree], name: Option<&Ident>) -> String {
    torch::layer(tokens, name).unwrap_or_else(|| written(tokens))
}

/// `conv1 conv(..)`
fn without_colon(tokens: &[TokenTree]) -> Option<(String, Meant<'_>)> {
    let [TokenTree::Ident(name), TokenTree::Ident(word), ..] = tokens else { return None };
    let is_word = |word: &Ident| words::find(&word.to_string()).is_some() || words::is_structure(&word.to_string());
    let is_layer = words::find(&word.to_string()).is_some();
    let rest = tokens.get(1..).filter(|_| is_layer && !is_word(name) && name != "pub")?;
    let message = format!("a name stands before `:`\n  fix: write `{name}: {};`", written(rest));
    Some((message, Meant::Named(name.clone(), rest)))
}

fn is_one_word(group: &Group) -> bool {
    let mut tokens = group.stream().into_iter();
    matches!((tokens.next(), tokens.next()), (Some(TokenTree::Ident(_)), None))
}

fn takes_nothing(word: &Ident) -> bool {
    words::find(&word.to_string()).is_some_and(|word| word.signature.args.is_empty())
}

/// `nn.Conv2d(..)`, `nn::Conv2d(..)`, `F.relu`.
pub fn path(tokens: &[TokenTree], name: Option<&Ident>) -> Option<String> {
    let (last, rest) = end_of_path(tokens)?;
    let first = tokens.first()?.to_string();
    let is_module =
        ["nn", "F", "torch", "functional", "layers", "keras", "tf", "self", "model"].contains(&first.as_str());
    if !is_module && words::find(&last.to_string()).is_some() {
        return Some(format!("a name stands before one `:`\n  fix: write `{first}: {last}{};`", written(rest)));
    }
    let hint = match (torch::layer(tokens, name), habits::layer(&last.to_string(), &names())) {
        (Some(layer), _) => format!("\n  fix: write `{layer};`"),
        (None, Some(Habit::Word(word))) => format!("\n  fix: write `{word}`"),
        (None, Some(advice)) => advice.hint(),
        (None, None) => String::new(),
    };
    Some("a layer is a word by itself, without a path".to_string() + &hint)
}

/// `conv(..).relu()`
fn chain(tokens: &[TokenTree]) -> Found<'_> {
    let [TokenTree::Ident(_), TokenTree::Group(group), dot, after @ ..] = tokens else { return None };
    if group.delimiter() != Delimiter::Parenthesis || !is(dot, '.') || after.is_empty() {
        return None;
    }
    let before = tokens.get(..2).unwrap_or_default();
    let calls: Vec<String> = tokens.split(|token| is(token, '.')).map(written).collect();
    Some((
        format!("layers follow each other as statements\n  fix: write `{};`", calls.join("; ")),
        Meant::Chain(before, after),
    ))
}

/// `conv[8, ..]`, `conv<8, 3>`, `conv 8, ..`, and `conv-1: conv(..)`.
pub fn brackets(tokens: &[TokenTree]) -> Found<'_> {
    let [TokenTree::Ident(word), next, rest @ ..] = tokens else { return None };
    if let ([TokenTree::Literal(number), ..], true) = (rest, is(next, '-')) {
        let message = format!("a name has letters, digits and `_`\n  fix: write `{word}_{number}: ...`");
        return Some((message, Meant::Unknown(None)));
    }
    let of_word = words::find(&word.to_string())?;
    let is_bracket = matches!(next, TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket);
    (is_bracket || is(next, '<') || matches!(next, TokenTree::Literal(_))).then(|| {
        let message =
            format!("the arguments of `{word}` stand in round brackets, as in `{}`", of_word.signature.example);
        (message, Meant::Unknown(None))
    })
}

/// `# text`
fn commented(tokens: &[TokenTree]) -> Found<'_> {
    let message = "`#` begins no comment\n  fix: write `// ...`";
    tokens.first().filter(|first| is(first, '#')).map(|_| (message.into(), Meant::Unknown(None)))
}

/// What is wrong with what stands before a brace, if it is of another language: the token and the message.
pub fn brace(name: Option<&Ident>, head: &[TokenTree]) -> Option<(TokenTree, String)> {
    let word = match (name, head.first()?) {
        (Some(name), TokenTree::Group(shape)) if name == "head" => {
            let message = format!("a head has a name\n  fix: write `head name: {shape} {{ ... }}`");
            return Some((name.clone().into(), message));
        }
        (_, TokenTree::Ident(word)) => word,
        _ => return None,
    };
    let message = match word.to_string().as_str() {
        "for" | "while" | "loop" => {
            "there is no loop but `repeat`\n  fix: write `repeat 3 { ... }` with the number of times"
        }
        "elif" | "elseif" => "there is no such word\n  fix: write `else if`",
        "match" | "switch" => "there is no such word\n  fix: write `if channels == 3 { ... } else { ... }`",
        "fn" | "def" => "a network is its layers in their order, without a function: leave out `fn` and its braces",
        _ => return None,
    };
    Some((word.clone().into(), message.into()))
}

/// What is wrong with the budget of an `assert`, if it is written as Rust's macro, the other way round, or as one condition.
pub fn budget(tokens: &TokenStream) -> Option<String> {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let example = "a budget is written `assert params <= 62_000;`";
    match &tokens[..] {
        [mark, TokenTree::Group(inner), ..] if is(mark, '!') => {
            // Rust's macro takes a text, too.
            let inner: Vec<TokenTree> = inner.stream().into_iter().collect();
            let is_budget = |part: &&[TokenTree]| matches!(part.first(), Some(TokenTree::Ident(_)));
            let budgets: Vec<String> = inner.split(|token| is(token, ',')).filter(is_budget).map(written).collect();
            Some(format!("{example}\n  fix: write `assert {};`", budgets.join(", ")))
        }
        [TokenTree::Group(inner)] => Some(format!("{example}\n  fix: write `assert {};`", inner.stream())),
        [TokenTree::Literal(_), ..] => Some(format!("{example}: what is counted comes first")),
        [TokenTree::Ident(what), equals, TokenTree::Literal(limit)] if is(equals, '=') => {
            Some(format!("{example}\n  fix: write `assert {what} == {limit};`"))
        }
        _ if tokens.iter().any(|token| is(token, '&')) => Some(format!("{example}; several are parted by commas")),
        _ => None,
    }
}
