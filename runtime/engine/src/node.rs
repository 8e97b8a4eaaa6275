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
    /// Whether it writes that slot for the first time.
    pub first: bool,
    /// The convolution or batch normalisation that writes this value, as long as it could do more to it before.
    pub writer: Option<usize>,
    /// An activation that this node, a writer, applies itself.
    pub fused: Option<usize>,
    /// A batch normalisation that is folded into the convolution at this node.
    pub norm: Option<usize>,
    /// A pool that this node, a convolution, computes itself, so that its own result is never there.
    pub pooled: Option<usize>,
    /// A value that this node, a writer, adds to its own.
    pub residual: Option<usize>,
    /// Whether a gradient has to reach it.
    pub wants_grad: bool,
    /// Whether it is a maximum of rectified values, and so does the rectifier's backward pass too.
    pub rectified: bool,
    /// The geometry of a convolution or linear layer.
    pub geometry: Option<Geometry<'a>>,
    /// What Winograd's algorithm computes of it.
    pub tiles: Tiles,
    /// Whether it is a linear layer that reads its weights where they are.
    pub unpacked: bool,
    /// Other places it needs, by use.
    pub extra: Buffers,
}

impl NodePlan<'_> {
    /// For a node that this part of the graph does not have.
    pub fn absent() -> Self {
        let extra = Buffers::default();
        NodePlan {
            slot: usize::MAX,
            first: false,
            writer: None,
            fused: None,
            norm: None,
            pooled: None,
            residual: None,
            wants_grad: false,
            rectified: false,
            geometry: None,
            tiles: Tiles::default(),
            unpacked: false,
            extra,
        }
    }
}

/// Places that a node needs beside its slot.
#[derive(Debug, Clone, Default)]
pub struct Buffers {
    /// Packed weights.
    pub weights: Option<Region>,
    /// Padded bias.
    pub bias: Option<Region>,
    /// Factors of a folded batch normalisation.
    pub scale: Option<Region>,
    /// Packed weights of the backward pass to the input.
    pub back_weights: Option<Region>,
    /// Packed weight gradients, or what Winograd's algorithm needs for them.
    pub weight_grad: Option<Region>,
    /// Winners of a max pool, or the mean of a batch normalisation.
    pub first: Option<Region>,
    /// One over the standard deviation of a batch normalisation.
    pub second: Option<Region>,
    /// The variance of a batch normalisation.
    pub third: Option<Region>,
    /// An input in the outside world's order.
    pub flat: Option<Region>,
    /// Sums over chunks of images, forward and backward.
    pub partial: [Option<Region>; 2],
    /// The input in the layout that the node needs, and the gradient there.
    pub repacked: Option<(Layout, Region, Option<Region>)>,
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
