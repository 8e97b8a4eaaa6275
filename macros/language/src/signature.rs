//! What arguments a layer takes: names, kinds of values, and which it cannot do without.

/// What kind of value an argument takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number of channels or outputs: an integer, or a const generic.
    Size,
    /// An integer.
    Count,
    /// An integer for both dimensions, or `(height, width)`.
    Pair,
    /// An integer, `(height, width)`, `(top, bottom, left, right)` or `same`.
    Pad,
    /// A decimal number.
    Float,
    /// `true` or `false`; the name alone means `true`.
    Flag,
    /// A list of lists of channel numbers.
    Table,
}

/// An argument of a layer.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Whether the layer is incomplete without it.
    pub required: bool,
}

/// The arguments of a layer.
#[derive(Debug, Clone, Copy)]
pub struct Signature {
    /// How the layer is written.
    pub name: &'static str,
    /// Its arguments; those without a name in the source are taken in this order.
    pub args: &'static [Spec],
    /// How many of them may be given without a name.
    pub positional: usize,
    /// A complete example.
    pub example: &'static str,
}
