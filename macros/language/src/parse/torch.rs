//! A layer as PyTorch and Keras write it, `nn.Conv2d(1, 6, 5, padding=2)`, as it is written here: `conv(6, kernel = 5, pad = 2)`.

use super::tokens::{end_of_path, is, names};
use crate::habits::{self, Habit};
use crate::report::written;
use crate::words;
use proc_macro2::{Delimiter, Ident, TokenTree};

/// Whose layer it is, as far as values are ordered or meant differently.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Torch,
    /// A function of PyTorch, whose first argument is what it is applied to.
    Functional,
    Keras,
}

/// Whether a word is what networks of other frameworks call a value.
pub fn names_a_value(word: &str) -> bool {
    ["x", "y", "h", "out", "output"].contains(&word)
}

/// The statement for a layer behind a path, if everything in it is known; with its name where it has one.
pub fn statement(tokens: &[TokenTree], name: Option<&Ident>) -> Option<String> {
    let (last, rest) = end_of_path(tokens)?;
    let first = tokens.first()?.to_string();
    let dialect = match first.as_str() {
        "nn" => Dialect::Torch,
        "F" | "torch" | "functional" => Dialect::Functional,
        _ => Dialect::Keras,
    };
    let arguments = match rest {
        [] => Vec::new(),
        // Python's next line has no `;` before it.
        [TokenTree::Group(group)] | [TokenTree::Group(group), TokenTree::Ident(_), ..]
            if group.delimiter() == Delimiter::Parenthesis =>
        {
            group.stream().into_iter().collect()
        }
        _ => return None,
    };
    if last == "Sequential" {
        return sequence(arguments, name);
    }
    let layer = called(&last.to_string(), &arguments, dialect)?;
    // `x = F.relu(x)` names what goes on, and no layer; nor has a layer a name that computes nothing.
    let is_plain = words::find(&layer).is_some_and(|word| word.signature.args.is_empty());
    Some(match name.filter(|name| !is_plain && !names_a_value(&name.to_string())) {
        Some(name) => format!("{name}: {layer};"),
        None => format!("{layer};"),
    })
}

/// Layers one after the other, in a sequence where they have a name together.
fn sequence(arguments: Vec<TokenTree>, name: Option<&Ident>) -> Option<String> {
    // Keras has a list of them.
    let arguments = match &arguments[..] {
        [TokenTree::Group(list)] if list.delimiter() == Delimiter::Bracket => list.stream().into_iter().collect(),
        _ => arguments,
    };
    let one = |layer: &[TokenTree]| match layer {
        [TokenTree::Ident(word), TokenTree::Group(group)] => {
            alone(&word.to_string(), &group.stream().into_iter().collect::<Vec<_>>()).map(|layer| format!("{layer};"))
        }
        layer => statement(layer, None),
    };
    let layers = arguments.split(|token| is(token, ',')).filter(|layer| !layer.is_empty()).map(one);
    let layers = layers.collect::<Option<Vec<String>>>().filter(|layers| !layers.is_empty())?.join(" ");
    Some(match name {
        Some(name) => format!("{name}: {{ {layers} }}"),
        None => layers,
    })
}

/// A layer that is called by another framework's word alone: by its spelling, PyTorch's or Keras'.
pub fn alone(word: &str, arguments: &[TokenTree]) -> Option<String> {
    let is_keras = word.ends_with("2D") || word == "Dense";
    called(word, arguments, if is_keras { Dialect::Keras } else { Dialect::Torch })
}

/// The layer with its arguments, and perhaps its activation after it.
fn called(word: &str, arguments: &[TokenTree], dialect: Dialect) -> Option<String> {
    let Habit::Word(own) = habits::layer(word, &names())? else { return None };
    let signature = words::find(own)?.signature;
    // Whatever shape is asked for, it is a vector here.
    if own == "flatten" {
        return Some(own.into());
    }
    let mut given = Given::read(own, arguments, dialect)?;
    given.order(own, dialect)?;
    let needs = signature.args.iter().any(|spec| spec.is_required());
    let layer = match given.placed(own)? {
        list if list.is_empty() && needs => return None,
        list if list.is_empty() => own.to_string(),
        list => format!("{own}({})", list.join(", ")),
    };
    Some(given.activation.map_or(layer.clone(), |activation| format!("{layer}; {activation}")))
}

/// The arguments of a call, with the names of options that they have here.
struct Given {
    values: Vec<String>,
    named: Vec<(&'static str, String)>,
    flags: Vec<&'static str>,
    activation: Option<String>,
}

impl Given {
    fn read(word: &str, tokens: &[TokenTree], dialect: Dialect) -> Option<Self> {
        let signature = words::find(word)?.signature;
        let options: Vec<&'static str> = signature.args.iter().map(|spec| spec.name).collect();
        let mut given = Given { values: Vec::new(), named: Vec::new(), flags: Vec::new(), activation: None };
        for argument in tokens.split(|token| is(token, ',')).filter(|argument| !argument.is_empty()) {
            match argument {
                [TokenTree::Ident(option), equals, value @ ..] if is(equals, '=') => {
                    given.option(&option.to_string(), value, &options)?;
                }
                [TokenTree::Literal(text)] if text.to_string().starts_with(['"', '\'']) => {
                    given.activation = Some(activation(&text.to_string())?);
                }
                value if word == "pad" => given.values.push(sides(value, dialect)?),
                // A call within a call is another layer.
                [TokenTree::Ident(_), _, ..] => return None,
                value => given.values.push(here(value)),
            }
        }
        if dialect == Dialect::Functional
            && given.values.first().is_some_and(|value| !value.starts_with(|c: char| c.is_ascii_digit() || c == '('))
        {
            given.values.remove(0);
        }
        Some(given)
    }

    fn option(&mut self, option: &str, value: &[TokenTree], options: &[&'static str]) -> Option<()> {
        let text = here(value);
        let unquoted = text.trim_matches(['"', '\'']);
        match habits::option(option, options) {
            _ if option == "activation" => self.activation = Some(activation(&text)?).filter(|word| word != "identity"),
            Some(Habit::Word("pad")) if unquoted.eq_ignore_ascii_case("valid") => {}
            Some(Habit::Word(own)) => self.named.push((own, text)),
            Some(Habit::Advice(advice)) if advice.starts_with("leave it out") => {}
            None if option == "mode" => match options.iter().find(|own| **own == unquoted) {
                Some(flag) => self.flags.push(flag),
                None => return None,
            },
            Some(Habit::Advice(_)) | None => return None,
        }
        Some(())
    }

    /// Leaves out what is known here, and changes what is meant otherwise.
    fn order(&mut self, word: &str, dialect: Dialect) -> Option<()> {
        let gives = |option: &str| self.named.iter().any(|(given, _)| *given == option);
        let is_torch = dialect != Dialect::Keras;
        // What comes in is told first by PyTorch's layers that have an output of their own, and alone by normalisations.
        match word {
            "conv" | "conv_transpose" if is_torch && self.values.len() >= if gives("kernel") { 2 } else { 3 } => {
                self.values.remove(0);
            }
            "linear" if is_torch && self.values.len() == 2 => {
                self.values.remove(0);
            }
            "permute" if self.values.len() == 4 && self.values[0] == "0" => {
                self.values.remove(0);
            }
            "group_norm" => self.values.truncate(1),
            "batch_norm" | "instance_norm" | "layer_norm" => self.values.clear(),
            word if words::find(word)?.signature.args.is_empty() && self.values.len() < 3 => self.values.clear(),
            _ => {}
        }
        // Keras weighs the old statistics.
        for (option, value) in &mut self.named {
            if (word, *option, dialect) == ("batch_norm", "momentum", Dialect::Keras) {
                let old: f64 = value.parse().ok()?;
                *value = format!("{}", ((1.0 - old) * 1e6).round() / 1e6);
            }
        }
        if word.ends_with("pool") {
            self.pad_of_pool();
        }
        Some(())
    }

    /// `same` of a pool is a number here, or nothing for an even window, which then has its own size for a stride.
    fn pad_of_pool(&mut self) {
        let kernel =
            self.named.iter().find(|(option, _)| *option == "kernel").map(|(_, value)| value).or(self.values.first());
        let kernel: Option<u64> = kernel.and_then(|kernel| kernel.parse().ok());
        self.named.retain_mut(|(option, value)| {
            let is_same = *option == "pad" && value == "same";
            if let (true, Some(kernel)) = (is_same, kernel.filter(|kernel| kernel % 2 == 1)) {
                *value = ((kernel - 1) / 2).to_string();
                return true;
            }
            !is_same
        });
    }

    /// As they are written here.
    fn placed(&mut self, word: &str) -> Option<Vec<String>> {
        let signature = words::find(word)?.signature;
        // The first one needs no name.
        let first = signature.args.first().filter(|_| signature.positional > 0 && self.values.is_empty());
        if let Some(place) = first.and_then(|first| self.named.iter().position(|(given, _)| *given == first.name)) {
            self.values.push(self.named.remove(place).1);
        }
        let options: Vec<&'static str> = signature.args.iter().map(|spec| spec.name).collect();
        let order: &[&str] = match word {
            "conv" | "conv_transpose" => &["out", "kernel", "stride", "pad", "dilation"],
            name if name.ends_with("pool") => &["kernel", "stride", "pad"],
            _ => options.get(..signature.positional)?,
        };
        if self.values.len() > order.len() {
            return None;
        }
        let unnamed = signature.unnamed().max(1);
        let placed = self.values.iter().zip(order).enumerate().map(|(place, (value, option))| match place < unnamed {
            true => value.clone(),
            false => format!("{option} = {value}"),
        });
        let named = self.named.iter().map(|(option, value)| format!("{option} = {value}"));
        Some(placed.chain(named).chain(self.flags.iter().map(|flag| flag.to_string())).collect())
    }
}

/// The word of an activation that stands in quotation marks.
fn activation(text: &str) -> Option<String> {
    match text.trim_matches(['"', '\'']) {
        "linear" | "None" => Some("identity".into()),
        word => match habits::layer(word, &names())? {
            Habit::Word(own) => Some(own.into()),
            Habit::Advice(_) => None,
        },
    }
}

/// The sides of a padding as (top, bottom, left, right). PyTorch has left and right first, Keras pairs.
fn sides(value: &[TokenTree], dialect: Dialect) -> Option<String> {
    let [TokenTree::Group(group)] = value else { return Some(here(value)) };
    let inside: Vec<TokenTree> = group.stream().into_iter().collect();
    let parts: Vec<String> = inside.split(|token| is(token, ',')).filter(|part| !part.is_empty()).map(here).collect();
    match (&parts[..], dialect) {
        ([left, right, top, bottom], Dialect::Torch | Dialect::Functional) => {
            Some(format!("({top}, {bottom}, {left}, {right})"))
        }
        ([rows, columns], Dialect::Keras) if rows.starts_with('(') => {
            Some(format!("{}, {}", rows.trim_end_matches(')'), columns.trim_start_matches('(')))
        }
        ([_, _], Dialect::Keras) => Some(here(value)),
        _ => None,
    }
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
