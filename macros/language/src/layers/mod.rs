//! What each layer makes of its input: operation, output shape, parameters, cost.
//!
//! A layer that does not fit reports one error on the value at fault and gives an output whose size is unknown, but keeps
//! what can be told all the same (its channels, its parameters), so that the layers after it can still be checked.

mod conv;
mod fit;
mod norm;
mod plain;
mod pool;
mod spatial;
mod transpose;

use crate::args::Args;
use crate::ast::{Layer, Network};
use crate::cost::{Count, Dim};
use crate::graph::{Connections, Init, Node, Param, Shape, show, size};
use crate::report::Errors;
use crate::shape;
use crate::trace::{called, trace};
use crate::values::{SIZE, Scope};
use convnet_graph::{Activation, Groups, Op, Pad};

/// What a layer is checked against.
pub struct Context<'a> {
    pub layer: &'a Layer,
    pub args: &'a Args<'a>,
    pub shape: Shape,
    pub network: &'a Network,
    /// The parameters of the block that is being filled in.
    pub locals: &'a [(String, Dim)],
    /// The nodes so far, and the one whose value comes in.
    pub way: (&'a [Node], usize),
    /// Height and width of the map that the value comes from, until a layer that sees all of it.
    pub source_extent: [Dim; 2],
}

/// What a layer makes of its input.
pub struct Made {
    pub op: Op,
    /// How a reader would call it: `conv 5x5`.
    pub label: String,
    pub shape: Shape,
    pub params: Vec<Param>,
    pub macs: Count,
    /// The connection table of a convolution.
    pub connections: Option<Connections>,
    /// Extent of its window on the input, and its stride.
    pub span: [Count; 2],
    pub stride: [u64; 2],
    /// How many output elements an input element becomes.
    pub up: [u64; 2],
    pub source_extent: [Dim; 2],
}

/// What checks the layers of one word.
pub type Check = fn(&Context<'_>, &mut Errors) -> Made;

/// Checks a layer by the function that its word has.
pub fn made(check: Check, context: &Context<'_>, errors: &mut Errors) -> Made {
    let before = errors.count();
    let mut made = check(context, errors);
    // A layer that got a vector for a map, or a map for a vector, is in the wrong place; what it would have given says nothing.
    let is_misplaced =
        matches!((context.shape, made.shape), (Shape::Vector(_), Shape::Map(_)) | (Shape::Map(_), Shape::Vector(_)));
    if is_misplaced && errors.count() > before {
        made.shape = Shape::Unknown;
    }
    made
}

/// A trained parameter.
fn param(name: &'static str, shape: Vec<Dim>, init: Init) -> Param {
    Param { name, shape, trainable: true, init }
}

/// As an operation has it. Beyond the limits of the language, which has said so, any number will do.
fn number(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

fn pair(pair: [u64; 2]) -> [usize; 2] {
    pair.map(number)
}

fn sides([(top, bottom), (left, right)]: [(u64, u64); 2]) -> Pad {
    let [top, bottom, left, right] = [top, bottom, left, right].map(number);
    Pad { top, bottom, left, right }
}

/// Groups as they are written; one group is none.
fn groups(count: u64) -> Groups {
    if count == 1 { Groups::One } else { Groups::Count(number(count)) }
}

fn extent([h, w]: [u64; 2]) -> String {
    format!("{h}x{w}")
}

fn count(n: u64) -> Count {
    Count::number(i128::from(n))
}

impl Context<'_> {
    /// How the layer is called in errors.
    fn name(&self) -> String {
        match &self.layer.name {
            Some(name) => format!("`{name}`"),
            None => format!("`{}`", self.layer.word),
        }
    }

    /// What expressions of this layer's arguments may refer to.
    fn scope(&self) -> Scope<'_> {
        Scope { network: self.network, shape: Some(self.shape), locals: self.locals, largest: SIZE }
    }

    /// The error for a size that would have to be computed from a const generic.
    fn symbolic(&self, dim: Dim, errors: &mut Errors) {
        let message = format!(
            "{} changes a size that is the const generic `{}`, which has no value when the network is checked",
            self.name(),
            size(dim, self.network)
        );
        errors.on(&self.layer.word, message);
    }

    fn show(&self, shape: Shape) -> String {
        show(shape, self.network)
    }

    /// The last shapes, in words.
    fn trace(&self) -> String {
        trace(self.way.0, self.way.1, self.network)
    }

    /// A layer that leaves shape, window and place unchanged.
    pub fn same(&self, op: Op) -> Made {
        Made {
            op,
            label: self.layer.word.to_string(),
            shape: self.shape,
            params: Vec::new(),
            macs: Count::default(),
            connections: None,
            span: [count(1), count(1)],
            stride: [1, 1],
            up: [1, 1],
            source_extent: self.source_extent,
        }
    }

    /// A function of each element by itself.
    pub fn activation(&self, activation: Activation) -> Made {
        self.same(Op::Activation(activation))
    }

    /// What stands for a layer after an error: its shape as far as it can be told.
    fn failed(&self, shape: Shape) -> Made {
        Made { shape, ..self.same(Op::Identity) }
    }

    /// A map as input, or one error and unknown dimensions.
    fn map(&self, errors: &mut Errors) -> [Dim; 3] {
        match self.shape {
            Shape::Map(chw) => chw,
            Shape::Unknown => [Dim::Unknown; 3],
            Shape::Vector(_) => {
                let message = format!(
                    "{} needs a feature map [C, H, W], but gets the vector {}\n  trace: {}\n  fix: {}",
                    self.name(),
                    self.show(self.shape),
                    self.trace(),
                    self.before_the_vector()
                );
                errors.on(&self.layer.word, message);
                [Dim::Unknown; 3]
            }
        }
    }

    /// Where a layer that takes a map would get one: before the layer that made a vector of it.
    fn before_the_vector(&self) -> String {
        let (nodes, mut at) = self.way;
        while let Some(node) = nodes.get(at) {
            let input = node.inputs.first().and_then(|input| nodes.get(*input).map(|node| (*input, node.shape)));
            match input {
                Some((input, Shape::Vector(_))) => at = input,
                Some(_) => return format!("put it before `{}`", called(node)),
                None => break,
            }
        }
        let shape = match self.shape {
            Shape::Vector(Dim::Known(n)) if n > 1 && n.isqrt().pow(2) == n => format!("[1, {0}, {0}]", n.isqrt()),
            shape => format!("[{}, 1, 1]", size(shape.chw()[0], self.network)),
        };
        format!("declare the input as a map, such as `{shape}`: channels, height and width")
    }

    /// The output extent along one dimension, or one error on argument `name`.
    fn windows(&self, errors: &mut Errors, failed: &mut bool, dimension: usize, input: Dim, given: &Window) -> Dim {
        let (kernel, stride, dilation) = (given.kernel[dimension], given.stride[dimension], given.dilation[dimension]);
        let (before, after) = given.pad[dimension];
        let Some(span) = shape::span(kernel, dilation) else { return Dim::Unknown };
        let input = match input {
            Dim::Known(input) => input,
            Dim::Unknown => return Dim::Unknown,
            // A symbolic extent passes through a window that does not change it.
            Dim::Symbol(_) if stride == 1 && before + after + 1 == span => return input,
            Dim::Symbol(_) => {
                if !std::mem::replace(failed, true) {
                    let message = format!(
                        "{} changes a size that is the const generic `{}`, which has no value when the network is checked\n  \
                         fix: declare the input with numbers, or use stride 1 and `pad = same`",
                        self.name(),
                        size(input, self.network)
                    );
                    errors.on(&self.layer.word, message);
                }
                return Dim::Unknown;
            }
        };
        let outputs = match given.ceil {
            true => shape::windows_ceil(input, before, after, span, stride),
            false => shape::windows(input, before, after, span, stride),
        };
        match outputs {
            Ok(outputs) => Dim::Known(outputs),
            Err(shape::DoesNotFit) => {
                if !std::mem::replace(failed, true) {
                    self.too_large(errors, dimension, input, given);
                }
                Dim::Unknown
            }
        }
    }
}

/// The windows of a convolution or pooling; pairs are for height and width.
struct Window {
    kernel: [u64; 2],
    stride: [u64; 2],
    dilation: [u64; 2],
    pad: [(u64, u64); 2],
    ceil: bool,
    pools: bool,
}
