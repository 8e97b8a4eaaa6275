//! Expressions: what number each is.

use crate::ast::Network;
use crate::cost::Dim;
use crate::functions::Function;
use crate::graph::Shape;
use crate::report::{Errors, did_you_mean, one_of};
use quote::quote;
use syn::{BinOp, Expr, ExprArray, ExprBinary, ExprCall, ExprLit, Lit, UnOp};

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

impl Scope<'_> {
    /// Whether a name stands for a number here.
    pub fn knows(&self, name: &str) -> bool {
        ["channels", "height", "width"].contains(&name)
            || self.locals.iter().any(|(local, _)| local == name)
            || self.network.names().any(|symbol| symbol == name)
    }
}

/// What the number of a repetition is called.
pub const INDEX: &str = "index";
/// The largest size: beyond it, counts would no longer fit into 64 bits.
pub const SIZE: u64 = u32::MAX as u64;
/// The largest budget.
pub const BUDGET: u64 = i64::MAX as u64;

pub fn quote_of(tokens: impl quote::ToTokens) -> proc_macro2::TokenStream {
    tokens.into_token_stream()
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

/// Whether a literal has no suffix, or that of a size: `3x32` is read as 3 with a suffix.
pub fn is_size(int: &syn::LitInt) -> bool {
    matches!(int.suffix(), "" | "usize")
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
            if !is_size(int) {
                errors.on(expr, suffixed(int, scope));
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
        Expr::Binary(binary) if is_power(binary) => {
            errors.on(expr, format!("there is no `**`{}", power(binary)));
            Dim::Unknown
        }
        Expr::Binary(binary) => match operands([&binary.left, &binary.right], scope, errors, depth) {
            Some((a, b)) => arithmetic(binary, a, b, scope.largest, errors),
            None => Dim::Unknown,
        },
        Expr::Call(call) => called(call, scope, errors, depth),
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => {
            // PyTorch's -1 stands for a size that follows.
            let one = |n: &syn::LitInt| n.base10_digits() == "1";
            let follows = matches!(&*unary.expr, Expr::Lit(ExprLit { lit: Lit::Int(n), .. }) if one(n));
            let rest = if follows { "; a `-1` for a size that follows from the others is not needed here" } else { "" };
            errors.on(expr, format!("a size is never negative{rest}"));
            Dim::Unknown
        }
        _ => {
            let expected =
                "expected a whole number, `channels`, `height`, `width`, a const generic, or + - * / % of these";
            errors.on(expr, format!("{expected}{}", instead(expr)));
            Dim::Unknown
        }
    }
}

/// Two numbers that something is computed from, if they are known; a const generic is an error.
fn operands(sides: [&Expr; 2], scope: &Scope<'_>, errors: &mut Errors, depth: usize) -> Option<(u64, u64)> {
    let [left, right] = sides.map(|side| evaluate_within(side, scope, errors, depth + 1));
    for (side, part) in [left, right].into_iter().zip(sides) {
        if let Dim::Symbol(index) = side {
            let name = scope.network.symbols.get(index).map_or(String::new(), |symbol| symbol.name.to_string());
            let message = format!(
                "`{name}` has no value when the network is checked, so nothing can be computed from it\n  a const generic can only be used alone; stable Rust has no arithmetic on it in types"
            );
            errors.on(part, message);
            return None;
        }
    }
    left.known().zip(right.known())
}

/// `max(a, b)` and its like.
fn called(call: &ExprCall, scope: &Scope<'_>, errors: &mut Errors, depth: usize) -> Dim {
    let name = identifier(&call.func).unwrap_or_default();
    let Some(function) = Function::named(&name) else {
        if let ("int" | "floor", Some(inner), 1) = (name.as_str(), call.args.first(), call.args.len()) {
            let what = "there is nothing to round: a division gives a whole number, rounded down";
            errors.on(call, format!("{what}\n  fix: write `{}`", quote_of(inner)));
            return evaluate_within(inner, scope, &mut Errors::default(), depth + 1);
        }
        let (known, meant) =
            (one_of(Function::names()).replace(" or ", " and "), did_you_mean(&name, Function::names()));
        errors.on(&call.func, format!("there is no such function; sizes know {known}{meant}"));
        return Dim::Unknown;
    };
    let args: Vec<&Expr> = call.args.iter().collect();
    let [first, second] = args[..] else {
        errors.on(call, format!("`{name}` takes two numbers, as in `{}`", function.example()));
        return Dim::Unknown;
    };
    let Some((a, b)) = operands([first, second], scope, errors, depth) else { return Dim::Unknown };
    match function.of(a, b).filter(|n| *n <= scope.largest) {
        Some(n) => Dim::Known(n),
        None if b == 0 => {
            errors.on(second, "there are no multiples of 0");
            Dim::Unknown
        }
        None => {
            errors.on(call, format!("`{name}({a}, {b})` is too large"));
            Dim::Unknown
        }
    }
}

/// What is wrong with a number and what stands right behind it: `3x3`, `62k`, `12O`, `4u8`.
fn suffixed(int: &syn::LitInt, scope: &Scope<'_>) -> String {
    let sizes = format!("{}{}", int.base10_digits(), int.suffix()).replace('x', ", ");
    // In a header there is no shape yet.
    let sizes = if scope.shape.is_none() { sizes } else { format!("({sizes})") };
    match int.suffix() {
        "k" | "K" => format!("a number has no unit\n  fix: write `{}_000`", int.base10_digits()),
        "M" | "m" => format!("a number has no unit\n  fix: write `{}_000_000`", int.base10_digits()),
        zeros if zeros.chars().all(|c| c == 'O' || c == 'o') => {
            format!(
                "`{int}` is no number; is the letter a zero?\n  fix: write `{}{}`",
                int.base10_digits(),
                "0".repeat(zeros.len())
            )
        }
        suffix if suffix.starts_with('x') => {
            format!("numbers are parted by commas\n  fix: write `{sizes}`")
        }
        _ => format!("a size has no type\n  fix: write `{}`", int.base10_digits()),
    }
}

/// Whether this is Python's `a ** b`, which Rust reads as `a * (*b)`.
fn is_power(binary: &ExprBinary) -> bool {
    matches!(binary.op, BinOp::Mul(_))
        && matches!(&*binary.right, Expr::Unary(unary) if matches!(unary.op, UnOp::Deref(_)))
}

/// The power written out, if it is one of two numbers.
fn power(binary: &ExprBinary) -> String {
    let number = |expr: &Expr| match expr {
        Expr::Lit(ExprLit { lit: Lit::Int(int), .. }) => int.base10_parse::<u32>().ok(),
        _ => None,
    };
    let exponent = match &*binary.right {
        Expr::Unary(unary) => number(&unary.expr),
        _ => None,
    };
    let written = number(&binary.left).zip(exponent).and_then(|(base, exponent)| u64::from(base).checked_pow(exponent));
    written.map_or(String::new(), |written| format!("\n  fix: write `{written}`"))
}

/// What to write in place of an expression that is no number, where that can be told.
fn instead(expr: &Expr) -> String {
    let written = match expr {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => {
            let parts: Vec<String> = text.value().split(['x', ',']).map(|part| part.trim().to_string()).collect();
            let numbers = parts.iter().all(|part| part.parse::<u64>().is_ok());
            match (numbers, &parts[..]) {
                (true, [one]) => one.clone(),
                (true, _) => format!("({})", parts.join(", ")),
                (false, _) if text.value().eq_ignore_ascii_case("same") => "same".into(),
                (false, _) if text.value().eq_ignore_ascii_case("valid") => "0".into(),
                (false, _) => return String::new(),
            }
        }
        Expr::Cast(cast) => quote_of(&cast.expr).to_string(),
        Expr::Tuple(tuple) => {
            let mut numbers = tuple.elems.iter().map(|x| quote_of(x).to_string());
            match numbers.next() {
                Some(first) if numbers.all(|other| other == first) => first,
                _ => return String::new(),
            }
        }
        Expr::Array(array) => listed(array),
        Expr::Lit(ExprLit { lit: Lit::Bool(flag), .. }) => {
            let number = if flag.value { 1 } else { 0 };
            return format!(
                "\n  sizes are numbers; a block that asks, as in `if act == 1 {{ relu; }}`, takes 0 and 1 for a flag\n  fix: write `{number}`"
            );
        }
        Expr::Lit(ExprLit { lit: Lit::Float(x), .. }) => match x.base10_parse::<f64>() {
            Ok(x) if x >= 1.0 && x.fract() == 0.0 && x < 1e9 => format!("{x}"),
            _ => return String::new(),
        },
        _ => return String::new(),
    };
    format!("\n  fix: write `{written}`")
}

/// What a list in square brackets holds, in round ones; a single number without any.
pub fn listed(array: &ExprArray) -> String {
    let numbers: Vec<String> = array.elems.iter().map(|x| quote_of(x).to_string()).collect();
    match &numbers[..] {
        [one] => one.clone(),
        _ => format!("({})", numbers.join(", ")),
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
    if scope.network.headless {
        // Its const generics are not known, which was told.
        return Dim::Unknown;
    }
    let symbols = scope.network.names().map(ToString::to_string).collect::<Vec<_>>();
    let locals = scope.locals.iter().map(|(local, _)| local.as_str());
    let known = ["channels", "height", "width"].into_iter().chain(symbols.iter().map(String::as_str)).chain(locals);
    let hint = match name.to_lowercase().as_str() {
        "same" if name == "same" => "; `same` is for `pad` of convolutions alone".to_string(),
        "same" => "; did you mean `same`?".to_string(),
        INDEX => "; it is the number of a repetition, and this stands in no `repeat`".to_string(),
        "valid" => "; did you mean `0`?".to_string(),
        _ if name.len() > 1 && name.chars().all(|c| c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit()) => {
            let known = did_you_mean(&name, known);
            let fix = format!(
                "\n  constants outside of the network cannot be seen here\n  \
                 fix: write the number or, for channels and outputs, declare it: `struct {}<const {name}: usize = 10>: ...`",
                scope.network.name
            );
            if known.is_empty() { fix } else { known }
        }
        _ => did_you_mean(&name, known),
    };
    errors.on(expr, format!("nothing here is called `{name}`{hint}"));
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
            let message = match identifier(expr).as_deref() {
                Some("training" | "train" | "is_training") => {
                    "a layer knows by itself whether it is trained, as `dropout` and `batch_norm` do\n  \
                     fix: leave out the `if` and its braces, and keep its layers"
                }
                _ => "expected a condition, such as `stride != 1 || channels != out`",
            };
            errors.on(expr, message);
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

/// A shape as it is written; `owner` is what it belongs to, and `gives` whether that gives such a shape.
pub fn shape(dims: &[Expr], gives: bool, owner: &proc_macro2::Ident, scope: &Scope<'_>, errors: &mut Errors) -> Shape {
    // A batch may be written as a name that is none here.
    let is_batch = |dim: &Expr| {
        let unknown = identifier(dim).is_some_and(|name| !scope.network.names().any(|known| *known == name));
        unknown || matches!(dim, Expr::Unary(unary) if matches!(unary.op, syn::UnOp::Neg(_)))
    };
    let with_batch = matches!(dims, [first, _, _, _] | [first, _] if is_batch(first));
    let values: Vec<Dim> = dims
        .iter()
        .skip(usize::from(with_batch))
        .map(|dim| match evaluate(dim, scope, errors) {
            Dim::Known(0) => {
                errors.on(dim, "a dimension is at least 1");
                Dim::Unknown
            }
            value => value,
        })
        .collect();
    match values[..] {
        [c, h, w] if !with_batch => Shape::Map([c, h, w]),
        // Told.
        [Dim::Unknown] if !with_batch => Shape::Unknown,
        [n] if !with_batch => Shape::Vector(n),
        // Told.
        [_, _] if !gives && values.contains(&Dim::Unknown) => Shape::Unknown,
        _ => {
            let side = match values[..] {
                [Dim::Known(1), Dim::Known(pixels)] if !gives && pixels.isqrt().pow(2) == pixels => {
                    Some(pixels.isqrt())
                }
                _ => None,
            };
            let mut message =
                format!("a shape is [C, H, W] (channels, height, width) or [N], not {} dimensions", dims.len());
            match dims {
                [_, c, h, w] => {
                    message +=
                        &format!("\n  fix: leave out the batch: `[{}, {}, {}]`", quote_of(c), quote_of(h), quote_of(w));
                }
                [_, n] if with_batch || gives => {
                    message += &format!("\n  fix: leave out the batch: `[{}]`", quote_of(n))
                }
                [_, _] if side.is_some() => {
                    let side = side.unwrap_or_default();
                    message += &format!("\n  fix: write `[1, {side}, {side}]`: channels, height and width");
                }
                [h, w] => {
                    message +=
                        &format!("\n  fix: write `[1, {}, {}]`: the channels come first", quote_of(h), quote_of(w))
                }
                _ => {}
            }
            match dims.first() {
                Some(first) => errors.on(quote!(#first #(, #dims)*), message),
                None => errors.on(owner, message),
            }
            // What was meant, so that nothing else is told of it.
            match values[..] {
                [c, h, w] | [_, c, h, w] => Shape::Map([c, h, w]),
                [n] => Shape::Vector(n),
                [_, n] if gives => Shape::Vector(n),
                [h, w] => match side.map(Dim::Known) {
                    Some(side) => Shape::Map([Dim::Known(1), side, side]),
                    None => Shape::Map([Dim::Known(1), h, w]),
                },
                _ => Shape::Unknown,
            }
        }
    }
}
