//! Who reads what: which nodes read a value, and what each of them sees of it.

use crate::cost::Dim;
use crate::graph::{Graph, Node};
use convnet_graph::{Extent, Op};

/// The readers of each value.
pub struct Reading {
    readers: Vec<Vec<usize>>,
    /// Whether it is the value of an output or of a head.
    ends: Vec<bool>,
}

/// What a node sees of a value.
pub enum Sees {
    /// Each pixel for itself, with what stands beside it at most in a statistic.
    Pixels,
    /// Windows of it.
    Windows,
    /// All of it.
    All,
}

impl Reading {
    pub fn of(graph: &Graph) -> Self {
        let mut readers = vec![Vec::new(); graph.nodes.len()];
        let mut ends = vec![false; graph.nodes.len()];
        for (id, node) in graph.nodes.iter().enumerate() {
            for input in &node.inputs {
                if let Some(list) = readers.get_mut(*input) {
                    list.push(id);
                }
            }
        }
        for end in graph.heads.iter().map(|head| head.node).chain(graph.ends()) {
            if let Some(place) = ends.get_mut(end) {
                *place = true;
            }
        }
        Reading { readers, ends }
    }

    /// Who reads the value of a node.
    pub fn readers(&self, id: usize) -> &[usize] {
        self.readers.get(id).map_or(&[], Vec::as_slice)
    }

    /// Whether the value is one of the network's own.
    pub fn is_end(&self, id: usize) -> bool {
        self.ends.get(id) == Some(&true)
    }

    /// The one node that reads the value, if nobody else gets it.
    pub fn only(&self, id: usize) -> Option<usize> {
        match self.readers(id) {
            [one] if !self.is_end(id) => Some(*one),
            _ => None,
        }
    }

    /// Whether a layer on the way to `end` sees the whole map.
    pub fn sees_all(&self, graph: &Graph, end: usize) -> bool {
        let mut sees: Vec<bool> = Vec::new();
        for node in &graph.nodes {
            let before = node.inputs.iter().any(|input| sees.get(*input) == Some(&true));
            sees.push(before || whole(node));
        }
        sees.get(end) == Some(&true)
    }
}

/// What a node with one input sees of it; one with more is taken to see all.
pub fn sees(node: &Node) -> Sees {
    match (node.inputs.len(), node.op.extent()) {
        (1, Extent::Pixel | Extent::Normalised) => Sees::Pixels,
        (1, Extent::Windows { .. }) => Sees::Windows,
        (_, Extent::Pixel | Extent::Normalised | Extent::Windows { .. } | Extent::Product) => Sees::All,
        (_, Extent::Transposed { .. } | Extent::Bins | Extent::Resampled(_) | Extent::Squares(_)) => Sees::All,
        (_, Extent::Whole | Extent::Unknown) => Sees::All,
    }
}

/// Whether each output of a node is made of the whole map.
fn whole(node: &Node) -> bool {
    let [_, height, width] = node.shape.chw();
    match node.op.extent() {
        Extent::Whole => !matches!(node.op, Op::Flatten | Op::Permute { .. }),
        Extent::Bins => [height, width] == [Dim::Known(1); 2],
        // `custom` modules may do anything; a factor for a channel comes from the whole map.
        Extent::Normalised | Extent::Product | Extent::Unknown => true,
        Extent::Pixel | Extent::Windows { .. } | Extent::Transposed { .. } => false,
        Extent::Resampled(_) | Extent::Squares(_) => false,
    }
}
