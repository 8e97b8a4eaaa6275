//! Statements as other languages write them: one error each, which says how it is written here, and what was meant, so that the rest of
//! the network is checked as if it had been.

pub use super::meaning::{Meant, is_one_word};

use super::meaning::Found;
use super::python::{function, looped, python};
use super::tokens::{end_of_path, is, names};
use super::{torch, unbraced};
use crate::habits::{self, Habit};
use crate::report::{one, written};
use crate::words;
use proc_macro2::{Delimiter, Ident, Literal, Spacing, TokenStream, TokenTree};

/// A statement of another language.
pub struct Foreign<'a> {
    /// The token at fault.
    pub place: TokenTree,
    /// What is wrong with it, and how it is written here.
    pub message: String,
    /// What was meant.
    pub meant: Meant<'a>,
}

/// The statement that begins with these tokens, if it is of another language.
pub fn look(tokens: &[TokenTree]) -> Option<Foreign<'_>> {
    let [first, ..] = tokens else { return None };
    python(tokens)
        .or_else(|| quoted_name(tokens))
        .or_else(|| assigned(tokens))
        .or_else(|| named(tokens))
        .or_else(|| added(tokens))
        .or_else(|| path(tokens, None, "").map(|message| (message, Meant::Unknown(None))))
        .or_else(|| chain(tokens))
        .or_else(|| brackets(tokens))
        .or_else(|| commented(tokens))
        .map(|(message, meant)| Foreign { place: first.clone(), message, meant })
}

/// `name = layer`, `let name = layer`, `var name = layer`, `self.name = layer`, `name => layer`.
fn named(tokens: &[TokenTree]) -> Found<'_> {
    let rest = match tokens {
        [TokenTree::Ident(word), rest @ ..]
            if ["let", "var", "val", "const", "auto"].iter().any(|known| word == known) =>
        {
            match rest {
                [TokenTree::Ident(word), rest @ ..] if word == "mut" => rest,
                rest => rest,
            }
        }
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
    if let Some(message) = path(rest, Some(name), &format!("{name} = ")) {
        return Some((message, Meant::Unknown(Some(name.clone()))));
    }
    // `x = x * 2`
    let is_value = rest.first().is_some_and(|first| torch::names_a_value(&first.to_string()));
    if is_value && !matches!(rest.get(1), Some(TokenTree::Group(_))) {
        let message =
            "a value has no name: a layer takes what the one before it gives\n  fix: write layers alone, as in `relu;`";
        return Some((message.into(), Meant::Unknown(None)));
    }
    // `relu(x)`
    let rest = match rest {
        [TokenTree::Ident(word), TokenTree::Group(input)] if is_one_word(input) && takes_nothing(word) => {
            rest.get(..1)?
        }
        rest => rest,
    };
    let message = format!("expected `:` after the name `{name}`\n  fix: write `{name}: {};`", written(rest));
    Some((message, Meant::Named(name.clone(), rest)))
}

/// `x += layer`
fn added(tokens: &[TokenTree]) -> Found<'_> {
    let [TokenTree::Ident(_), plus, equals, layer @ ..] = tokens else { return None };
    (is(plus, '+') && is(equals, '=')).then(|| (residual(&statement(layer)), Meant::Unknown(None)))
}

/// The layer of `x + layer` or `layer + x`, as it is written here.
fn summed(tokens: &[TokenTree]) -> Option<String> {
    let mut parts = tokens.split(|token| is(token, '+'));
    let (one, other) = (parts.next()?, parts.next().filter(|_| parts.next().is_none())?);
    match (one, other) {
        ([TokenTree::Ident(_)], layer @ [TokenTree::Ident(_), _, ..])
        | (layer @ [TokenTree::Ident(_), _, ..], [TokenTree::Ident(_)]) => Some(statement(layer)),
        _ => None,
    }
}

fn residual(layer: &str) -> String {
    format!("the sum of a layer and what comes into it is a `residual`\n  fix: write `residual {{ {layer} }}`")
}

/// A layer as a statement here, as far as that is known. One of which only the input is given is one that keeps the shape.
fn statement(tokens: &[TokenTree]) -> String {
    let last = end_of_path(tokens).map(|(last, rest)| (last.clone(), rest));
    let called = match tokens {
        [TokenTree::Ident(word), rest @ ..] if last.is_none() => Some((word.clone(), rest)),
        _ => last,
    };
    let word = called.filter(|(_, rest)| matches!(rest, [TokenTree::Group(input)] if is_one_word(input)));
    if let Some((word, _)) = word {
        return match habits::layer(&word.to_string(), &names()) {
            Some(Habit::Word("conv")) => "conv(channels, kernel = 3, pad = 1);".into(),
            Some(Habit::Word("linear")) => "linear(channels);".into(),
            Some(Habit::Word(own)) if words::find(own).is_some_and(words::Word::stands_alone) => format!("{own};"),
            _ => "...".into(),
        };
    }
    torch::statement(tokens, None).unwrap_or_else(|| format!("{};", written(tokens)))
}

/// `conv1 conv(..)`
fn without_colon(tokens: &[TokenTree]) -> Option<(String, Meant<'_>)> {
    let [TokenTree::Ident(name), TokenTree::Ident(word), ..] = tokens else { return None };
    let is_word = |word: &Ident| words::find(&word.to_string()).is_some() || words::is_structure(&word.to_string());
    let is_layer = words::find(&word.to_string()).is_some();
    let rest = tokens.get(1..).filter(|_| is_layer && !is_word(name) && name != "pub")?;
    let message = format!("expected `:` after the name `{name}`\n  fix: write `{name}: {};`", written(rest));
    Some((message, Meant::Named(name.clone(), rest)))
}

fn takes_nothing(word: &Ident) -> bool {
    words::find(&word.to_string()).is_some_and(|word| word.signature.args.is_empty())
}

/// `nn.Conv2d(..)`, `nn::Conv2d(..)`, `F.relu`, with what stands `before` it in the statement.
pub fn path(tokens: &[TokenTree], name: Option<&Ident>, before: &str) -> Option<String> {
    let (last, rest) = end_of_path(tokens)?;
    let first = tokens.first()?.to_string();
    let framework = framework(tokens);
    if framework.is_none() && words::find(&last.to_string()).is_some() && !torch::names_a_value(&first) {
        return Some(format!("a name stands before one `:`\n  fix: write `{first}: {last}{};`", written(rest)));
    }
    let habit = habits::layer(&last.to_string(), &names());
    if let Some(statement) = torch::statement(tokens, name) {
        let modules = tokens.get(..tokens.len() - rest.len() - 1).unwrap_or_default();
        return Some(match rest {
            [TokenTree::Group(input)] if is_one_word(input) && takes_nothing_here(habit) => format!(
                "a layer is its name alone, without `{before}{}` and `({})`\n  fix: write `{statement}`",
                written(modules),
                input.stream()
            ),
            _ => format!("{}\n  fix: write `{statement}`", otherwise(framework)),
        });
    }
    if first == "self" && habit.is_none() {
        let message =
            "there is no `self`: a layer is declared where it runs, as in `conv1: conv(16, kernel = 3, pad = 1);`";
        return Some(message.into());
    }
    let hint = match habit {
        Some(Habit::Word(own)) => match words::find(own).filter(|own| own.stands_alone()) {
            Some(_) => format!("\n  fix: write `{own};` after the layer that it is applied to"),
            None => format!("; see `{own}`"),
        },
        Some(advice) => advice.hint(),
        None => String::new(),
    };
    Some(otherwise(framework) + &hint)
}

/// What is wrong with the layer after `name:`, if it is of another language: the token and the message.
pub fn after_name(name: &Ident, tokens: &[TokenTree]) -> Option<(TokenTree, String)> {
    let is_sequence = end_of_path(tokens).is_some_and(|(last, _)| last == "Sequential");
    if let Some(statement) = torch::statement(tokens, Some(name)).filter(|_| is_sequence) {
        let message = format!("{}\n  fix: write `{statement}`", otherwise(framework(tokens)));
        return Some((name.clone().into(), message));
    }
    let message = path(tokens, None, "").or_else(|| brackets(tokens).map(|(message, _)| message))?;
    Some((tokens.first()?.clone(), message))
}

/// Whose module or value this is called.
fn framework(tokens: &[TokenTree]) -> Option<&'static str> {
    let [first, sign, ..] = tokens else { return None };
    match first.to_string().as_str() {
        // Several of Rust have a module `nn`.
        _ if is(sign, ':') => None,
        "nn" | "F" | "torch" | "functional" | "self" | "model" => Some("PyTorch"),
        "layers" | "keras" | "tf" => Some("Keras"),
        first if torch::names_a_value(first) => Some("PyTorch"),
        _ => None,
    }
}

fn otherwise(framework: Option<&str>) -> String {
    format!("this is {}, and here it is written otherwise", framework.unwrap_or("another framework's"))
}

fn takes_nothing_here(habit: Option<Habit>) -> bool {
    matches!(habit, Some(Habit::Word(own)) if words::find(own).is_some_and(words::Word::stands_alone))
}

/// `"name": layer`, `1conv: layer`
fn quoted_name(tokens: &[TokenTree]) -> Found<'_> {
    let [TokenTree::Literal(literal), colon, rest @ ..] = tokens else { return None };
    let (name, message) = named_by_literal(literal).filter(|_| is(colon, ':'))?;
    Some((format!("{message}\n  fix: write `{name}: {};`", written(rest)), Meant::Named(name, rest)))
}

/// The name that a literal was to be, and what is wrong with it.
fn named_by_literal(literal: &Literal) -> Option<(Ident, &'static str)> {
    let text = literal.to_string();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (name, message) = match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(text) => (text.replace(['-', ' '], "_"), "a name has no quotes"),
        None => {
            let (number, word) = text.split_at_checked(digits)?;
            (format!("{}{number}", word.trim_start_matches('_')), "a name begins with a letter")
        }
    };
    let mut name: Ident = syn::parse_str(&name).ok()?;
    name.set_span(literal.span());
    Some((name, message))
}

/// `dropout = 0.5`
fn assigned(tokens: &[TokenTree]) -> Found<'_> {
    let [TokenTree::Ident(word), equals, value @ ..] = tokens else { return None };
    let is_value = matches!(value, [TokenTree::Literal(_)]) && is(equals, '=');
    words::find(&word.to_string()).filter(|own| is_value && own.signature.positional > 0)?;
    Some((unbraced::round_brackets(word, value), Meant::Unknown(None)))
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
    words::find(&word.to_string())?;
    let arguments: Vec<TokenTree> = match next {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => group.stream().into_iter().collect(),
        TokenTree::Literal(_) => tokens.get(1..)?.to_vec(),
        next if is(next, '<') => {
            let end = rest.iter().rposition(|token| is(token, '>')).unwrap_or(rest.len());
            rest.get(..end)?.to_vec()
        }
        _ => return None,
    };
    Some((unbraced::round_brackets(word, &arguments), Meant::Unknown(None)))
}

/// `# text`
fn commented(tokens: &[TokenTree]) -> Found<'_> {
    let message = "`#` begins no comment\n  fix: write `// ...`";
    tokens.first().filter(|first| is(first, '#')).map(|_| (message.into(), Meant::Unknown(None)))
}

/// What is wrong with what stands before a brace, if it is of another language: the token and the message.
pub fn brace(name: Option<&Ident>, head: &[TokenTree]) -> Option<(TokenTree, String)> {
    let word = match (name, head.first()?) {
        (Some(name), TokenTree::Group(shape)) if name == "head" || name == "output" => {
            let message = format!("{} has a name\n  fix: write `{name} name: {shape} {{ ... }}`", one(name));
            return Some((name.clone().into(), message));
        }
        (_, TokenTree::Ident(word)) => word,
        (None, TokenTree::Literal(literal)) if head.get(1).is_some_and(|next| is(next, ':')) => {
            let (name, message) = named_by_literal(literal)?;
            return Some((literal.clone().into(), format!("{message}\n  fix: write `{name}: {{ ... }}`")));
        }
        _ => return None,
    };
    let message = match word.to_string().as_str() {
        "for" | "while" | "loop" => return Some((word.clone().into(), looped(head))),
        "elif" | "elseif" => "there is no such word\n  fix: write `else if`",
        "match" | "switch" => "there is no such word\n  fix: write `if channels == 3 { ... } else { ... }`",
        "fn" | "def" => match head.get(1)? {
            TokenTree::Ident(name) => return Some((word.clone().into(), function(name))),
            _ => return None,
        },
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
