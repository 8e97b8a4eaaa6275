//! What the user wrote, with its spans; no meaning yet.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use std::fmt;
use syn::{Attribute, BinOp, Expr, Type, Visibility};

/// Everything in a macro call.
#[derive(Default)]
pub struct Call {
    pub blocks: Vec<Block>,
    pub networks: Vec<Network>,
    /// Whether something after a broken header was not read.
    pub is_cut: bool,
}

/// One `struct Name<...>: [..] -> [..] { ... }`.
pub struct Network {
    pub attrs: Vec<Attribute>,
    /// The lints in `#[allow(..)]`.
    pub allowed: Vec<Ident>,
    /// The name of the macro that makes networks like it, from `#[export(name)]`.
    pub export: Option<Ident>,
    /// Whether such a macro made it, so that its layers are another one's.
    pub instance: bool,
    pub vis: Visibility,
    pub name: Ident,
    pub symbols: Vec<Symbol>,
    /// Const generics that have a number: here they are no parameters of the struct.
    pub fixed: Vec<Fixed>,
    pub input: Vec<Expr>,
    pub output: Vec<Expr>,
    /// Whether the header was not understood, which was told: the shapes are not known.
    pub headless: bool,
    pub body: Vec<Statement>,
    /// The body as it was written.
    pub tokens: TokenStream,
}

/// What a layer, a sequence, a head or a custom module is called.
#[derive(Clone)]
pub struct Name {
    /// The field of the struct; a raw identifier where the name is a Rust keyword.
    pub field: Ident,
    /// The step of the path in files of weights.
    pub key: String,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)
    }
}

impl ToTokens for Name {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.field.to_tokens(tokens);
    }
}

impl Network {
    /// The names of its const generics.
    pub fn names(&self) -> impl Iterator<Item = &Ident> {
        self.fixed.iter().map(|fixed| &fixed.name).chain(self.symbols.iter().map(|symbol| &symbol.name))
    }

    /// The conditions under which there is a struct; everything that is generated for it has the same.
    pub fn conditions(&self) -> impl Iterator<Item = &Attribute> {
        self.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg"))
    }
}

/// A const generic with its number.
#[derive(Clone)]
pub struct Fixed {
    pub name: Ident,
    pub number: u64,
}

/// A const generic of the struct: a dimension without a number.
#[derive(Clone)]
pub struct Symbol {
    pub name: Ident,
    pub default: Option<u64>,
}

/// `block name(params) { ... }`: a template for sequences.
pub struct Block {
    /// Doc comments.
    pub docs: Vec<Attribute>,
    /// The lints in `#[allow(..)]`.
    pub allowed: Vec<Ident>,
    pub name: Ident,
    pub params: Vec<BlockParam>,
    pub body: Vec<Statement>,
}

/// `name` or `name = default`.
pub struct BlockParam {
    pub name: Ident,
    pub default: Option<Expr>,
}

pub enum Statement {
    Layer(Layer),
    Sequence(Sequence),
    Assert(Vec<Budget>),
    Repeat(Repeat),
    If(If),
    Residual(Residual),
    Concat(Concat),
    Group(Group),
    Head(Head),
    Custom(Custom),
    Allowed(Allowed),
    /// A layer that was not understood, which was told, with its name if it has one: what it gives is not known.
    Unknown(Option<Name>),
}

impl Statement {
    /// The statement itself, after what stands before it in `#[allow(..)]`.
    pub fn bare(&self) -> &Statement {
        match self {
            Statement::Allowed(Allowed { statement, .. }) => statement.bare(),
            statement => statement,
        }
    }

    /// The statement without its attributes, to be changed.
    pub fn bare_mut(&mut self) -> &mut Statement {
        match self {
            Statement::Allowed(Allowed { statement, .. }) => statement.bare_mut(),
            statement => statement,
        }
    }
}

/// `#[allow(lints)]` before a statement.
pub struct Allowed {
    pub lints: Vec<Ident>,
    pub statement: Box<Statement>,
}

/// `repeat count { ... }`
pub struct Repeat {
    pub word: Ident,
    pub count: Expr,
    pub body: Vec<Statement>,
}

/// `if condition { ... } else { ... }`
pub struct If {
    pub condition: Expr,
    pub then: Vec<Statement>,
    pub otherwise: Vec<Statement>,
}

/// `residual { ... } shortcut if condition { ... }`, or `gate` for `residual`
pub struct Residual {
    pub word: Ident,
    /// Whether the two ways are multiplied instead of added.
    pub is_gate: bool,
    pub body: Vec<Statement>,
    pub shortcut: Option<Shortcut>,
}

/// The other way around a residual; the identity where the condition does not hold.
pub struct Shortcut {
    pub word: Ident,
    pub condition: Option<Expr>,
    pub body: Vec<Statement>,
}

/// `concat { ... }`: each statement is a branch; or `split` for `concat`.
pub struct Concat {
    pub word: Ident,
    /// Whether each branch gets a share of the channels instead of all.
    pub is_split: bool,
    pub branches: Vec<Statement>,
}

/// `{ ... }`: a branch of a `concat` that is more than one layer.
pub struct Group {
    pub brace: Span,
    pub body: Vec<Statement>,
}

/// `head name: [N] { ... }` or `head name: [N] = word(args);`; or `output` for `head`.
pub struct Head {
    pub word: Ident,
    /// Whether evaluation gives it, too.
    pub is_output: bool,
    pub name: Name,
    pub shape: Vec<Expr>,
    pub body: HeadBody,
}

pub enum HeadBody {
    Sequence(Vec<Statement>),
    One(Layer),
}

/// `custom name: path::To<Type> -> [C, H, W];`
pub struct Custom {
    pub name: Name,
    pub module: Type,
    pub shape: Vec<Expr>,
}

/// `name: word(args);`
pub struct Layer {
    pub name: Option<Name>,
    pub word: Ident,
    pub args: Vec<Arg>,
    /// Whether the arguments were not understood, which was told.
    pub broken: bool,
}

/// `name: { ... }`
pub struct Sequence {
    pub name: Name,
    pub body: Vec<Statement>,
}

/// `value`, or `name = value`.
#[derive(Clone)]
pub struct Arg {
    pub name: Option<Ident>,
    pub value: Expr,
}

impl ToTokens for Arg {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Arg { name, value } = self;
        let name = name.as_ref().map(|name| quote!(#name =));
        tokens.extend(quote!(#name #value));
    }
}

/// One clause of an `assert`: `what op limit`.
pub struct Budget {
    pub what: Ident,
    pub op: BinOp,
    pub limit: Expr,
}
