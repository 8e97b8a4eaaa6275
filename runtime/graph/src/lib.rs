//! What a checked network is: a list of operations in topological order, with shapes, parameters and costs.
//!
//! Whoever runs, trains, explains, draws or exports a network reads this one description, and nothing here is computed again:
//! shape arithmetic has one place, the language. It is plain data without dependencies, and without a type for each layer,
//! because that costs the compiler nothing: a network of 150 layers is as quick to check as one of five.
//!
//! Lists are `Cow<'static, [_]>`. `cnn!` emits a graph as a constant that borrows everything, and a network that is read at run
//! time owns what it has; whoever keeps a graph of either kind holds an `Arc<Graph>`. Generic parameters for the two kinds were
//! rejected: they would go through every signature.
#![forbid(unsafe_code)]

mod category;
pub mod diagram;
mod facts;
mod groups;
mod op;
mod pad;
mod params;
mod resample;
mod subgraph;
mod summary;
#[doc(hidden)]
pub mod wording;

#[doc(hidden)]
pub use category::Category;
pub(crate) use facts::Detail;
#[doc(hidden)] // Of the runtime, for receptive fields.
pub use facts::Extent;
pub use groups::Groups;
pub use op::{Activation, Affine, AvgDivisor, Conv, ConvTranspose, Op, Pool, PoolKind};
pub use pad::Pad;
pub use params::{Init, Param};
pub use resample::{Fill, Resample};
#[doc(hidden)]
pub use subgraph::Subgraph;
pub use summary::Summary;

use std::borrow::Cow;

/// A network: nodes in topological order, and the parameters that they use.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    /// What the network is called where it is declared.
    pub name: Cow<'static, str>,
    /// `nodes[0]` is the input ([`Op::Input`]); each other node reads only nodes before it.
    pub nodes: Cow<'static, [Node]>,
    /// Every parameter and buffer, in the order of the nodes; that of dfdx's `TensorCollection`, too.
    pub params: Cow<'static, [Param]>,
    /// Connection tables, to which [`Conv::connections`] points: for each output channel, the input channels that it reads.
    pub connections: Cow<'static, [Connections]>,
    /// What the network gives: its own output first, then those that `output` declares, in the order of the source.
    pub outputs: Cow<'static, [Output]>,
    /// Auxiliary outputs, in the order of the source: computed in training only.
    pub heads: Cow<'static, [Output]>,
    /// Elements of the activations of one image that are alive at once in evaluation: each from its node to its last reader.
    pub peak_activations: usize,
}

/// The largest number.
#[doc(hidden)]
pub const fn largest(numbers: &[usize]) -> usize {
    let (mut largest, mut i) = (0, 0);
    while i < numbers.len() {
        if numbers[i] > largest {
            largest = numbers[i];
        }
        i += 1;
    }
    largest
}

/// For each output channel, the input channels that it reads.
#[doc(hidden)]
pub type Connections = Cow<'static, [Cow<'static, [usize]>]>;

/// A value that a network gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Dotted path of a head; `output` for the network's own.
    pub name: Cow<'static, str>,
    /// Index of the node whose value it is.
    pub node: usize,
}

/// One operation and everything known about it before the program runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Dotted path, as in a PyTorch module: `conv1`, `features.3`.
    pub name: Cow<'static, str>,
    /// What it computes.
    pub op: Op,
    /// Indices of the nodes that it reads.
    pub inputs: Cow<'static, [usize]>,
    /// Shape of its value for one image.
    pub shape: Shape,
    /// Index into [`Graph::params`] of its first parameter or buffer.
    pub first_param: usize,
    /// How many parameters and buffers it has.
    pub n_params: usize,
    /// Number of trainable scalars.
    pub params: usize,
    /// Multiply-accumulate operations for one image (convolutions and linear layers only, as torchvision counts).
    pub macs: u64,
    /// Height and width of the part of the input that one element of the output can see; padding counts.
    pub receptive_field: [usize; 2],
    /// Distance in input pixels between neighbouring elements of the output.
    pub jump: [usize; 2],
    /// Whether only auxiliary heads need it, so that evaluation leaves it out.
    pub auxiliary: bool,
}

impl Node {
    /// The indices of its parameters and buffers in [`Graph::params`].
    pub fn param_ids(&self) -> std::ops::Range<usize> {
        self.first_param..self.first_param + self.n_params
    }
}

/// The shape of one image's value at a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A feature map `[C, H, W]`.
    Map([usize; 3]),
    /// A vector `[N]`.
    Vector(usize),
}

impl Shape {
    /// As `[C, H, W]`; a vector is `[N, 1, 1]`.
    pub const fn chw(self) -> [usize; 3] {
        match self {
            Shape::Map(chw) => chw,
            Shape::Vector(n) => [n, 1, 1],
        }
    }

    /// Number of elements.
    #[allow(clippy::len_without_is_empty)] // A shape is never empty: the macro refuses zero dimensions.
    pub const fn len(self) -> usize {
        let [c, h, w] = self.chw();
        c * h * w
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Shape::Map([c, h, w]) => write!(f, "[{c}, {h}, {w}]"),
            Shape::Vector(n) => write!(f, "[{n}]"),
        }
    }
}

impl Graph {
    /// The nodes as a slice, in constants too.
    pub const fn nodes(&self) -> &[Node] {
        match &self.nodes {
            Cow::Borrowed(nodes) => nodes,
            Cow::Owned(nodes) => nodes.as_slice(),
        }
    }

    /// The outputs as a slice, in constants too.
    const fn outputs(&self) -> &[Output] {
        match &self.outputs {
            Cow::Borrowed(outputs) => outputs,
            Cow::Owned(outputs) => outputs.as_slice(),
        }
    }

    /// Index of the node whose value is the first output: what the trainer's loss reads.
    pub const fn output(&self) -> usize {
        match self.outputs() {
            [first, ..] => first.node,
            [] => 0,
        }
    }

    /// Number of trainable scalars.
    pub const fn param_count(&self) -> usize {
        let (nodes, mut sum, mut i) = (self.nodes(), 0, 0);
        while i < nodes.len() {
            sum += nodes[i].params;
            i += 1;
        }
        sum
    }

    /// Multiply-accumulate operations for one image in evaluation, so without auxiliary heads.
    pub const fn mac_count(&self) -> u64 {
        let (nodes, mut sum, mut i) = (self.nodes(), 0, 0);
        while i < nodes.len() {
            if !nodes[i].auxiliary {
                sum += nodes[i].macs;
            }
            i += 1;
        }
        sum
    }

    /// Elements of all activations of one image in evaluation, which is what has to be kept for a backward pass.
    pub const fn activation_count(&self) -> usize {
        let (nodes, mut sum, mut i) = (self.nodes(), 0, 0);
        while i < nodes.len() {
            if !nodes[i].auxiliary {
                sum += nodes[i].shape.len();
            }
            i += 1;
        }
        sum
    }

    /// Receptive field `[height, width]` of the last feature map, before any global pooling or linear layer.
    pub const fn receptive_field(&self) -> [usize; 2] {
        let mut i = self.nodes().len();
        while i > 0 {
            i -= 1;
            if let Some(node) = self.last_map_at(i) {
                return node.receptive_field;
            }
        }
        [1, 1]
    }

    /// Distance in input pixels, `[height, width]`, between neighbouring elements of the last feature map.
    pub const fn jump(&self) -> [usize; 2] {
        let mut i = self.nodes().len();
        while i > 0 {
            i -= 1;
            if let Some(node) = self.last_map_at(i) {
                return node.jump;
            }
        }
        [1, 1]
    }

    const fn last_map_at(&self, i: usize) -> Option<&Node> {
        match &self.nodes()[i] {
            node @ Node { shape: Shape::Map(_), auxiliary: false, .. } => Some(node),
            _ => None,
        }
    }

    /// Index of the node called `name`.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.name == name)
    }

    /// Shape of the input of one image.
    pub const fn input(&self) -> Shape {
        self.nodes()[0].shape
    }

    /// Shape of the output of one image.
    pub const fn output_shape(&self) -> Shape {
        self.nodes()[self.output()].shape
    }

    /// Number of elements of all outputs of one image.
    pub fn output_len(&self) -> usize {
        self.outputs.iter().map(|output| self.nodes[output.node].shape.len()).sum()
    }

    /// The outputs by name and shape: `output [10], boxes [4]`.
    #[doc(hidden)]
    pub fn outputs_in_words(&self) -> String {
        let each = self.outputs.iter().map(|output| format!("{} {}", output.name, self.nodes[output.node].shape));
        each.collect::<Vec<_>>().join(", ")
    }

    /// The parameters and buffers of node `id`.
    pub fn params_of(&self, id: usize) -> &[Param] {
        &self.params[self.nodes[id].param_ids()]
    }

    /// The connection table of a convolution, if it has one.
    pub fn connections_of(&self, conv: &Conv) -> Option<&Connections> {
        conv.connections.and_then(|index| self.connections.get(index))
    }
}
