//! Values that are too many: the number of what comes in, which other frameworks want to be told, and those that need their names.

use super::{Args, Fault, is_same};
use crate::ast::Arg;
use crate::graph::Shape;
use crate::habits;
use crate::report::{one_of, written};
use crate::signature::ArgKind;
use crate::values::{identifier, quote_of};
use syn::{Expr, ExprLit, Lit, UnOp};

/// Layers that PyTorch tells what comes in, and that are never told here.
const TOLD: [&str; 9] = [
    "conv",
    "depthwise",
    "conv_transpose",
    "linear",
    "batch_norm",
    "group_norm",
    "layer_norm",
    "instance_norm",
    "squeeze_excite",
];

impl<'a> Args<'a> {
    /// What is wrong with the value that tells what comes in, if there is one.
    pub(super) fn told(&self) -> Option<Fault> {
        let (arg, incoming) = self.input_number()?;
        let (word, number) = (self.word.name, quote_of(&arg.value));
        let is_vector = self.scope.shape.is_some_and(|shape| matches!(shape, Shape::Vector(_)));
        let (what, thing) = match word {
            "linear" => ("takes no number of inputs: the layer before gives it", "number"),
            "conv" | "conv_transpose" => ("takes no number of input channels: the layer before gives it", "channel"),
            _ if is_vector => ("takes no number of inputs: the layer before gives it", "number"),
            _ => ("takes no number of channels: the layer before gives it", "channel"),
        };
        let differs = match incoming {
            None => String::new(),
            Some(1) => format!("\n  1 {thing} comes in, not {number}"),
            Some(incoming) => format!("\n  {incoming} {thing}s come in, not {number}"),
        };
        let fix = match self.whole(Some(arg)) {
            Some(whole) => format!("write `{whole}`"),
            None => format!("leave `{number}` out"),
        };
        Some(Fault { place: number, message: format!("`{word}` {what}{differs}\n  fix: {fix}") })
    }

    /// The value that looks like the number of what comes in, and what comes in where that is another number.
    pub(super) fn input_number(&self) -> Option<(&'a Arg, Option<u64>)> {
        let word = self.word.name;
        let incoming = self.scope.shape.map(|shape| shape.chw()).and_then(|dims| dims.first()?.known())?;
        let layer = self.layer;
        let placed: Vec<&'a Arg> = layer.args.iter().filter(|arg| arg.name.is_none()).collect();
        let numbers: Option<Vec<u64>> = placed.iter().map(|arg| whole_number(&arg.value)).collect();
        // What comes in is told first, where a layer takes it and something else, and of groups last.
        let told = if word == "group_norm" { placed.last() } else { placed.first() };
        let told = told.copied().filter(|_| TOLD.contains(&word))?;
        // The others may be names of numbers.
        let is_number = |arg: &&Arg| {
            let name = identifier(&arg.value);
            is_size(&arg.value) || name.is_some_and(|name| self.scope.knows(&name))
        };
        let numbers = numbers.or_else(|| placed.iter().all(is_number).then(Vec::new))?;
        // A pair is a kernel, before which only one of the two numbers stands.
        if let (Some(Arg { value: Expr::Tuple(_), .. }), "conv" | "conv_transpose") = (placed.get(1), word) {
            return None;
        }
        match (word, &numbers[..]) {
            // The third is Keras' stride.
            ("conv", [_, kernel, 1 | 2, ..]) if kernel % 2 == 1 && *kernel < 12 => None,
            ("conv_transpose", [_, 1..=5, 1 | 2, ..]) => None,
            ("conv", [first, _, _, ..]) | ("linear", [first, _]) if *first != incoming => Some((told, Some(incoming))),
            ("batch_norm" | "instance_norm" | "layer_norm", [first]) if *first != incoming => {
                Some((told, Some(incoming)))
            }
            _ => (whole_number(&told.value) == Some(incoming)).then_some((told, None)),
        }
    }

    /// What is wrong with a value without a name, of which there are more than the layer takes; `count` are those up to this one.
    pub(super) fn without_name(&self, arg: &Arg, count: usize) -> String {
        let word = self.word;
        let known = || word.args.iter().map(|spec| spec.name);
        if let Some(message) = text(&arg.value).and_then(|text| self.quoted(&text)) {
            return message;
        }
        if let Some(message) = self.permutation() {
            return message;
        }
        match word.positional {
            0 if word.name == "flatten" => format!(
                "`{}` takes no argument\n  fix: write `flatten`: all of an image becomes a vector, and the batch is not written",
                word.name
            ),
            0 if word.args.is_empty() => format!("`{0}` takes no argument\n  fix: write `{0}`", word.name),
            0 => format!("the options of `{}` need their names: {}", word.name, one_of(known())),
            n => {
                let first: Vec<&str> = known().take(n).collect();
                let rest: Vec<&str> = known().skip(n).collect();
                let names = if rest.is_empty() { String::new() } else { format!("; give {} by name", one_of(rest)) };
                let first = one_of(first).replace(" or ", " and ");
                let placed = self.layer.args.iter().filter(|arg| arg.name.is_none()).count();
                let next = known().nth(n).filter(|_| count == n + 1);
                let is_flag = |name: &str| word.arg(name).is_some_and(|spec| spec.kind == ArgKind::Flag);
                let whole = self.whole(None).filter(|_| placed > n + 1);
                let fix = match next {
                    _ if is_same(&arg.value) && word.arg("pad").is_some() => Some("pad = same".into()),
                    _ if whole.is_some() => whole,
                    Some(next) if is_size(&arg.value) && !is_flag(next) => {
                        Some(format!("{next} = {}", shown(&arg.value)))
                    }
                    _ => None,
                };
                let fix = fix.map_or(String::new(), |fix| format!("\n  fix: write `{fix}`"));
                format!("`{}` takes only {first} without a name{names}{fix}", word.name)
            }
        }
    }

    /// What is wrong with the dimensions of PyTorch's `permute`, the first of which is that of the images.
    fn permutation(&self) -> Option<String> {
        let numbers: Vec<u64> = self.layer.args.iter().map(|arg| whole_number(&arg.value)).collect::<Option<_>>()?;
        let [0, channels, height, width] = numbers[..] else { return None };
        let fix = format!("write `permute({channels}, {height}, {width})`");
        (self.word.name == "permute").then(|| format!("the dimension of the images is not written\n  fix: {fix}"))
    }

    /// What is wrong with a value without a name whose place is that of an option that is given by its name.
    pub(super) fn one_too_many(&self, arg: &Arg, option: &str) -> String {
        let same = is_same(&arg.value).then(|| self.quoted("same")).flatten();
        let text = text(&arg.value).and_then(|text| self.quoted(&text));
        same.or(text)
            .or_else(|| self.switch(arg))
            .unwrap_or_else(|| format!("`{option}` is given by its name, so that this value is one too many"))
    }

    /// What is wrong with a value without a name that looks like a flag: `no_bias`, `!bias`.
    pub(super) fn switch(&self, arg: &Arg) -> Option<String> {
        let word = self.word;
        match &arg.value {
            Expr::Unary(unary) if matches!(unary.op, UnOp::Not(_)) => {
                let name = identifier(&unary.expr)?;
                Some(format!("a flag is `true` or `false`\n  fix: write `{name} = false`"))
            }
            Expr::Path(_) => {
                let name = identifier(&arg.value)?;
                let known = is_same(&arg.value) || self.scope.knows(&name);
                let names: Vec<&'static str> = word.args.iter().map(|spec| spec.name).collect();
                let hint = habits::option(&name, &names).map_or_else(String::new, habits::Habit::hint);
                (!known).then(|| format!("`{}` has no option `{name}`{hint}", word.name))
            }
            _ => None,
        }
    }

    /// What is wrong with a text where no text is taken.
    pub(super) fn quoted(&self, text: &str) -> Option<String> {
        let is_flag = self.word.arg(text).is_some_and(|spec| spec.kind == ArgKind::Flag);
        if is_flag {
            return Some(format!("`{text}` has no quotes\n  fix: write `{text}`"));
        }
        if text.eq_ignore_ascii_case("same") && self.word.arg("pad").is_some() {
            return Some("a padding has its name\n  fix: write `pad = same`".into());
        }
        let is_word = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        is_word.then(|| "an activation is a layer of its own, such as `relu;` after this one".into())
    }

    /// The layer as it is to be written, `without` one of its values: those that have no place here have their names, in PyTorch's order, which
    /// is ours. `None` where a value is none that can be named so.
    fn whole(&self, without: Option<&Arg>) -> Option<String> {
        let (mut parts, mut place) = (Vec::new(), 0);
        let layer = self.layer;
        for arg in layer.args.iter().filter(|arg| without.is_none_or(|without| !std::ptr::eq(*arg, without))) {
            let value = shown(&arg.value);
            if let Some(name) = &arg.name {
                self.word.arg(&name.to_string())?;
                parts.push(format!("{name} = {value}"));
                continue;
            }
            let spec = self.word.args.get(place)?;
            let is_given = layer.args.iter().filter_map(|arg| arg.name.as_ref()).any(|name| *name == spec.name);
            let fits = match spec.kind {
                ArgKind::Flag => matches!(&arg.value, Expr::Lit(ExprLit { lit: Lit::Bool(_), .. })),
                ArgKind::Table => false,
                ArgKind::Pad if is_same(&arg.value) => true,
                ArgKind::Size | ArgKind::Count | ArgKind::Pair | ArgKind::Ends => is_size(&arg.value),
                ArgKind::Sides | ArgKind::Pad | ArgKind::Float => is_size(&arg.value),
            };
            place += 1;
            match place <= self.word.positional {
                _ if is_given => return None,
                true => parts.push(value),
                false if fits => parts.push(format!("{} = {value}", spec.name)),
                false => return None,
            }
        }
        let word = self.word.name;
        Some(if parts.is_empty() { word.to_string() } else { format!("{word}({})", parts.join(", ")) })
    }
}

/// The number that an expression is, if it is written as one.
pub(super) fn whole_number(value: &Expr) -> Option<u64> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Int(int), .. }) => int.base10_parse().ok(),
        _ => None,
    }
}

/// Whether a value is a number, or several in brackets.
fn is_size(value: &Expr) -> bool {
    match value {
        Expr::Tuple(tuple) => tuple.elems.iter().all(|number| whole_number(number).is_some()),
        number => whole_number(number).is_some(),
    }
}

/// What stands in quotation marks.
pub(super) fn text(value: &Expr) -> Option<String> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
        _ => None,
    }
}

/// An expression as somebody would write it.
fn shown(value: &Expr) -> String {
    written(&quote_of(value).into_iter().collect::<Vec<_>>())
}
