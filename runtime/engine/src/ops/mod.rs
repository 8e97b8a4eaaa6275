//! What there is to know of each operation, one family a file: what the planner asks of it, the buffers that it needs, and its
//! forward and backward steps side by side.
//!
//! [`operation`] is the one place where an [`Op`] is told from another; whoever adds one writes an [`Operation`] in a file of its
//! family and gives it a line there. A table of functions was thought of instead of a trait: it would have to hand each function
//! the whole `Op` again, to be taken apart a second time.

mod column;
mod conv;
mod merge;
mod norm;
mod pixel_norm;
mod pointwise;
mod pool;
mod same;
mod spatial;

use super::geometry::Geometry;
use super::kernels::{Across, Dropped, Order};
use super::node::{Buffers, NodePlan, Slot};
use super::plan::{PlanKey, Statistics};
use super::regions::{Regions, Timeline};
use super::writer::Writer;
use convnet_graph::{Activation, Conv, Graph, Groups, Node, Op, Pad};

/// An operation, as planning and writing steps see it.
pub trait Operation {
    /// What the planner asks first, for plans with this key.
    fn facts(&self, key: &PlanKey) -> Facts;

    /// The geometry of a convolution or linear layer from `[C, H, W]` of `input`; other operations have none.
    fn geometry<'a>(
        &self,
        _graph: &'a Graph,
        _node: &Node,
        _input: [usize; 3],
        _key: &PlanKey,
    ) -> Option<Geometry<'a>> {
        None
    }

    /// For an operation that computes nothing and gives whole channels of its inputs: which of theirs, all in a row, the `own` channels
    /// of its output are.
    fn moved(&self, _own: usize) -> Option<Vec<usize>> {
        None
    }

    /// Asks for the places that a node needs beside its slot.
    fn buffers(&self, _site: &Site<'_, '_>, _regions: &mut Regions) -> Buffers {
        Buffers::None
    }

    /// Writes the steps that pack the parameters of a node whose kernels do not read them as they are.
    fn pack(&self, _to: &mut Writer<'_>, _id: usize) {}

    /// Writes the forward steps of a node that no other one does.
    fn forward(&self, to: &mut Writer<'_>, id: usize);

    /// Writes the backward steps of a node with a slot of its own, from the gradient of its value to those of its inputs and
    /// parameters.
    fn backward(&self, to: &mut Writer<'_>, id: usize);

    /// Writes the backward steps of a node that shares its input's slot: the gradient is there already, short of the derivative.
    fn backward_shared(&self, _to: &mut Writer<'_>, _id: usize) {}

    /// After a forward pass in training: the batch statistics of a node.
    fn statistics(&self, _to: &Writer<'_>, _id: usize) -> Option<Statistics> {
        None
    }
}

/// What the planner has to know of an operation. None of it has a default: whoever adds an operation answers for it.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// What the backward pass reads.
    pub reads: Reads,
    /// What it works on.
    pub unit: Unit,
    /// Whose slot it may share.
    pub shares: Shares,
    /// Whether it can read its input in the layout of the outside world.
    pub reads_planar: bool,
}

/// What the backward pass of an operation reads beside gradients and parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// Neither input nor output.
    Nothing,
    /// The input.
    Input,
    /// The output.
    Output,
}

/// What an operation works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Each element by itself: a vector that was flattened keeps the layout of the map that it was.
    Element,
    /// Each channel by itself, or across channels: a vector that was flattened has to be repacked, so that each of its numbers is
    /// a channel.
    Channel,
    /// Whatever its input is, be it that it finds each element itself, or that it never follows a flatten.
    Whole,
}

/// When a node shares the slot of its input, and who then does its work.
#[derive(Debug, Clone, Copy)]
pub enum Shares {
    /// It never does.
    Never,
    /// Always: it is the same value, looked at differently.
    Always,
    /// Where nobody needs the input any more. What writes the input may apply the activation, too.
    Activation(Activation),
    /// Where a convolution writes the input, into which it is folded.
    Norm,
    /// Where what writes one term can add the other.
    Sum,
    /// Where the input is a map, the other factor one number a channel, and who reads the product a convolution of single pixels, which
    /// takes the numbers into its weights.
    Product,
}

/// A node whose buffers are asked for, with what has been planned so far.
pub struct Site<'s, 'a> {
    /// The graph.
    pub graph: &'a Graph,
    /// What is planned for.
    pub key: &'s PlanKey,
    /// All slots, with their layouts.
    pub slots: &'s [Slot],
    /// All nodes.
    pub nodes: &'s [NodePlan<'a>],
    /// When steps run.
    pub time: Timeline,
    /// Whether all weights are packed before the first layer.
    pub pack_first: bool,
    /// The node.
    pub id: usize,
}

impl<'s, 'a> Site<'s, 'a> {
    /// The node in the graph.
    pub fn node(&self) -> &'a Node {
        &self.graph.nodes[self.id]
    }

    /// What has been found out about it.
    pub fn plan(&self) -> &'s NodePlan<'a> {
        &self.nodes[self.id]
    }

    /// What has been found out about its first input.
    pub fn input(&self) -> &'s NodePlan<'a> {
        &self.nodes[self.node().inputs[0]]
    }

    /// Its slot.
    pub fn slot(&self) -> &'s Slot {
        &self.slots[self.plan().slot]
    }

    /// The slot of its first input.
    pub fn input_slot(&self) -> &'s Slot {
        &self.slots[self.input().slot]
    }

    /// When its forward steps run.
    pub fn forward(&self) -> usize {
        self.time.forward(self.id)
    }

    /// When its backward steps run.
    pub fn backward(&self) -> usize {
        self.time.backward(self.id)
    }
}

/// What an `Op` of the graph is here.
pub fn operation(op: &Op) -> Box<dyn Operation> {
    match *op {
        Op::Input | Op::Custom(_) => Box::new(same::Given),
        Op::Flatten | Op::Identity => Box::new(same::Same),
        Op::Conv(conv) => Box::new(conv::Convolution::Plain(conv)),
        Op::ConvTranspose(conv) => Box::new(conv::Convolution::Transposed(conv)),
        Op::Linear { bias } => Box::new(conv::Convolution::Linear { bias }),
        Op::PixelLinear { bias } => Box::new(conv::Convolution::Plain(pointwise(bias))),
        Op::Pool(pool) => Box::new(pool::Pooling::Window(pool)),
        Op::GlobalPool(kind) => Box::new(pool::Pooling::Global(kind)),
        Op::AdaptiveAvgPool => Box::new(pool::Pooling::Adaptive),
        Op::Subsample { size } => Box::new(pool::Pooling::Subsample { size }),
        Op::BatchNorm { eps, momentum } => Box::new(norm::Batch { eps, momentum }),
        Op::GroupNorm { groups, eps, affine } => Box::new(norm::Group { groups, eps, affine }),
        Op::PixelNorm { eps, affine } => Box::new(pixel_norm::Pixel { eps, affine }),
        Op::Activation(activation) => Box::new(pointwise::Activate(activation)),
        Op::Dropout { p, channels } => {
            let dropped = if channels { Dropped::Channels } else { Dropped::Elements };
            Box::new(pointwise::Drop { p, dropped })
        }
        Op::StochasticDepth { p } => Box::new(pointwise::Drop { p, dropped: Dropped::Images }),
        Op::Prelu { per_channel } => Box::new(pointwise::Prelu { per_channel }),
        Op::Add => Box::new(merge::Sum),
        Op::Concat => Box::new(merge::Concat),
        Op::Scale => Box::new(merge::Product),
        Op::ChannelScale => Box::new(pointwise::ChannelFactors),
        Op::Resample(how) => Box::new(spatial::Resampling(how)),
        Op::ChannelPad { before } => Box::new(spatial::ChannelPad { before }),
        Op::ChannelCrop { before } => Box::new(spatial::ChannelCrop { before }),
        Op::ChannelShuffle { groups } => Box::new(spatial::Reorder(Order::Channels(groups))),
        Op::PixelShuffle { factor } => Box::new(spatial::Reorder(Order::Squares(factor))),
        Op::Permute { order } => Box::new(spatial::Permutation(order)),
        Op::PixelUnshuffle { factor } => Box::new(spatial::Reorder(Order::Unsquare(factor))),
        Op::Lrn { size, alpha, beta, k } => Box::new(column::Column(Across::lrn(size, alpha, beta, k))),
        Op::Softmax => Box::new(column::Column(Across::Softmax)),
        Op::LogSoftmax => Box::new(column::Column(Across::LogSoftmax)),
        Op::ChannelPool { kind, size } => Box::new(column::Column(Across::Pool { kind, size })),
    }
}

/// The convolution that a linear layer at each pixel is: its weight has the same numbers in the same order.
fn pointwise(bias: bool) -> Conv {
    Conv {
        kernel: [1, 1],
        stride: [1, 1],
        pad: Pad::ZERO,
        dilation: [1, 1],
        groups: Groups::One,
        bias,
        connections: None,
    }
}
