//! From a graph, a batch size and a kind of pass to a program: what is computed where, in which order.
//!
//! Nodes that only look at a value differently (flatten, a dropout that does nothing, an activation on a value that
//! nobody else reads) share its *slot*, a place for the value and one for its gradient. [`super::draft`] walks the graph to
//! find slots, their layouts and lifetimes; [`super::emit`] then writes the steps.

use super::algorithm::{Precision, Tiles};
use super::draft::Drafting;
use super::emit;
use super::geometry::Geometry;
use super::kernels::{Isa, Program};
use super::layout::Layout;
use super::regions::Region;
use crate::graph::{Graph, Subgraph};
use std::ops::Range;

/// What a plan is made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purpose {
    /// What is given and what is wanted.
    pub part: Subgraph,
    /// Images.
    pub batch: usize,
    /// Batch statistics instead of running ones.
    pub training: bool,
    /// Whether dropout layers drop.
    pub dropout: bool,
    /// Whether a backward pass follows.
    pub backward: bool,
    /// Whether it goes on to the inputs.
    pub input_grad: bool,
    /// Whether parameters are packed once, for many passes.
    pub frozen: bool,
    /// Whether linear layers that read their weights where they are find them in half precision.
    pub half: bool,
    /// Whether the fastest algorithms may be used.
    pub precision: Precision,
    /// Instruction set.
    pub isa: Isa,
}

/// Two programs over one arena, and where the outside world's numbers lie in it.
#[derive(Debug)]
pub struct Plan {
    /// What it was made for.
    pub purpose: Purpose,
    /// Elements of the arena.
    pub arena_len: usize,
    /// Packs the parameters, where that is done once.
    pub prepare: Option<Program>,
    /// The forward pass.
    pub forward: Program,
    /// The backward pass.
    pub backward: Option<Program>,
    /// What is given, `[N, C, H, W]` each.
    pub inputs: Vec<Range<usize>>,
    /// Each parameter that is needed and not packed, as PyTorch stores it.
    pub params: Vec<Option<Range<usize>>>,
    /// Parameters that every pass reads where they are.
    pub read: Vec<usize>,
    /// What is wanted, `[N, C, H, W]` each.
    pub outputs: Vec<Range<usize>>,
    /// The gradients of the outputs; none without a backward pass.
    pub d_outputs: Vec<Range<usize>>,
    /// The gradient of each parameter that has one and is not packed.
    pub d_params: Vec<Option<Range<usize>>>,
    /// Parameters that are packed and whose gradients are written where the outside world wants them.
    pub d_packed: Vec<usize>,
    /// The gradient of each input that has one.
    pub d_inputs: Vec<Option<Range<usize>>>,
    /// Batch statistics to fold into running ones.
    pub statistics: Vec<Statistics>,
}

/// The batch statistics of one normalisation.
#[derive(Debug, Clone)]
pub struct Statistics {
    /// Index of `running_mean` among the parameters; `running_var` follows.
    pub param: usize,
    /// Where both lie.
    pub old: [Range<usize>; 2],
    /// Weight of the new batch.
    pub momentum: f64,
    /// Where the mean lies.
    pub mean: Range<usize>,
    /// Where the biased variance lies.
    pub var: Range<usize>,
    /// Elements that each was taken over.
    pub count: usize,
}

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
    pub extra: Extra,
}

impl NodePlan<'_> {
    /// For a node that this part of the graph does not have.
    pub fn absent() -> Self {
        let extra = Extra::default();
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
pub struct Extra {
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

/// Everything that [`emit`] needs to write the steps.
pub struct Draft<'a> {
    pub graph: &'a Graph,
    pub purpose: Purpose,
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

impl Plan {
    /// Plans the passes of `graph` for `purpose`.
    pub fn new(graph: &Graph, purpose: Purpose) -> Plan {
        let (draft, regions) = Drafting::new(graph, purpose).finish();
        emit::plan(draft, regions.place())
    }

    /// A plan for fewer images in the same arena, whose packed parameters it uses.
    pub fn smaller(&self, graph: &Graph, batch: usize) -> Plan {
        let (mut draft, regions) = Drafting::new(graph, self.purpose.clone()).finish();
        draft.purpose.batch = batch.min(self.purpose.batch);
        for geometry in draft.nodes.iter_mut().filter_map(|node| node.geometry.as_mut()) {
            geometry.batch = draft.purpose.batch;
        }
        emit::plan(draft, regions.place())
    }
}
