//! Arguments: which value belongs to which name.

mod form;
mod too_many;

use crate::ast::{Arg, Layer};
use crate::cost::Dim;
use crate::graph::Written;
use crate::habits;
use crate::report::{Errors, did_you_mean, one_of};
use crate::signature::{ArgKind, DefaultValue, Signature, Spec};
use crate::values::{Scope, bare, evaluate, identifier, number, quote_of};
use proc_macro2::TokenStream;
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Lit, UnOp};
use too_many::whole_number;

/// Something that is wrong with an argument.
struct Fault {
    place: TokenStream,
    message: String,
}

impl Fault {
    /// At the name of an argument, or at the value of one without a name.
    fn on(arg: &Arg, message: String) -> Self {
        Fault { place: Fault::place(arg), message }
    }

    fn place(arg: &Arg) -> TokenStream {
        arg.name.as_ref().map_or_else(|| quote_of(&arg.value), quote_of)
    }
}

/// The arguments of one layer, matched with the signature of its word.
pub struct Args<'a> {
    layer: &'a Layer,
    word: &'static Signature,
    scope: &'a Scope<'a>,
    given: Vec<(&'static Spec, Option<&'a Expr>)>,
    /// Whether every argument that was given is known and every required one was given.
    pub complete: bool,
    /// The number of outputs that is tried in place of the one that is written.
    pub tried: Option<u64>,
}

impl<'a> Args<'a> {
    /// Matches the arguments of `layer` with those of `word`.
    pub fn new(layer: &'a Layer, word: &'static Signature, scope: &'a Scope<'a>, errors: &mut Errors) -> Self {
        let mut args = Args { layer, word, scope, given: Vec::new(), complete: true, tried: None };
        let (mut next, mut too_many, mut misplaced) = (0, false, false);
        for arg in &layer.args {
            // One error tells of all values that are too many.
            if too_many && arg.name.is_none() {
                continue;
            }
            match args.spec(arg, &mut next) {
                Ok((spec, value)) => {
                    if args.given.iter().any(|(given, _)| given.name == spec.name) {
                        args.complete = false;
                        misplaced |= args.doubled(arg, spec, errors);
                    } else {
                        value.into_iter().for_each(|value| args.form(spec, bare(value), errors));
                        args.given.push((spec, value.map(bare)));
                    }
                }
                Err(Fault { place, message }) => {
                    too_many |= arg.name.is_none();
                    errors.on(place, message);
                    errors.settle(Fault::place(arg));
                    args.complete = false;
                }
            }
        }
        if too_many || misplaced {
            match args.without_the_superfluous() {
                // What was told apart, the layers after this one know what comes in.
                Some(given) => (args.given, args.complete) = (given, true),
                // Nobody knows which of them is which.
                None => args.given.clear(),
            }
        }
        let missing = word.args.iter().filter(|spec| spec.is_required() && !args.has(spec.name));
        let missing: Vec<&str> = missing.map(|spec| spec.name).collect();
        if !missing.is_empty() && args.complete {
            let names = one_of(missing).replace(" or ", " and ");
            errors.on(&layer.word, format!("`{}` needs {names}, for example `{}`", word.name, word.example));
            args.complete = false;
        }
        args
    }

    /// The arguments without the number of what comes in, if all others are right.
    fn without_the_superfluous(&self) -> Option<Vec<(&'static Spec, Option<&'a Expr>)>> {
        let (superfluous, _) = self.input_number()?;
        let mut args = Args {
            layer: self.layer,
            word: self.word,
            scope: self.scope,
            given: Vec::new(),
            complete: true,
            tried: None,
        };
        let mut next = 0;
        for arg in self.layer.args.iter().filter(|arg| !std::ptr::eq(*arg, superfluous)) {
            let (spec, value) = args.spec(arg, &mut next).ok()?;
            if args.has(spec.name) {
                return None;
            }
            args.given.push((spec, value.map(bare)));
        }
        Some(args.given)
    }

    /// Reports an argument that is given twice; says whether by its place, which is that of another one than was meant.
    fn doubled(&self, arg: &'a Arg, spec: &Spec, errors: &mut Errors) -> bool {
        let word = self.word.name;
        let by_place = self.layer.args.iter().filter(|arg| arg.name.is_none()).count();
        let place = self.word.args.iter().position(|known| known.name == spec.name);
        let is_placed = arg.name.is_some() && place.is_some_and(|place| place < by_place.min(self.word.positional));
        let option = spec.name;
        let Fault { place, message } = match self.told().filter(|_| is_placed) {
            Some(told) => told,
            None if is_placed => Fault::on(
                arg,
                format!(
                    "`{option}` of `{word}` is given twice: by its place among the values without a name, and by its name"
                ),
            ),
            None if arg.name.is_none() => Fault::on(arg, self.one_too_many(arg, option)),
            None => Fault::on(arg, format!("`{option}` of `{word}` is given twice")),
        };
        errors.on(place, message);
        errors.settle(Fault::place(arg));
        is_placed
    }

    /// Which argument is given, and its value where it has one.
    fn spec(&self, arg: &'a Arg, next: &mut usize) -> Result<(&'static Spec, Option<&'a Expr>), Fault> {
        let word = self.word;
        if let Some(name) = &arg.name {
            let name = name.to_string();
            let found = word.arg(&name).map(|spec| (spec, Some(&arg.value)));
            return found.ok_or_else(|| Fault::on(arg, self.no_option(&name)));
        }
        // An option by its name alone: a flag that is set, or `stride` for `stride = stride`.
        let alone = identifier(&arg.value).and_then(|name| word.arg(&name));
        let taken = word.args.get(*next).is_none_or(|spec| *next >= word.positional || self.has(spec.name));
        if let Some(spec) = alone.filter(|spec| spec.kind == ArgKind::Flag || taken) {
            return Ok((spec, Some(&arg.value).filter(|_| spec.kind != ArgKind::Flag)));
        }
        let spec = word.args.get(*next).filter(|_| *next < word.positional);
        if spec.is_none_or(|spec| self.has(spec.name))
            && let Some(message) = self.switch(arg)
        {
            return Err(Fault::on(arg, message));
        }
        *next += 1;
        spec.map(|spec| (spec, Some(&arg.value)))
            .ok_or_else(|| self.told().unwrap_or_else(|| Fault::on(arg, self.without_name(arg, *next))))
    }

    /// What is wrong with the name of an option that the layer does not have.
    fn no_option(&self, name: &str) -> String {
        let word = self.word;
        let names: Vec<&'static str> = word.args.iter().map(|spec| spec.name).collect();
        let known = || names.iter().copied();
        let has = match word.args {
            [] => "takes no argument".into(),
            _ => format!("has {}", one_of(known()).replace(" or ", " and ")),
        };
        match habits::option(name, &names).map(habits::Habit::hint) {
            Some(hint) => format!("`{}` has no option `{name}`{hint}", word.name),
            None => {
                format!("`{0}` has no option `{name}`{1}\n  `{0}` {has}", word.name, did_you_mean(name, known()))
            }
        }
    }

    /// Whether an argument was given.
    pub fn has(&self, name: &str) -> bool {
        self.given.iter().any(|(spec, _)| spec.name == name)
    }

    /// The expression of an argument; the layer's word where there is none.
    pub fn expr(&self, name: &str) -> Option<&'a Expr> {
        self.given.iter().find(|(spec, _)| spec.name == name).and_then(|(_, value)| *value)
    }

    /// Where the layer and its arguments are written.
    pub fn written(&self) -> Written {
        let place = |(spec, value): &(&'static Spec, Option<&Expr>)| value.map(|value| (spec.name, value.span()));
        let args = self.given.iter().filter_map(place).collect();
        let (same, named) = (self.expr("pad").is_some_and(is_same), self.layer.name.is_some());
        let out = self.expr("out").and_then(whole_number);
        let is_set = |value: &Option<&Expr>| !matches!(value, Some(Expr::Lit(ExprLit { lit: Lit::Bool(flag), .. })) if !flag.value);
        let ceil = self.given.iter().any(|(spec, value)| spec.name == "ceil" && is_set(value));
        Written { args, out, same, ceil, named, ..Written::at(self.layer.word.span()) }
    }

    /// Reports `message` on the value of an argument.
    pub fn fault(&self, name: &str, errors: &mut Errors, message: impl std::fmt::Display) {
        match self.expr(name) {
            Some(expr) => errors.on(expr, message),
            None => errors.on(&self.layer.word, message),
        }
    }

    /// A size, which may be a const generic.
    pub fn size(&self, name: &str, errors: &mut Errors) -> Dim {
        let Some(expr) = self.expr(name) else { return Dim::Unknown };
        if let Some(out) = self.tried.filter(|_| name == "out") {
            return Dim::Known(out);
        }
        let dim = evaluate(expr, self.scope, errors);
        self.positive(name, expr, dim, errors)
    }

    /// What the table has for an argument that is not given.
    fn default(&self, name: &str) -> DefaultValue {
        self.word.arg(name).map_or(DefaultValue::Required, |spec| spec.default)
    }

    /// A positive integer, or its default.
    pub fn count(&self, name: &str, errors: &mut Errors) -> Option<u64> {
        let Some(expr) = self.expr(name) else {
            return match self.default(name) {
                DefaultValue::Whole(n) => Some(n),
                DefaultValue::Like(other) => self.count(other, errors),
                _ => None,
            };
        };
        let dim = number(expr, self.scope, errors);
        self.positive(name, expr, dim, errors).known()
    }

    /// An integer that may be 0, or its default.
    pub fn natural(&self, name: &str, errors: &mut Errors) -> Option<u64> {
        match self.expr(name) {
            Some(expr) => number(expr, self.scope, errors).known(),
            None => self.count(name, errors),
        }
    }

    fn positive(&self, name: &str, expr: &Expr, dim: Dim, errors: &mut Errors) -> Dim {
        if dim == Dim::Known(0) {
            errors.on(expr, self.least(name, 0, 1));
            return Dim::Unknown;
        }
        dim
    }

    /// What is wrong with a number that is too small. What does nothing where it is 1 was meant to do nothing.
    fn least(&self, name: &str, value: u64, minimum: u64) -> String {
        let does_nothing = name == "stride" || self.default(name) == DefaultValue::Whole(1);
        let fix = if does_nothing && minimum == 1 { "\n  fix: write `1`" } else { "" };
        format!("`{name}` is {value}; it must be at least {minimum}{fix}")
    }

    /// `[height, width]` of integers from `minimum` on, or its default.
    pub fn pair(&self, name: &str, minimum: u64, errors: &mut Errors) -> Option<[u64; 2]> {
        let Some(expr) = self.expr(name) else {
            return match self.default(name) {
                DefaultValue::Whole(n) => Some([n, n]),
                DefaultValue::Like(other) => self.pair(other, minimum, errors),
                _ => None,
            };
        };
        if name == "pad" && is_same(expr) && !self.takes_same() {
            self.no_same(expr, errors);
            return None;
        }
        let parts: Vec<&Expr> = match expr {
            Expr::Tuple(tuple) => tuple.elems.iter().collect(),
            other => vec![other],
        };
        let mut values = Vec::new();
        for part in &parts {
            if let Some(message) = below_zero(name, minimum, part) {
                errors.on(part, message);
                return None;
            }
            let value = number(part, self.scope, errors).known()?;
            if value < minimum {
                errors.on(part, self.least(name, value, minimum));
                return None;
            }
            values.push(value);
        }
        match values[..] {
            [both] => Some([both, both]),
            [height, width] => Some([height, width]),
            _ => {
                errors.on(expr, format!("`{name}` takes a number or (height, width)"));
                None
            }
        }
    }

    /// Whether the padding may be `same`.
    fn takes_same(&self) -> bool {
        self.word.arg("pad").is_some_and(|spec| spec.kind == ArgKind::Pad)
    }

    /// Reports `same` where a padding is a number.
    fn no_same(&self, expr: &Expr, errors: &mut Errors) {
        let message =
            format!("`pad` of `{}` is a number of pixels; `same` is for convolutions and pools alone", self.word.name);
        let kernel = match self.expr("kernel") {
            Some(Expr::Lit(ExprLit { lit: Lit::Int(kernel), .. })) => kernel.base10_parse::<u64>().ok(),
            _ => None,
        };
        match kernel.filter(|kernel| *kernel > 0) {
            Some(kernel) if kernel % 2 == 1 => {
                errors.on(expr, format!("{message}\n  fix: write `{}`", (kernel - 1) / 2))
            }
            _ => errors.on(expr, message),
        }
    }

    /// A decimal number; its default where it is not given, or is no number.
    pub fn float(&self, name: &str, errors: &mut Errors) -> f64 {
        // Every decimal number has a default; a name that the table does not have gives no number, which its tests notice.
        let DefaultValue::Decimal(default) = self.default(name) else { return f64::NAN };
        let Some(expr) = self.expr(name) else { return default };
        float(expr).unwrap_or_else(|| {
            errors.on(expr, format!("`{name}` takes a number, such as {default:?}"));
            default
        })
    }

    /// A flag; its default where it is not given, or is neither `true` nor `false`.
    pub fn flag(&self, name: &str, errors: &mut Errors) -> bool {
        self.given_flag(name, errors).unwrap_or_else(|| self.default(name) == DefaultValue::On)
    }

    /// A flag that is given.
    pub fn given_flag(&self, name: &str, errors: &mut Errors) -> Option<bool> {
        let (_, value) = self.given.iter().find(|(spec, _)| spec.name == name)?;
        match value {
            None => Some(true),
            Some(Expr::Lit(ExprLit { lit: Lit::Bool(flag), .. })) => Some(flag.value),
            Some(expr) => {
                let fix = match identifier(expr).as_deref() {
                    Some("True" | "TRUE" | "yes" | "on") => "\n  fix: write `true`",
                    Some("False" | "FALSE" | "None" | "no" | "off") => "\n  fix: write `false`",
                    _ => "",
                };
                errors.on(expr, format!("`{name}` takes `true` or `false`{fix}"));
                None
            }
        }
    }
}

/// What is wrong with a number that has a minus sign before it: `pad = -1`.
pub fn below_zero(name: &str, minimum: u64, value: &Expr) -> Option<String> {
    let Expr::Unary(unary) = value else { return None };
    let Expr::Lit(ExprLit { lit: Lit::Int(n), .. }) = &*unary.expr else { return None };
    let what = if minimum == 0 { "0 or more" } else { "at least 1" };
    matches!(unary.op, UnOp::Neg(_)).then(|| format!("`{name}` is -{}; it must be {what}", n.base10_digits()))
}

/// Whether a value is `same`, in quotation marks or not.
fn is_same(value: &Expr) -> bool {
    let text = match value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
        value => identifier(value),
    };
    text.is_some_and(|text| text.eq_ignore_ascii_case("same"))
}

fn float(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Float(float), .. }) => float.base10_parse().ok().filter(|x: &f64| x.is_finite()),
        Expr::Lit(ExprLit { lit: Lit::Int(int), .. }) => int.base10_parse::<u64>().ok().map(|n| n as f64),
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => float(&unary.expr).map(|x| -x),
        Expr::Paren(paren) => float(&paren.expr),
        _ => None,
    }
}
