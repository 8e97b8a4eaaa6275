//! What arguments a layer takes: their names, what kind of value each takes, its default, and what it means.

use std::fmt;

/// What kind of value an argument takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgKind {
    /// A number of channels or outputs: an integer, or a const generic.
    Size,
    /// An integer.
    Count,
    /// An integer for both dimensions, or `(height, width)`.
    Pair,
    /// An integer for both ends, or `(before, after)`.
    Ends,
    /// An integer, `(height, width)` or `(top, bottom, left, right)`.
    Sides,
    /// As [`ArgKind::Sides`], or `same`.
    Pad,
    /// A decimal number.
    Float,
    /// `true` or `false`; the name alone means `true`.
    Flag,
    /// A list of lists of channel numbers.
    Table,
}

impl ArgKind {
    /// What it takes, for people.
    pub const fn takes(self) -> &'static str {
        match self {
            ArgKind::Size => "a whole number or a const generic",
            ArgKind::Count => "a whole number",
            ArgKind::Pair => "a whole number or `(height, width)`",
            ArgKind::Ends => "a whole number or `(before, after)`",
            ArgKind::Sides => "a whole number, `(height, width)` or `(top, bottom, left, right)`",
            ArgKind::Pad => "a whole number, `(height, width)`, `(top, bottom, left, right)` or `same`",
            ArgKind::Float => "a decimal number",
            ArgKind::Flag => "a flag",
            ArgKind::Table => "a list of lists, `[[0, 1, 2], ...]`",
        }
    }
}

/// What an argument is where it is not given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DefaultValue {
    /// Nothing: the layer is incomplete without it.
    Required,
    /// Nothing, and the layer is complete without it.
    Absent,
    /// A whole number; of a pair, of ends and of sides, it is each of them.
    Whole(u64),
    /// A decimal number.
    Decimal(f64),
    /// A flag that is set.
    On,
    /// A flag that is not set.
    Off,
    /// A flag that is not set; who sets it does so instead of giving the argument before it.
    Instead,
    /// What the layer's argument of this name is.
    Like(&'static str),
}

impl DefaultValue {
    /// How it is written, or `None` where nothing stands for an argument that is not given.
    pub fn written(self) -> Option<String> {
        match self {
            DefaultValue::Required | DefaultValue::Absent => None,
            DefaultValue::Whole(n) => Some(n.to_string()),
            DefaultValue::Decimal(x) if x != 0.0 && x.abs() < 1e-3 => Some(format!("{x:e}")),
            DefaultValue::Decimal(x) => Some(x.to_string()),
            DefaultValue::On => Some("true".into()),
            DefaultValue::Off | DefaultValue::Instead => Some("false".into()),
            DefaultValue::Like(other) => Some(other.into()),
        }
    }
}

/// An argument of a layer.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub kind: ArgKind,
    /// What it is where it is not given.
    pub default: DefaultValue,
    /// What it means, with its unit, as sentences.
    pub help: &'static str,
}

impl Spec {
    /// An argument that the layer is incomplete without.
    pub const fn required(name: &'static str, kind: ArgKind, help: &'static str) -> Self {
        Spec { name, kind, default: DefaultValue::Required, help }
    }

    /// An argument with a default.
    pub const fn optional(name: &'static str, kind: ArgKind, default: DefaultValue, help: &'static str) -> Self {
        Spec { name, kind, default, help }
    }

    /// Whether the layer is incomplete without it.
    pub fn is_required(&self) -> bool {
        self.default == DefaultValue::Required
    }
}

/// The arguments of a layer. It is displayed as it is written with all its defaults: `max_pool(kernel, stride = kernel, ...)`.
#[derive(Debug, Clone, Copy)]
pub struct Signature {
    /// How the layer is written.
    pub name: &'static str,
    /// How many of the arguments may be given without a name.
    pub positional: usize,
    /// Its arguments; those without a name in the source are taken in this order.
    pub args: &'static [Spec],
    /// A complete example.
    pub example: &'static str,
}

impl Signature {
    /// The argument of that name.
    pub fn arg(&self, name: &str) -> Option<&'static Spec> {
        self.args.iter().find(|spec| spec.name == name)
    }

    /// How many of the first arguments people write without their names: the first one, or all where each is needed.
    pub fn unnamed(&self) -> usize {
        let all = self.positional == self.args.len() && self.args.iter().all(Spec::is_required);
        if all { self.positional } else { self.positional.min(1) }
    }

    /// The argument at `index` as it is written with its default. A flag that others can be set instead of is written as they are,
    /// by its name alone.
    pub fn written(&self, index: usize) -> String {
        let Some(spec) = self.args.get(index) else { return String::new() };
        let is_instead = |index| self.args.get(index).is_some_and(|spec: &Spec| spec.default == DefaultValue::Instead);
        let is_chosen = spec.default == DefaultValue::On && is_instead(index + 1);
        match spec.default.written() {
            Some(default) if !is_chosen && !is_instead(index) => format!("{} = {default}", spec.name),
            _ => spec.name.to_string(),
        }
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        let mut before = "(";
        for (index, spec) in self.args.iter().enumerate().filter(|(_, spec)| spec.default != DefaultValue::Absent) {
            let between = if spec.default == DefaultValue::Instead { " | " } else { before };
            write!(f, "{between}{}", self.written(index))?;
            before = ", ";
        }
        f.write_str(if before == "(" { "" } else { ")" })
    }
}
