//! What the network is: nodes in topological order with their shapes and costs, and the tree of modules that names them.

use crate::ast::Network;
use crate::cost::{Count, Dim};
use crate::lint::Lints;
use convnet_graph::Op;
use proc_macro2::{Ident, Span};
use std::collections::BTreeMap;

/// A checked network.
pub struct Graph {
    pub nodes: Vec<Node>,
    /// Connection tables: for each output channel, the input channels that it reads.
    pub connections: Vec<Connections>,
    /// The members of the struct.
    pub root: Vec<Member>,
    /// The declared output.
    pub output: Shape,
    /// The node that gives it.
    pub output_node: usize,
    /// The outputs beside it.
    pub outputs: Vec<Head>,
    pub heads: Vec<Head>,
}

/// An output beside that of the whole network: a further one, or an auxiliary one.
pub struct Head {
    /// Dotted path.
    pub path: String,
    pub node: usize,
    /// Its declared shape.
    pub shape: Shape,
}

/// What the network's own output is called, beside those that have names.
pub const OUTPUT: &str = "output";

/// For each output channel, the input channels that it reads.
pub type Connections = Vec<Vec<usize>>;

/// One operation.
pub struct Node {
    /// Dotted path.
    pub name: String,
    /// The layer word, where the source has it.
    pub word: Option<Ident>,
    /// What it computes.
    pub op: Op,
    /// How a reader would call it: `conv 5x5`.
    pub label: String,
    pub inputs: Vec<usize>,
    pub shape: Shape,
    pub params: Vec<Param>,
    pub macs: Count,
    pub receptive_field: [Count; 2],
    pub jump: [u64; 2],
    pub written: Written,
}

/// Where a node is written, and what is allowed there.
pub struct Written {
    /// The layer's word, or the structure's.
    pub word: Span,
    /// The values of the arguments that are given.
    pub args: Vec<(&'static str, Span)>,
    /// The number of outputs, where it is written as one.
    pub out: Option<u64>,
    /// Whether its padding is `same`.
    pub same: bool,
    /// Whether it rounds sizes up.
    pub ceil: bool,
    /// Whether it is a branch of a `concat` without braces and without a name, right after one that has none either.
    pub bare_branch: bool,
    /// Whether it has a name of its own.
    pub named: bool,
    pub allowed: Lints,
}

impl Written {
    /// At a word without arguments.
    pub fn at(word: Span) -> Self {
        let (same, ceil, bare_branch, named) = (false, false, false, false);
        Written { word, args: Vec::new(), out: None, same, ceil, bare_branch, named, allowed: Lints::default() }
    }

    /// The first of these arguments that is given; the word where none is.
    pub fn place(&self, names: &[&str]) -> Span {
        let arg = |name: &&str| self.args.iter().find(|(given, _)| given == name).map(|(_, span)| *span);
        names.iter().find_map(arg).unwrap_or(self.word)
    }
}

/// A parameter or buffer.
pub struct Param {
    /// Name within its layer.
    pub name: &'static str,
    pub shape: Vec<Dim>,
    pub trainable: bool,
    pub init: Init,
}

/// The numbers that a parameter or buffer begins with; see [`convnet_graph::Init`].
#[derive(Debug, Clone, PartialEq)]
pub enum Init {
    Zeros,
    Ones,
    Constant(f64),
    Uniform { fan_in: Count, closed: bool },
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
    /// A sequence of its own, with the node that it ends at.
    Sequence(Vec<Member>, usize),
    /// A module from outside: its node and its type.
    Custom(usize, Box<syn::Type>),
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

impl Graph {
    /// Whether every size is a number or a const generic.
    pub fn is_known(&self) -> bool {
        let params = self.nodes.iter().flat_map(|node| &node.params);
        let beside = self.outputs.iter().chain(&self.heads).map(|head| head.shape);
        let shapes = self.nodes.iter().map(|node| node.shape).chain(beside);
        !params.flat_map(|param| &param.shape).any(|dim| *dim == Dim::Unknown)
            && !shapes.chain([self.output]).any(Shape::is_unknown)
    }

    /// The nodes whose values evaluation gives.
    pub fn ends(&self) -> Vec<usize> {
        ends(self.output_node, &self.outputs)
    }
}

impl Node {
    /// Whether it is its input, looked at differently.
    fn is_view(&self) -> bool {
        matches!(self.op, Op::Flatten | Op::Identity)
    }

    /// Whether it is a module from outside the language.
    pub fn is_custom(&self) -> bool {
        matches!(self.op, Op::Custom(_))
    }

    /// Trainable scalars.
    pub fn param_count(&self) -> Count {
        let trainable = self.params.iter().filter(|param| param.trainable);
        trainable.fold(Count::default(), |sum, param| sum.plus(&crate::cost::product(&param.shape)))
    }
}

/// The node of the network's output with those of further ones.
pub fn ends(output: usize, further: &[Head]) -> Vec<usize> {
    std::iter::once(output).chain(further.iter().map(|output| output.node)).collect()
}

/// For each node, whether the value of one of `ends` depends on it.
pub fn leads_to(nodes: &[Node], ends: &[usize]) -> Vec<bool> {
    let mut leads = vec![false; nodes.len()];
    for end in ends {
        if let Some(place) = leads.get_mut(*end) {
            *place = true;
        }
    }
    for (id, node) in nodes.iter().enumerate().rev() {
        if leads.get(id) == Some(&true) {
            for input in &node.inputs {
                if let Some(place) = leads.get_mut(*input) {
                    *place = true;
                }
            }
        }
    }
    leads
}

/// For each node, whether everything that reaches `output` passes through it.
pub fn trunk(nodes: &[Node], output: usize) -> Vec<bool> {
    let leads = leads_to(nodes, &[output]);
    // No edge may jump over a node of the trunk.
    let mut furthest = 0;
    let mut trunk = vec![false; nodes.len()];
    let mut reader = vec![0; nodes.len()];
    for (id, node) in nodes.iter().enumerate().filter(|(id, _)| leads.get(*id) == Some(&true)) {
        for input in &node.inputs {
            if let Some(place) = reader.get_mut(*input) {
                *place = id;
            }
        }
    }
    for (id, place) in trunk.iter_mut().enumerate() {
        *place = leads.get(id) == Some(&true) && furthest <= id;
        furthest = furthest.max(reader.get(id).copied().unwrap_or(0));
    }
    trunk
}

/// How many elements are alive at once in evaluation, one image at a time: the candidates for the largest number. A value
/// lives from its node to its last reader, and one of `ends` to the end; a flatten is its input, looked at differently.
pub fn peak(nodes: &[Node], ends: &[usize]) -> Vec<Count> {
    let main = leads_to(nodes, ends);
    let is_main = |id: usize| main.get(id) == Some(&true);
    let mut owner: Vec<usize> = (0..nodes.len()).collect();
    let mut last: Vec<usize> = owner.clone();
    for (id, node) in nodes.iter().enumerate().filter(|(id, _)| is_main(*id)) {
        let readers = node.inputs.iter().filter_map(|input| owner.get(*input).copied()).collect::<Vec<_>>();
        for input in &readers {
            if let Some(place) = last.get_mut(*input) {
                *place = id;
            }
        }
        if let (true, [input], Some(place)) = (node.is_view(), readers.as_slice(), owner.get_mut(id)) {
            *place = *input;
        }
    }
    for end in ends {
        let owned = owner.get(*end).and_then(|owner| last.get_mut(*owner));
        owned.into_iter().for_each(|place| *place = nodes.len());
    }
    // The values whose last reader is a node, so that each is looked at twice and no more.
    let mut ending: BTreeMap<usize, Vec<Count>> = BTreeMap::new();
    let (mut live, mut sums) = (Count::default(), Vec::new());
    for (id, node) in nodes.iter().enumerate().filter(|(id, _)| is_main(*id)) {
        if owner.get(id) == Some(&id) {
            let len = crate::cost::product(&node.shape.chw());
            live = live.plus(&len);
            ending.entry(last.get(id).copied().unwrap_or(id)).or_default().push(len);
        }
        sums.push(live.clone());
        let gone = ending.remove(&id).into_iter().flatten();
        live = gone.fold(live, |live, len| live.plus(&len.times(&Count::number(-1))));
    }
    crate::cost::largest(sums)
}

/// A size in words.
pub fn size(dim: Dim, network: &Network) -> String {
    match dim {
        Dim::Known(n) => n.to_string(),
        Dim::Symbol(index) => network.symbols.get(index).map_or("?".into(), |symbol| symbol.name.to_string()),
        Dim::Unknown => "?".into(),
    }
}

/// A shape in words.
pub fn show(shape: Shape, network: &Network) -> String {
    match shape {
        Shape::Map(dims) => format!("[{}]", dims.map(|dim| size(dim, network)).join(", ")),
        Shape::Vector(n) => format!("[{}]", size(n, network)),
        Shape::Unknown => "[?]".into(),
    }
}
