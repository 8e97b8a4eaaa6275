//! A plan as it is run: two programs over one arena, and where the outside world's numbers lie in it.

use super::algorithm::Precision;
use super::kernels::Isa;
use super::program::Program;
use convnet_graph::Subgraph;
use std::ops::Range;

/// What a plan is made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanKey {
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
    /// Nodes that do not learn: nothing is computed backwards for their sake, and normalisations take running statistics in training, too.
    pub fixed: Vec<usize>,
}

impl PlanKey {
    /// Whether a normalisation takes the statistics of the batch.
    pub fn takes_statistics(&self, id: usize) -> bool {
        self.training && !self.fixed.contains(&id)
    }
}

/// Two programs over one arena, and where the outside world's numbers lie in it.
#[derive(Debug)]
pub struct Plan {
    /// What it was made for.
    pub key: PlanKey,
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
