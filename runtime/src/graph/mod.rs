//! What a checked network is at run time: a list of nodes in topological order, with the shapes and costs that `cnn!`
//! has computed.
//!
//! The macro emits one `const` of type [`Graph`] per network; nothing here is computed again, so there is one place for
//! shape arithmetic (the macro). Executors ([`crate::portable`], [`crate::engine`]), `summary` and exports all read
//! this one description. Plain data behind `&'static` references was chosen over a type per layer because it costs the
//! compiler nothing: a network of 150 layers is as quick to check as one of five.

mod op;
mod part;
mod resample;
mod summary;

pub use op::{Activation, Affine, AvgDivisor, Conv, ConvTranspose, Op, Pad, Pool, PoolKind};
pub use part::Part;
pub use resample::{Fill, Resample};
pub use summary::Summary;
pub(crate) use summary::grouped;

/// A network: nodes in topological order, and the parameters that they use.
#[derive(Debug, Clone, Copy)]
pub struct Graph {
    /// Name of the struct that `cnn!` defined.
    pub name: &'static str,
    /// `nodes[0]` is the input ([`Op::Input`]); each other node reads only nodes before it.
    pub nodes: &'static [Node],
    /// Every parameter and buffer, in the order in which dfdx's `TensorCollection` visits them.
    pub params: &'static [Param],
    /// Index of the node whose value is the network's output.
    pub output: usize,
    /// Auxiliary outputs, in the order of the source.
    pub heads: &'static [Head],
    /// Elements of the activations of one image that are alive at once in evaluation: each from its node to its last reader.
    pub peak_activations: usize,
}

/// The largest number.
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

/// An auxiliary output (`head` in `cnn!`): computed in training only.
#[derive(Debug, Clone, Copy)]
pub struct Head {
    /// Dotted path.
    pub name: &'static str,
    /// Index of the node whose value it is.
    pub node: usize,
}

/// One operation and everything known about it before the program runs.
#[derive(Debug, Clone, Copy)]
pub struct Node {
    /// Dotted path, as in a PyTorch module: `conv1`, `features.3`.
    pub name: &'static str,
    /// What it computes.
    pub op: Op,
    /// Indices of the nodes that it reads.
    pub inputs: &'static [usize],
    /// Shape of its value for one image.
    pub shape: Shape,
    /// Index into [`Graph::params`] of its first parameter; how many follow is given by [`Op::n_params`].
    pub first_param: usize,
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

/// A parameter (trained) or a buffer (running statistics).
#[derive(Debug, Clone, Copy)]
pub struct Param {
    /// The key in a PyTorch state dict: `conv1.weight`.
    pub name: &'static str,
    /// Its shape, row-major; at most four dimensions.
    pub shape: &'static [usize],
    /// False for running statistics.
    pub trainable: bool,
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
    /// Number of trainable scalars.
    pub const fn param_count(&self) -> usize {
        let (mut sum, mut i) = (0, 0);
        while i < self.nodes.len() {
            sum += self.nodes[i].params;
            i += 1;
        }
        sum
    }

    /// Multiply-accumulate operations for one image in evaluation, so without auxiliary heads.
    pub const fn mac_count(&self) -> u64 {
        let (mut sum, mut i) = (0, 0);
        while i < self.nodes.len() {
            if !self.nodes[i].auxiliary {
                sum += self.nodes[i].macs;
            }
            i += 1;
        }
        sum
    }

    /// Elements of all activations of one image in evaluation, which is what has to be kept for a backward pass.
    pub const fn activation_count(&self) -> usize {
        let (mut sum, mut i) = (0, 0);
        while i < self.nodes.len() {
            if !self.nodes[i].auxiliary {
                sum += self.nodes[i].shape.len();
            }
            i += 1;
        }
        sum
    }

    /// Receptive field `[height, width]` of the last feature map, before any global pooling or linear layer.
    pub const fn receptive_field(&self) -> [usize; 2] {
        let mut i = self.nodes.len();
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
        let mut i = self.nodes.len();
        while i > 0 {
            i -= 1;
            if let Some(node) = self.last_map_at(i) {
                return node.jump;
            }
        }
        [1, 1]
    }

    const fn last_map_at(&self, i: usize) -> Option<&Node> {
        match &self.nodes[i] {
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
        self.nodes[0].shape
    }

    /// Shape of the output of one image.
    pub const fn output_shape(&self) -> Shape {
        self.nodes[self.output].shape
    }

    /// The parameters of node `id`.
    pub fn params_of(&self, id: usize) -> &'static [Param] {
        let node = &self.nodes[id];
        &self.params[node.first_param..node.first_param + node.op.n_params()]
    }
}
