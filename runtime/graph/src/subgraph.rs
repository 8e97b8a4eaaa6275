//! A subgraph: what one run of an executor covers.
//!
//! A whole network, the stretch between two `custom` modules, everything up to a tap and everything after it are all the
//! same to an executor: values that are given, values that are wanted, and the nodes in between.

use super::Graph;

/// Values that are given and values that are wanted, as indices of nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subgraph {
    /// Nodes whose values are given.
    pub inputs: Vec<usize>,
    /// Nodes whose values are wanted; none twice.
    pub outputs: Vec<usize>,
}

impl Subgraph {
    /// From the input to the outputs and, in training, the auxiliary heads.
    pub fn whole(graph: &Graph, training: bool) -> Self {
        let heads = graph.heads.iter().filter(|_| training);
        Subgraph { inputs: vec![0], outputs: graph.outputs.iter().chain(heads).map(|output| output.node).collect() }
    }

    /// For each node, whether it has to be computed.
    pub fn covered(&self, graph: &Graph) -> Vec<bool> {
        let mut covered = vec![false; graph.nodes.len()];
        self.outputs.iter().for_each(|output| covered[*output] = true);
        for id in (0..graph.nodes.len()).rev() {
            covered[id] &= !self.inputs.contains(&id);
            if covered[id] {
                graph.nodes[id].inputs.iter().for_each(|input| covered[*input] = true);
            }
        }
        covered
    }
}
