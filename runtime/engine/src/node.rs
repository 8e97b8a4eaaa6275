//! What the planner has found out about the nodes of a graph: all that [`planner`](super::planner) leaves to
//! [`emit`](super::emit).
//!
//! Nodes that only look at a value differently (flatten, a dropout that does nothing, an activation on a value that
//! nobody else reads) share its *slot*, a place for the value and one for its gradient.

use super::algorithm::Tiles;
use super::geometry::Geometry;
use super::layout::Layout;
use super::plan::PlanKey;
use super::regions::Region;
use convnet_graph::Graph;

/// A value, shared by the nodes that only look at it differently.
#[derive(Debug, Clone)]
pub struct Slot {
    /// The node that writes it first.
    pub node: usize,
    /// Layout of the value.
    pub value: Layout,
    /// Layout of its gradient.
    pub grad: Layout,
    /// Place of the value: its own, or that of a concatenation which it is a part of.
    pub region: Region,
    /// Blocks of that concatenation which come before it.
    pub first_block: usize,
    /// Whether it is a part of one.
    pub part: bool,
    /// Place of the gradient, if there is one.
    pub grad_region: Option<Region>,
}

/// What the planner has found out about a node.
#[derive(Debug, Clone)]
pub struct NodePlan<'a> {
    /// Its slot.
    pub slot: usize,
    /// The convolution or batch normalisation that writes this value, as long as it could do more to it before.
    pub writer: Option<usize>,
    /// What it does for other nodes.
    pub does: Does,
    /// The node that computes this one's value too, so that nothing is left to do in the forward pass.
    pub done_by: Option<usize>,
    /// The node whose backward pass is this one's too, though they share a slot.
    pub grad_done_by: Option<usize>,
    /// Whether a gradient has to reach it.
    pub wants_grad: bool,
    /// How it is computed, if it is a convolution or a linear layer.
    pub conv: Option<ConvPlan<'a>>,
    /// Where its channels come from, if it only moves those of maps.
    pub collected: Option<Collected>,
    /// Its input in the layout that it needs, where that is another than the input's own.
    pub repacked: Option<Repacked>,
    /// Places that it needs beside its slot.
    pub buffers: Buffers,
}

impl NodePlan<'_> {
    /// For a node that this part of the graph does not have.
    pub fn absent() -> Self {
        NodePlan {
            slot: usize::MAX,
            writer: None,
            does: Does::default(),
            done_by: None,
            grad_done_by: None,
            wants_grad: false,
            conv: None,
            collected: None,
            repacked: None,
            buffers: Buffers::None,
        }
    }
}

/// A map whose channels are those of other maps.
#[derive(Debug, Clone)]
pub struct Collected {
    /// For each channel: the node that writes it, and which of that node's channels it is.
    pub channels: Vec<(usize, usize)>,
    /// Whether somebody needs the map itself, and not only channels of it.
    pub present: bool,
}

/// The work of other nodes that a convolution, a batch normalisation or a pool does with its own.
#[derive(Debug, Clone, Default)]
pub struct Does {
    /// An activation that it applies.
    pub activation: Option<usize>,
    /// A batch normalisation that is folded into it, a convolution.
    pub norm: Option<usize>,
    /// A pool that it, a convolution, computes too, so that its own result is never there.
    pub pool: Option<usize>,
    /// A value that it adds to its own: the other term of a sum.
    pub residual: Option<usize>,
    /// The product in front of it, whose factors it, a convolution, takes into its weights.
    pub product: Option<usize>,
    /// A rectifier in front of it, a maximum, whose backward pass it does.
    pub rectifier: Option<usize>,
}

/// How a convolution or a linear layer is computed.
#[derive(Debug, Clone, Copy)]
pub struct ConvPlan<'a> {
    /// Its sizes.
    pub geometry: Geometry<'a>,
    /// What Winograd's algorithm computes of it.
    pub tiles: Tiles,
    /// Whether it is a linear layer that reads its weights where they are.
    pub unpacked: bool,
}

/// The input of a node in the layout that the node needs.
#[derive(Debug, Clone, Copy)]
pub struct Repacked {
    /// That layout.
    pub layout: Layout,
    /// Place of the value.
    pub value: Region,
    /// Place of its gradient, if it has one.
    pub grad: Option<Region>,
}

/// Places that a node needs beside its slot, by what it does.
#[derive(Debug, Clone, Copy)]
pub enum Buffers {
    /// It needs none.
    None,
    /// A convolution or a linear layer.
    Conv(ConvBuffers),
    /// A max or min pool with a backward pass.
    Pool {
        /// The taps that won.
        winners: Region,
    },
    /// A batch normalisation that no convolution does.
    BatchNorm(BatchNormBuffers),
    /// A normalisation of groups of channels, or of pixels.
    Normalised {
        /// Means of the groups, or of the pixels, of each image.
        mean: Region,
        /// One over their standard deviations.
        inv_std: Region,
    },
}

/// Places that a convolution or a linear layer needs.
#[derive(Debug, Clone, Copy)]
pub struct ConvBuffers {
    /// The input in the outside world's order, for weights that are read where they are.
    pub flat: Option<Region>,
    /// Packed weights.
    pub weights: Region,
    /// The bias, padded to whole blocks.
    pub bias: Region,
    /// Factors of a batch normalisation that is folded into the weights.
    pub scale: Option<Region>,
    /// Packed weight gradients, or what Winograd's algorithm needs for them.
    pub weight_grad: Option<Region>,
    /// Packed weights of the backward pass to the input.
    pub back_weights: Option<Region>,
}

/// Places that a batch normalisation needs.
#[derive(Debug, Clone, Copy)]
pub struct BatchNormBuffers {
    /// The mean that is subtracted.
    pub mean: Region,
    /// One over the standard deviation.
    pub inv_std: Region,
    /// The variance.
    pub var: Region,
    /// Sums over chunks of images in the forward pass.
    pub sums: Region,
    /// The same in the backward pass.
    pub grad_sums: Option<Region>,
}

/// A graph that has been planned: everything that [`emit`](super::emit) needs to write the steps.
pub struct Planned<'a> {
    pub graph: &'a Graph,
    pub key: PlanKey,
    pub slots: Vec<Slot>,
    pub nodes: Vec<NodePlan<'a>>,
    /// The nodes to compute, in order.
    pub order: Vec<usize>,
    pub inputs: Vec<Region>,
    pub outputs: Vec<Region>,
    /// None without a backward pass.
    pub d_outputs: Vec<Region>,
    pub d_inputs: Vec<Option<Region>>,
    pub params: Vec<Option<Region>>,
    pub d_params: Vec<Option<Region>>,
    pub d_packed: Vec<usize>,
    /// Whether all weights are packed before the first layer.
    pub pack_first: bool,
}
