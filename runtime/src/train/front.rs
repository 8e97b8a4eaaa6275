//! The part of a network that stands in front of all that learns: where parameters are frozen from the input on, values are the same in
//! every epoch for the same pixels, and nothing has to be computed backwards.
//!
//! It is computed in evaluation mode and by itself, whether its values are kept or not, so that both ways give the same bits.

use crate::graph::{Graph, Op, Subgraph};
use crate::optim::ParamOptions;

/// What of a network learns, and what stands in front of that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Front {
    /// Nodes all of whose parameters are frozen.
    pub fixed: Vec<usize>,
    /// Where the front ends: nodes whose values follow from the pixels alone, and which something else reads. The input alone, where
    /// nothing is frozen there.
    pub ends: Vec<usize>,
}

impl Front {
    /// Finds the front of a network. `params` says for each of [`Graph::params`] whether it is frozen.
    pub fn of(graph: &Graph, params: &[ParamOptions]) -> Self {
        let trained = |id: usize| {
            let mut own = graph.nodes[id].param_ids();
            own.any(|param| graph.params[param].trainable && !params[param].frozen)
        };
        let all = 0..graph.nodes.len();
        let fixed = all.clone().filter(|id| graph.nodes[*id].params > 0 && !trained(*id)).collect();
        let mut settled = vec![true; graph.nodes.len()];
        for id in all.clone().skip(1) {
            let node = &graph.nodes[id];
            // A module that nobody knows may have parameters or draw random numbers.
            let by_chance = matches!(node.op, Op::Dropout { p, .. } if p > 0.0) || matches!(node.op, Op::Custom(_));
            settled[id] = !by_chance && !trained(id) && node.inputs.iter().all(|input| settled[*input]);
        }
        // Without parameters there is nothing in it that is worth a pass of its own.
        if all.clone().all(|id| !settled[id] || graph.nodes[id].params == 0) {
            return Front { fixed, ends: vec![0] };
        }
        let whole = Subgraph::whole(graph, true);
        let is_read = |id: usize| {
            let readers = graph.nodes.iter().enumerate().filter(|(_, node)| node.inputs.contains(&id));
            whole.outputs.contains(&id) || readers.into_iter().any(|(reader, _)| !settled[reader])
        };
        Front { fixed, ends: all.filter(|id| settled[*id] && is_read(*id)).collect() }
    }

    /// Whether the network has a front: whether any frozen layer stands in front of all that learns.
    pub fn exists(&self) -> bool {
        self.ends != [0]
    }

    /// The front as a part of the network, from the pixels to its ends.
    pub fn part(&self) -> Subgraph {
        Subgraph { inputs: vec![0], outputs: self.ends.clone() }
    }

    /// The rest of the network, from the ends of the front to the output and, in training, to the auxiliary heads.
    pub fn rest(&self, graph: &Graph, training: bool) -> Subgraph {
        Subgraph { inputs: self.ends.clone(), ..Subgraph::whole(graph, training) }
    }

    /// How many numbers of each image there are at its ends.
    pub fn len(&self, graph: &Graph) -> usize {
        self.ends.iter().map(|id| graph.nodes[*id].shape.len()).sum()
    }
}
