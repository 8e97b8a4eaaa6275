//! What the user wrote, with its spans; no meaning yet.

use proc_macro2::Ident;
use syn::{Attribute, BinOp, Expr, Visibility};

/// One `struct Name<...>: [..] -> [..] { ... }`.
pub struct Network {
    pub attrs: Vec<Attribute>,
    pub vis: Visibility,
    pub name: Ident,
    pub symbols: Vec<Symbol>,
    pub input: Vec<Expr>,
    pub output: Vec<Expr>,
    pub body: Vec<Statement>,
}

/// A const generic of the struct: a dimension without a number.
pub struct Symbol {
    pub name: Ident,
    pub default: Option<u64>,
}

pub enum Statement {
    Layer(Layer),
    Sequence(Sequence),
    Assert(Vec<Budget>),
}

/// `name: word(args);`
pub struct Layer {
    pub name: Option<Ident>,
    pub word: Ident,
    pub args: Vec<Arg>,
}

/// `name: { ... }`
pub struct Sequence {
    pub name: Ident,
    pub body: Vec<Statement>,
}

/// `value`, or `name = value`.
pub struct Arg {
    pub name: Option<Ident>,
    pub value: Expr,
}

/// One clause of an `assert`: `what op limit`.
pub struct Budget {
    pub what: Ident,
    pub op: BinOp,
    pub limit: Expr,
}
