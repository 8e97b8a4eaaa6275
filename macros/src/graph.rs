//! What the network is: nodes in topological order with their shapes and costs, and the tree of modules that names them.

use crate::cost::{Count, Dim};
use proc_macro2::{Ident, TokenStream};

/// A checked network.
pub struct Graph {
    pub nodes: Vec<Node>,
    /// The members of the struct.
    pub root: Vec<Member>,
    /// The declared output.
    pub output: Shape,
}

/// One operation.
pub struct Node {
    /// Dotted path.
    pub name: String,
    /// The layer word, where the source has it.
    pub word: Option<Ident>,
    /// The operation as a Rust expression.
    pub op: TokenStream,
    /// How a reader would call it: `conv 5x5`.
    pub label: String,
    pub inputs: Vec<usize>,
    pub shape: Shape,
    pub params: Vec<Param>,
    pub macs: Count,
    pub receptive_field: [Count; 2],
    pub jump: [u64; 2],
    /// The type of the module that holds its parameters, short of dtype and device.
    pub module: Option<Module>,
}

/// The type of a layer with parameters.
pub struct Module {
    /// Name in `convnet::layers`.
    pub name: &'static str,
    /// Its const generics.
    pub sizes: Vec<Dim>,
}

/// A parameter or buffer.
pub struct Param {
    /// Name within its layer.
    pub name: &'static str,
    pub shape: Vec<Dim>,
    pub trainable: bool,
}

/// A member of a sequence, in source order.
pub struct Member {
    /// The key: a name, or the index.
    pub key: String,
    /// Where the name was written, if it was.
    pub name: Option<Ident>,
    pub kind: MemberKind,
}

pub enum MemberKind {
    /// The node with this index.
    Layer(usize),
    /// A sequence of its own.
    Sequence(Vec<Member>),
}

/// The shape of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `[C, H, W]`
    Map([Dim; 3]),
    /// `[N]`
    Vector(Dim),
    /// Not known because of an error that has been reported.
    Unknown,
}

impl Shape {
    /// Dimensions as `[C, H, W]`.
    pub fn chw(self) -> [Dim; 3] {
        match self {
            Shape::Map(chw) => chw,
            Shape::Vector(n) => [n, Dim::Known(1), Dim::Known(1)],
            Shape::Unknown => [Dim::Unknown; 3],
        }
    }

    /// Whether some dimension is not known.
    pub fn is_unknown(self) -> bool {
        match self {
            Shape::Map(chw) => chw.contains(&Dim::Unknown),
            Shape::Vector(n) => n == Dim::Unknown,
            Shape::Unknown => true,
        }
    }
}

impl Node {
    /// Trainable scalars.
    pub fn param_count(&self) -> Count {
        let trainable = self.params.iter().filter(|param| param.trainable);
        trainable.fold(Count::default(), |sum, param| sum.plus(&crate::cost::product(&param.shape)))
    }
}
