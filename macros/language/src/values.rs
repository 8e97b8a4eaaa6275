//! Arguments: which value belongs to which name, and what number it is.

use crate::ast::{Arg, Layer, Network};

use crate::cost::Dim;
use crate::graph::Shape;
use crate::report::{Errors, did_you_mean, one_of};
use crate::signature::{ArgKind, DefaultValue, Signature, Spec};
use quote::quote;
use syn::{BinOp, Expr, ExprLit, Lit, UnOp};

/// What expressions may refer to.
pub struct Scope<'a> {
    /// Whose const generics.
    pub network: &'a Network,
    /// The shape at this point, for `channels`, `height` and `width`; in headers and budgets there is none.
    pub shape: Option<Shape>,
    /// The parameters of the block that is being filled in.
    pub locals: &'a [(String, Dim)],
    /// The largest number that makes sense here.
    pub largest: u64,
}

/// The largest size: beyond it, counts would no longer fit into 64 bits.
pub const SIZE: u64 = u32::MAX as u64;
/// The largest budget.
pub const BUDGET: u64 = i64::MAX as u64;

/// The arguments of one layer, matched with the signature of its word.
pub struct Args<'a> {
    layer: &'a Layer,
    word: &'static Signature,
    scope: &'a Scope<'a>,
    given: Vec<(&'static Spec, Option<&'a Expr>)>,
    /// Whether every argument that was given is known and every required one was given.
    pub complete: bool,
}

impl<'a> Args<'a> {
    /// Matches the arguments of `layer` with those of `word`.
    pub fn new(layer: &'a Layer, word: &'static Signature, scope: &'a Scope<'a>, errors: &mut Errors) -> Self {
        let mut args = Args { layer, word, scope, given: Vec::new(), complete: true };
        let (mut next, mut too_many) = (0, false);
        for arg in &layer.args {
            // One error tells of all values that are too many.
            if too_many && arg.name.is_none() {
                continue;
            }
            match args.spec(arg, &mut next) {
                Ok((spec, value)) => {
                    if args.given.iter().any(|(given, _)| given.name == spec.name) {
                        errors
                            .on(arg.name.as_ref().map_or_else(|| quote_of(&arg.value), quote_of), doubled(spec, word));
                        args.complete = false;
                    } else {
                        args.given.push((spec, value.map(bare)));
                    }
                }
                Err(message) => {
                    too_many |= arg.name.is_none();
                    errors.on(arg.name.as_ref().map_or_else(|| quote_of(&arg.value), quote_of), message);
                    args.complete = false;
                }
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

    /// Which argument is given, and its value where it has one.
    fn spec(&self, arg: &'a Arg, next: &mut usize) -> Result<(&'static Spec, Option<&'a Expr>), String> {
        let word = self.word;
        let known = || word.args.iter().map(|spec| spec.name);
        if let Some(name) = &arg.name {
            let name = name.to_string();
            return word.arg(&name).map(|spec| (spec, Some(&arg.value))).ok_or_else(|| {
                let has = if word.args.is_empty() {
                    "takes no argument".into()
                } else {
                    format!("has {}", one_of(known()).replace(" or ", " and "))
                };
                format!(
                    "`{}` has no option `{name}`{}\n  `{}` {has}",
                    word.name,
                    did_you_mean(&name, known()),
                    word.name
                )
            });
        }
        // An option by its name alone: a flag that is set, or `stride` for `stride = stride`.
        let alone = identifier(&arg.value).and_then(|name| word.arg(&name));
        let taken = word.args.get(*next).is_none_or(|spec| *next >= word.positional || self.has(spec.name));
        if let Some(spec) = alone.filter(|spec| spec.kind == ArgKind::Flag || taken) {
            return Ok((spec, Some(&arg.value).filter(|_| spec.kind != ArgKind::Flag)));
        }
        let spec = word.args.get(*next).filter(|_| *next < word.positional);
        *next += 1;
        spec.map(|spec| (spec, Some(&arg.value))).ok_or_else(|| match word.positional {
            0 if word.args.is_empty() => format!("`{}` takes no argument", word.name),
            0 => format!("the options of `{}` need their names: {}", word.name, one_of(known())),
            n => {
                let first: Vec<&str> = known().take(n).collect();
                let rest: Vec<&str> = known().skip(n).collect();
                let names = if rest.is_empty() { String::new() } else { format!("; give {} by name", one_of(rest)) };
                format!("`{}` takes only {} without a name{names}", word.name, one_of(first).replace(" or ", " and "))
            }
        })
    }

    /// Whether an argument was given.
    pub fn has(&self, name: &str) -> bool {
        self.given.iter().any(|(spec, _)| spec.name == name)
    }

    /// The expression of an argument; the layer's word where there is none.
    pub fn expr(&self, name: &str) -> Option<&'a Expr> {
        self.given.iter().find(|(spec, _)| spec.name == name).and_then(|(_, value)| *value)
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

    fn positive(&self, name: &str, expr: &Expr, dim: Dim, errors: &mut Errors) -> Dim {
        if dim == Dim::Known(0) {
            errors.on(expr, format!("`{name}` is 0; it must be at least 1"));
            return Dim::Unknown;
        }
        dim
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
        let parts: Vec<&Expr> = match expr {
            Expr::Tuple(tuple) => tuple.elems.iter().collect(),
            other => vec![other],
        };
        let mut values = Vec::new();
        for part in &parts {
            let value = number(part, self.scope, errors).known()?;
            if value < minimum {
                errors.on(part, format!("`{name}` is {value}; it must be at least {minimum}"));
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
                errors.on(expr, format!("`{name}` takes `true` or `false`"));
                None
            }
        }
    }
}

fn quote_of(tokens: impl quote::ToTokens) -> proc_macro2::TokenStream {
    tokens.into_token_stream()
}

fn doubled(spec: &Spec, word: &Signature) -> String {
    format!("`{}` of `{}` is given twice", spec.name, word.name)
}

/// The expression without brackets that change nothing.
pub fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Paren(paren) => bare(&paren.expr),
        other => other,
    }
}

/// The identifier that an expression is, if it is only that.
pub fn identifier(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Path(path) => path.path.get_ident().map(ToString::to_string),
        _ => None,
    }
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

/// A number; a const generic is an error.
pub fn number(expr: &Expr, scope: &Scope<'_>, errors: &mut Errors) -> Dim {
    match evaluate(expr, scope, errors) {
        Dim::Symbol(index) => {
            let name = scope.network.symbols.get(index).map_or(String::new(), |symbol| symbol.name.to_string());
            let message = format!(
                "`{name}` has no value when the network is checked; here a number is needed\n  a const generic can be an output size or a number of channels"
            );
            errors.on(expr, message);
            Dim::Unknown
        }
        dim => dim,
    }
}

/// A number or a const generic alone.
pub fn evaluate(expr: &Expr, scope: &Scope<'_>, errors: &mut Errors) -> Dim {
    evaluate_within(expr, scope, errors, 0)
}

fn evaluate_within(expr: &Expr, scope: &Scope<'_>, errors: &mut Errors, depth: usize) -> Dim {
    if depth > 200 {
        errors.on(expr, "this expression is too long");
        return Dim::Unknown;
    }
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Int(int), .. }) => {
            if !matches!(int.suffix(), "" | "usize") {
                errors
                    .on(expr, format!("a size has no type; write {} without `{}`", int.base10_digits(), int.suffix()));
                return Dim::Unknown;
            }
            match int.base10_parse::<u64>() {
                Ok(n) if n <= scope.largest => Dim::Known(n),
                _ => {
                    errors.on(expr, format!("{} is too large; the limit is {}", int.base10_digits(), scope.largest));
                    Dim::Unknown
                }
            }
        }
        Expr::Paren(paren) => evaluate_within(&paren.expr, scope, errors, depth + 1),
        Expr::Path(_) => name(expr, scope, errors),
        Expr::Binary(binary) => {
            let left = evaluate_within(&binary.left, scope, errors, depth + 1);
            let right = evaluate_within(&binary.right, scope, errors, depth + 1);
            for (side, part) in [(left, &binary.left), (right, &binary.right)] {
                if let Dim::Symbol(index) = side {
                    let name = scope.network.symbols.get(index).map_or(String::new(), |symbol| symbol.name.to_string());
                    let message = format!(
                        "`{name}` has no value when the network is checked, so nothing can be computed from it\n  a const generic can only be used alone; stable Rust has no arithmetic on it in types"
                    );
                    errors.on(part, message);
                    return Dim::Unknown;
                }
            }
            match (left.known(), right.known()) {
                (Some(a), Some(b)) => arithmetic(binary, a, b, scope.largest, errors),
                _ => Dim::Unknown,
            }
        }
        _ => {
            errors.on(
                expr,
                "expected a whole number, `channels`, `height`, `width`, a const generic, or + - * / % of these",
            );
            Dim::Unknown
        }
    }
}

fn name(expr: &Expr, scope: &Scope<'_>, errors: &mut Errors) -> Dim {
    let Some(name) = identifier(expr) else {
        errors.on(expr, "expected a number or a name");
        return Dim::Unknown;
    };
    if let Some((_, value)) = scope.locals.iter().find(|(local, _)| *local == name) {
        return *value;
    }
    if let Some(place) = ["channels", "height", "width"].iter().position(|word| *word == name) {
        let Some(shape) = scope.shape else {
            errors.on(expr, format!("`{name}` is the shape between two layers; here there is none"));
            return Dim::Unknown;
        };
        return shape.chw().get(place).copied().unwrap_or(Dim::Unknown);
    }
    if let Some(fixed) = scope.network.fixed.iter().find(|fixed| fixed.name == name) {
        return Dim::Known(fixed.number);
    }
    if let Some(index) = scope.network.symbols.iter().position(|symbol| symbol.name == name) {
        return Dim::Symbol(index);
    }
    let symbols = scope.network.names().map(ToString::to_string).collect::<Vec<_>>();
    let locals = scope.locals.iter().map(|(local, _)| local.as_str());
    let known = ["channels", "height", "width"].into_iter().chain(symbols.iter().map(String::as_str)).chain(locals);
    errors.on(expr, format!("nothing here is called `{name}`{}", did_you_mean(&name, known)));
    Dim::Unknown
}

/// Whether a condition holds; `None` after an error, or where it depends on what is not known.
pub fn condition(expr: &Expr, scope: &Scope<'_>, errors: &mut Errors) -> Option<bool> {
    condition_within(expr, scope, errors, 0)
}

fn condition_within(expr: &Expr, scope: &Scope<'_>, errors: &mut Errors, depth: usize) -> Option<bool> {
    if depth > 200 {
        errors.on(expr, "this condition is too long");
        return None;
    }
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Bool(flag), .. }) => Some(flag.value),
        Expr::Paren(paren) => condition_within(&paren.expr, scope, errors, depth + 1),
        Expr::Unary(unary) if matches!(unary.op, UnOp::Not(_)) => {
            condition_within(&unary.expr, scope, errors, depth + 1).map(|holds| !holds)
        }
        Expr::Binary(binary) if matches!(binary.op, BinOp::And(_) | BinOp::Or(_)) => {
            let left = condition_within(&binary.left, scope, errors, depth + 1)?;
            let right = condition_within(&binary.right, scope, errors, depth + 1)?;
            Some(if matches!(binary.op, BinOp::And(_)) { left && right } else { left || right })
        }
        Expr::Binary(binary) => {
            let left = evaluate_within(&binary.left, scope, errors, depth + 1);
            let right = evaluate_within(&binary.right, scope, errors, depth + 1);
            let order = match (left, right) {
                (Dim::Unknown, _) | (_, Dim::Unknown) => return None,
                (Dim::Known(a), Dim::Known(b)) => a.cmp(&b),
                (a, b) if a == b => std::cmp::Ordering::Equal,
                _ => {
                    errors.on(
                        expr,
                        "a const generic has no value when the network is checked, so this cannot be decided",
                    );
                    return None;
                }
            };
            match binary.op {
                BinOp::Eq(_) => Some(order.is_eq()),
                BinOp::Ne(_) => Some(order.is_ne()),
                BinOp::Lt(_) => Some(order.is_lt()),
                BinOp::Le(_) => Some(order.is_le()),
                BinOp::Gt(_) => Some(order.is_gt()),
                BinOp::Ge(_) => Some(order.is_ge()),
                _ => {
                    errors.on(expr, "expected a comparison, such as `stride != 1`");
                    None
                }
            }
        }
        _ => {
            errors.on(expr, "expected a condition, such as `stride != 1 || channels != out`");
            None
        }
    }
}

fn arithmetic(binary: &syn::ExprBinary, a: u64, b: u64, largest: u64, errors: &mut Errors) -> Dim {
    let (result, what) = match binary.op {
        BinOp::Add(_) => (a.checked_add(b), "too large"),
        BinOp::Sub(_) => (a.checked_sub(b), "negative"),
        BinOp::Mul(_) => (a.checked_mul(b), "too large"),
        BinOp::Div(_) => (a.checked_div(b), "a division by zero"),
        BinOp::Rem(_) => (a.checked_rem(b), "a division by zero"),
        _ => {
            errors.on(binary.op, "sizes know only + - * / %");
            return Dim::Unknown;
        }
    };
    match result.filter(|n| *n <= largest) {
        Some(n) => Dim::Known(n),
        None => {
            let what = if result.is_some() { "too large" } else { what };
            errors.on(binary, format!("{a} {} {b} is {what}", quote_of(binary.op)));
            Dim::Unknown
        }
    }
}

/// A shape as it is written; `owner` is what it belongs to.
pub fn shape(dims: &[Expr], owner: &proc_macro2::Ident, scope: &Scope<'_>, errors: &mut Errors) -> Shape {
    let values: Vec<Dim> = dims
        .iter()
        .map(|dim| match evaluate(dim, scope, errors) {
            Dim::Known(0) => {
                errors.on(dim, "a dimension is at least 1");
                Dim::Unknown
            }
            value => value,
        })
        .collect();
    match values[..] {
        [c, h, w] => Shape::Map([c, h, w]),
        [n] => Shape::Vector(n),
        _ => {
            let message =
                format!("a shape is [C, H, W] (channels, height, width) or [N], not {} dimensions", dims.len());
            match dims.first() {
                Some(first) => errors.on(quote!(#first #(, #dims)*), message),
                None => errors.on(owner, message),
            }
            Shape::Unknown
        }
    }
}
