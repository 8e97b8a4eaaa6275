//! A network as an ONNX model: one walk over its nodes, each of which becomes one operator or a few.
//!
//! The operators are those of one version, [`OPSET`], for all networks. Where ONNX defines an operation otherwise than PyTorch or leaves
//! it open, it is written in smaller steps that leave nothing open, rather than in one whose meaning depends on who reads it.

mod activation;
mod conv;
mod draft;
mod fold;
mod model;
mod norm;
mod pool;
mod preprocessing;
mod spatial;

pub use model::Model;
pub use preprocessing::{Preprocessing, Resizing};

use convnet_graph::{Graph, Node, Op, Shape};
use draft::{Draft, int, ints};
use fold::Folded;
use std::collections::BTreeMap;

/// The version of ONNX's operators: the newest that ONNX Runtime and OpenVINO of the last two years read.
pub const OPSET: i64 = 21;

/// Why a network cannot become a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// A `custom` module is Rust, which no file can hold.
    #[error("{network} has the custom module `{layer}`, which is Rust: ONNX has no operator for it")]
    Custom {
        /// Name of the network.
        network: String,
        /// Name of the layer.
        layer: String,
    },
    /// The numbers are not those of the network's parameters.
    #[error("{network} has the parameter {name} of {expected} numbers, and {found} are given")]
    Numbers {
        /// Name of the network.
        network: String,
        /// Name of the parameter.
        name: String,
        /// How many it has.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// Protocol buffers end at two gigabytes.
    #[error(
        "the file would have {bytes} bytes, and an ONNX file has at most {}: keep the weights in a file beside it",
        model::MOST
    )]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
}

/// How a network is written.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// Batch normalisations become part of the convolution or linear layer before them, as far as that has no other reader.
    pub folded: bool,
    /// What the model does to images before the network sees them.
    pub preprocessing: Option<Preprocessing>,
    /// What the file says about itself.
    pub metadata: BTreeMap<String, String>,
}

/// A network with these parameters, in the order of [`Graph::params`], in evaluation mode: auxiliary heads are left out.
///
/// # Errors
/// When the network has a `custom` module, or the numbers are not those of its parameters.
pub fn export(graph: &Graph, params: &[Vec<f32>], options: &Options) -> Result<Model, ExportError> {
    check(graph, params)?;
    let mut writer = Writer {
        graph,
        params,
        folded: if options.folded { Folded::of(graph) } else { Folded::default() },
        values: vec![String::new(); graph.nodes.len()],
        draft: Draft::default(),
    };
    // The names that others look for come first.
    let given = writer.draft.name("input");
    for param in graph.params.iter() {
        writer.draft.reserve(&param.name);
    }
    let input = match &options.preprocessing {
        None => {
            writer.values[0] = given.clone();
            model::input(&given, graph.input())
        }
        Some(how) => {
            writer.values[0] = how.write(&mut writer.draft, &given);
            how.input(&given)
        }
    };
    for id in 1..graph.nodes.len() {
        writer.node(id);
    }
    let outputs = graph.outputs.iter().map(|output| {
        let Node { shape, .. } = graph.nodes[output.node];
        (writer.values[output.node].clone(), shape)
    });
    let outputs = outputs.collect();
    Ok(Model::new(graph, writer.draft, input, outputs, options))
}

fn check(graph: &Graph, params: &[Vec<f32>]) -> Result<(), ExportError> {
    let network = || graph.name.to_string();
    if let Some(node) = graph.nodes.iter().find(|node| matches!(node.op, Op::Custom(_))) {
        return Err(ExportError::Custom { network: network(), layer: node.name.to_string() });
    }
    for (i, param) in graph.params.iter().enumerate() {
        let (expected, found) = (param.shape.iter().product(), params.get(i).map_or(0, Vec::len));
        if expected != found {
            return Err(ExportError::Numbers { network: network(), name: param.name.to_string(), expected, found });
        }
    }
    Ok(())
}

/// The walk.
struct Writer<'a> {
    graph: &'a Graph,
    params: &'a [Vec<f32>],
    folded: Folded,
    /// What the value of each node is called.
    values: Vec<String>,
    draft: Draft,
}

impl Writer<'_> {
    fn node(&mut self, id: usize) {
        let node = &self.graph.nodes[id];
        if node.auxiliary {
            return;
        }
        if let Some(host) = self.folded.host(id) {
            self.values[id] = self.values[host].clone();
            return;
        }
        let inputs = node.inputs.iter().map(|input| self.values[*input].clone()).collect();
        let from = node.inputs.first().map_or(node.shape, |input| self.graph.nodes[*input].shape);
        let mut layer = Layer {
            graph: self.graph,
            params: self.params,
            norm: self.folded.after(id),
            node,
            from,
            inputs,
            draft: &mut self.draft,
        };
        let value = layer.write();
        // What it is folded into has the name of what comes out.
        let last = self.folded.after(id).unwrap_or(id);
        let output = self.graph.outputs.iter().find(|output| output.node == last);
        let output = output.map(|output| &*output.name);
        self.values[id] = self.draft.rename_last(&node.name, output).unwrap_or(value);
    }
}

/// A node that is being written.
struct Layer<'a> {
    graph: &'a Graph,
    params: &'a [Vec<f32>],
    /// The batch normalisation that is folded into it.
    norm: Option<usize>,
    node: &'a Node,
    /// The shape of its first input.
    from: Shape,
    /// What its inputs are called.
    inputs: Vec<String>,
    draft: &'a mut Draft,
}

impl Layer<'_> {
    /// The name of its value.
    fn write(&mut self) -> String {
        match self.node.op {
            // The walk begins behind the input, and a network with custom modules is refused.
            Op::Input | Op::Custom(_) | Op::Identity => self.then("Identity", &[], vec![]),
            Op::Conv(conv) => self.conv(&conv),
            Op::ConvTranspose(conv) => self.conv_transpose(&conv),
            Op::Linear { bias } => self.linear(bias),
            Op::PixelLinear { bias } => self.pixel_linear(bias),
            Op::Subsample { size } => self.subsample(size),
            Op::Pool(pool) => self.pool(&pool),
            Op::AdaptiveAvgPool => self.adaptive_avg_pool(),
            Op::GlobalPool(kind) => self.global_pool(kind),
            Op::ChannelPool { kind, size } => self.channel_pool(kind, size),
            Op::Flatten => self.then("Flatten", &[], vec![int("axis", 1)]),
            Op::Resample(how) => self.resample(how),
            Op::ChannelPad { before } => self.channel_pad(before),
            Op::ChannelCrop { before } => self.channel_crop(before),
            Op::ChannelShuffle { groups } => self.channel_shuffle(groups),
            Op::PixelShuffle { factor } => self.pixel_shuffle(factor),
            Op::PixelUnshuffle { factor } => self.pixel_unshuffle(factor),
            Op::Permute { order } => {
                let [channels, height, width] = order.map(|from| from + 1);
                self.then("Transpose", &[], vec![ints("perm", &[0, channels, height, width])])
            }
            Op::ChannelScale => self.channel_scale(),
            Op::BatchNorm { eps, momentum } => self.batch_norm(eps, momentum),
            Op::GroupNorm { groups, eps, affine } => self.group_norm(groups, eps, affine),
            Op::PixelNorm { eps, affine } => self.pixel_norm(eps, affine),
            Op::Lrn { size, alpha, beta, k } => self.lrn(size, [alpha, beta, k]),
            Op::Dropout { p, channels } => self.dropout(p, if channels { Some("dropout2d") } else { None }),
            Op::StochasticDepth { p } => self.dropout(p, Some("stochastic_depth")),
            Op::Activation(activation) => self.activation(activation),
            Op::Prelu { per_channel } => self.prelu(per_channel),
            Op::Softmax => self.then("Softmax", &[], vec![int("axis", 1)]),
            Op::LogSoftmax => self.then("LogSoftmax", &[], vec![int("axis", 1)]),
            Op::Add => self.merged(if self.inputs.len() == 2 { "Add" } else { "Sum" }, vec![]),
            Op::Scale => self.merged("Mul", vec![]),
            Op::Concat => self.merged("Concat", vec![int("axis", 1)]),
        }
    }

    /// Applies an operator to the value so far, with more inputs behind it.
    fn then(&mut self, op: &str, more: &[&str], attributes: Vec<crate::proto::Attribute>) -> String {
        let inputs = self.inputs.first().into_iter().cloned().chain(more.iter().map(|name| name.to_string())).collect();
        let name = format!("{}/{op}", self.node.name);
        let value = self.draft.node(&name, op, inputs, attributes);
        self.inputs = vec![value.clone()];
        value
    }

    /// Applies an operator to all inputs.
    fn merged(&mut self, op: &str, attributes: Vec<crate::proto::Attribute>) -> String {
        let name = format!("{}/{op}", self.node.name);
        self.draft.node(&name, op, std::mem::take(&mut self.inputs), attributes)
    }

    /// The name of the value so far.
    fn value(&self) -> String {
        self.inputs.first().cloned().unwrap_or_default()
    }

    /// The name of a constant of this layer.
    fn own(&self, what: &str) -> String {
        format!("{}/{what}", self.node.name)
    }

    /// A parameter by its place among those of the node.
    fn numbers(&self, place: usize) -> &[f32] {
        self.params.get(self.node.first_param + place).map_or(&[], Vec::as_slice)
    }

    /// A parameter as a constant under its own name, in another shape of as many elements where one is given.
    fn param(&mut self, place: usize, shape: Option<&[usize]>) -> String {
        let param = &self.graph.params[self.node.first_param + place];
        let values = self.params.get(self.node.first_param + place).map_or(&[][..], Vec::as_slice);
        self.draft.reserved(&param.name, shape.unwrap_or(&param.shape), values)
    }

    /// The name of a parameter.
    fn param_name(&self, place: usize) -> String {
        self.graph.params[self.node.first_param + place].name.to_string()
    }

    /// A shape that lines up with the channels of a value of this node's rank: `[C, 1, 1]`, or `[C]` for a vector.
    fn by_channel(&self, channels: usize) -> Vec<usize> {
        match self.from {
            Shape::Map(_) => vec![channels, 1, 1],
            Shape::Vector(_) => vec![channels],
        }
    }
}
