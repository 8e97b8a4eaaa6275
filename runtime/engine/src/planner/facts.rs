//! What the planner has to know of each operation, one question a function.

use crate::geometry::Geometry;
use crate::kernels::from_output;
use convnet_graph::{Graph, Node, Op};

/// The geometry of a convolution or linear layer, where the node is one.
pub fn geometry<'a>(
    graph: &'a Graph,
    node: &Node,
    input: [usize; 3],
    batch: usize,
    lanes: usize,
) -> Option<Geometry<'a>> {
    let output = node.shape.chw();
    match node.op {
        Op::Conv(conv) => Some(Geometry::conv(conv, graph.connections_of(&conv), input, output, batch, lanes)),
        Op::ConvTranspose(conv) => Some(Geometry::transposed(conv, input, output, batch, lanes)),
        Op::Linear { bias } => Some(Geometry::linear(input, node.shape.len(), bias, batch, lanes)),
        Op::Pool(_)
        | Op::GlobalPool(_)
        | Op::AdaptiveAvgPool
        | Op::ChannelPool { .. }
        | Op::Subsample { .. }
        | Op::Lrn { .. } => None,
        Op::Softmax | Op::LogSoftmax | Op::Prelu { .. } | Op::BatchNorm { .. } | Op::GroupNorm { .. } => None,
        Op::Flatten | Op::Identity | Op::Dropout { .. } | Op::Activation(_) | Op::Add | Op::Scale => None,
        Op::Concat | Op::Resample(_) | Op::ChannelPad { .. } | Op::ChannelShuffle { .. } => None,
        Op::PixelShuffle { .. } | Op::Input | Op::Custom(_) => None,
    }
}

/// Whether an operation works on each channel of its input by itself or across channels, so that it has to know which is which.
pub fn by_channel(op: &Op) -> bool {
    match op {
        Op::BatchNorm { .. } | Op::GroupNorm { .. } | Op::Prelu { .. } | Op::Lrn { .. } => true,
        Op::Softmax | Op::LogSoftmax | Op::ChannelPool { .. } => true,
        // Linear layers read all of a map, and the others never follow a flatten.
        Op::Conv(_) | Op::ConvTranspose(_) | Op::Linear { .. } | Op::Subsample { .. } | Op::Scale => false,
        Op::Pool(_) | Op::GlobalPool(_) | Op::AdaptiveAvgPool | Op::Resample(_) => false,
        Op::ChannelPad { .. } | Op::ChannelShuffle { .. } | Op::PixelShuffle { .. } => false,
        // Element by element.
        Op::Activation(_) | Op::Dropout { .. } | Op::Flatten | Op::Identity => false,
        // Merging repacks its inputs itself where they lie in another way.
        Op::Add | Op::Concat => false,
        Op::Input | Op::Custom(_) => false,
    }
}

/// Whether the backward pass of an operation reads its input and its output.
pub fn reads_backward(op: &Op) -> (bool, bool) {
    match op {
        Op::Conv(_) | Op::ConvTranspose(_) | Op::Linear { .. } | Op::Subsample { .. } => (true, false),
        Op::BatchNorm { .. } | Op::GroupNorm { .. } | Op::Scale => (true, false),
        Op::Lrn { .. } | Op::Prelu { .. } | Op::ChannelPool { .. } => (true, false),
        Op::Activation(activation) => (!from_output(*activation), from_output(*activation)),
        Op::Softmax | Op::LogSoftmax => (false, true),
        Op::Input | Op::Pool(_) | Op::GlobalPool(_) | Op::AdaptiveAvgPool | Op::Flatten | Op::Dropout { .. } => {
            (false, false)
        }
        Op::Add | Op::Concat | Op::Identity | Op::Custom(_) => (false, false),
        Op::Resample(_) | Op::ChannelPad { .. } | Op::ChannelShuffle { .. } | Op::PixelShuffle { .. } => (false, false),
    }
}
