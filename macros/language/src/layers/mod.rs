//! What each layer makes of its input: operation, output shape, parameters, cost.
//!
//! A layer that does not fit reports one error on the value at fault and gives an output whose size is unknown, but keeps
//! what can be told all the same (its channels, its parameters), so that the layers after it can still be checked.

mod conv;
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
use proc_macro2::TokenStream;
use quote::quote;
use syn::Expr;

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
    // A layer that got a vector for a map is in the wrong place; what it would have given says nothing.
    if matches!((context.shape, made.shape), (Shape::Vector(_), Shape::Map(_))) && errors.count() > before {
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
                    "{} needs a feature map [C, H, W], but gets the vector {}\n  trace: {}\n  fix: put it before `flatten`",
                    self.name(),
                    self.show(self.shape),
                    self.trace()
                );
                errors.on(&self.layer.word, message);
                [Dim::Unknown; 3]
            }
        }
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
            true => shape::windows_ceil(input, before, span, stride),
            false => shape::windows(input, before, after, span, stride),
        };
        match outputs {
            Ok(outputs) => Dim::Known(outputs),
            Err(shape::DoesNotFit) => {
                if !std::mem::replace(failed, true) {
                    self.too_large(errors, dimension, input, span, given);
                }
                Dim::Unknown
            }
        }
    }

    /// The header's input and how to write it, if its channels seem to come last, as in Keras.
    fn channels_last(&self) -> Option<(TokenStream, String)> {
        let number = |expr: &Expr| match expr {
            Expr::Lit(syn::ExprLit { lit: syn::Lit::Int(n), .. }) => n.base10_parse::<u64>().ok(),
            _ => None,
        };
        let dims = &self.network.input;
        match dims.iter().map(number).collect::<Option<Vec<u64>>>()?[..] {
            [h, w, c @ 1..=4] if h > 4 && w > 4 => {
                let message = format!("the input is {h} channels of {w}x{c}; shapes are [C, H, W]");
                Some((quote!(#(#dims),*), format!("{message}\n  fix: write `[{c}, {h}, {w}]`")))
            }
            _ => None,
        }
    }

    fn too_large(&self, errors: &mut Errors, dimension: usize, input: u64, span: u64, given: &Window) {
        if let Some((place, message)) = self.channels_last() {
            return errors.bare(place, message);
        }
        let (before, after) = given.pad[dimension];
        let kernel = given.kernel[dimension];
        let along = ["height", "width"].get(dimension).copied().unwrap_or("size");
        let padded = input.saturating_add(before).saturating_add(after);
        let missing = span.saturating_sub(padded);
        let what = match given.dilation[dimension] {
            1 => format!("kernel {kernel}"),
            dilation => format!("kernel {kernel} with dilation {dilation} (covers {span})"),
        };
        let most = padded.saturating_sub(1) / given.dilation[dimension].max(1) + 1;
        let fix = match given.pools {
            // A window of one pixel pools nothing.
            true if most == 1 => format!("leave this pool out, or keep the map larger before it{}", self.unpadded()),
            true => format!("use kernel <= {most}"),
            // What is left says why a smaller one may be better still.
            false => {
                let keeps = (span - 1) / 2;
                let pad = match given.stride[dimension] == 1 && span % 2 == 1 && before == after {
                    true => format!("`pad = {keeps}`, which keeps {input}"),
                    false => format!("pad >= {}", before + missing.div_ceil(2)),
                };
                format!("use kernel <= {most}, which leaves a {along} of 1, or {pad}")
            }
        };
        let message = format!(
            "{}: {what} does not fit into {along} {input} (pad {before} + {after}): {input} + {before} + {after} - {span} < 0\n  \
             trace: {}\n  fix: {fix}",
            self.name(),
            self.trace(),
        );
        // On the dimension's own number where the kernel was given as (height, width).
        match self.args.expr("kernel") {
            Some(Expr::Tuple(tuple)) if tuple.elems.len() == 2 => {
                errors.on(tuple.elems.iter().nth(dimension), message);
            }
            _ => self.args.fault("kernel", errors, message),
        }
    }

    /// The padding that the last layer lacks that made the map smaller by its window alone, as the end of a fix.
    fn unpadded(&self) -> String {
        let (nodes, mut at) = self.way;
        while let Some(node) = nodes.get(at) {
            if let Some((pad, _)) = shape::lacking(node.op.extent()).filter(|_| matches!(node.op, Op::Conv(_))) {
                return format!(": write `pad = {pad}` in `{}`", called(node));
            }
            let Some(input) = node.inputs.first() else { break };
            at = *input;
        }
        String::new()
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
