//! A layer as PyTorch and Keras write it, `nn.Conv2d(1, 6, 5, padding=2)`, as it is written here: `conv(6, kernel = 5, pad = 2)`.

use super::tokens::{end_of_path, is, names, written};
use crate::habits::{self, Habit};
use crate::words;
use proc_macro2::{Delimiter, Ident, TokenTree};

/// The layer behind a path, or a word of another framework alone, if everything in it is known; with its name where it has one.
pub fn layer(tokens: &[TokenTree], name: Option<&Ident>) -> Option<String> {
    let (last, rest) = end_of_path(tokens)?;
    let is_torch = matches!(tokens.first(), Some(TokenTree::Ident(first)) if first == "nn" || first == "torch");
    let Habit::Word(word) = habits::layer(&last.to_string(), &names())? else { return None };
    let signature = words::find(word)?.signature;
    let list = match rest {
        [] => Vec::new(),
        [TokenTree::Group(group)] if group.delimiter() == Delimiter::Parenthesis => {
            arguments(word, &group.stream().into_iter().collect::<Vec<_>>(), is_torch)?
        }
        _ => return None,
    };
    let is_plain = signature.args.is_empty();
    if list.is_empty() && signature.args.iter().any(|spec| spec.is_required()) {
        return None;
    }
    let layer = if list.is_empty() { word.to_string() } else { format!("{word}({})", list.join(", ")) };
    // `x = F.relu(x)` names what goes on, and no layer.
    Some(match name.filter(|_| !is_plain) {
        Some(name) => format!("{name}: {layer}"),
        None => layer,
    })
}

/// The arguments that are wanted here, under their names here.
fn arguments(word: &str, tokens: &[TokenTree], is_torch: bool) -> Option<Vec<String>> {
    let signature = words::find(word)?.signature;
    let options: Vec<&'static str> = signature.args.iter().map(|spec| spec.name).collect();
    let (mut values, mut named) = (Vec::new(), Vec::new());
    for argument in tokens.split(|token| is(token, ',')).filter(|argument| !argument.is_empty()) {
        match argument {
            [TokenTree::Ident(option), equals, value @ ..] if is(equals, '=') => {
                match habits::option(&option.to_string(), &options)? {
                    Habit::Word(own) => named.push(format!("{own} = {}", here(value))),
                    Habit::Advice(advice) if advice.starts_with("leave it out") => {}
                    Habit::Advice(_) => return None,
                }
            }
            value => values.push(here(value)),
        }
    }
    let gives = |option: &str| named.iter().any(|given| given.starts_with(&format!("{option} = ")));
    // What comes in is told first by PyTorch's layers that have an output of their own, and alone by normalisations.
    let superfluous = match word {
        "conv" | "conv_transpose" => is_torch && values.len() >= if gives("kernel") { 2 } else { 3 },
        "linear" => is_torch && values.len() == 2,
        "batch_norm" | "instance_norm" => values.len() == 1,
        _ if signature.args.is_empty() => values.len() == 1,
        _ => false,
    };
    if superfluous {
        values.remove(0);
    }
    let order: &[&str] = match word {
        "conv" | "conv_transpose" => &["out", "kernel", "stride", "pad"],
        name if name.ends_with("pool") => &["kernel", "stride", "pad"],
        _ => options.get(..signature.positional)?,
    };
    if values.len() > order.len() {
        return None;
    }
    let placed = values.into_iter().zip(order).enumerate().map(|(place, (value, option))| match place {
        0 => value,
        _ => format!("{option} = {value}"),
    });
    Some(placed.chain(named).collect())
}

/// A value as it is written here.
fn here(value: &[TokenTree]) -> String {
    match written(value).as_str() {
        "True" => "true".into(),
        "False" => "false".into(),
        text if text.trim_matches(['"', '\'']).eq_ignore_ascii_case("same") => "same".into(),
        text => text.into(),
    }
}
