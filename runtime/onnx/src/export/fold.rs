//! Which batch normalisations become part of the layer before them, and what they make of its weights.

use convnet_graph::{Graph, Op};

/// For each node, the one that it is folded into and the one that is folded into it.
#[derive(Default)]
pub struct Folded {
    into: Vec<Option<usize>>,
    after: Vec<Option<usize>>,
}

impl Folded {
    /// All that can be: what is computed by weights alone, and read by the normalisation alone.
    pub fn of(graph: &Graph) -> Self {
        let mut found = Folded { into: vec![None; graph.nodes.len()], after: vec![None; graph.nodes.len()] };
        for (id, node) in graph.nodes.iter().enumerate() {
            let (Op::BatchNorm { .. }, Some(&from)) = (&node.op, node.inputs.first()) else { continue };
            let weighs = matches!(graph.nodes[from].op, Op::Conv(_) | Op::ConvTranspose(_) | Op::Linear { .. });
            let readers = graph.nodes.iter().filter(|other| other.inputs.contains(&from)).count();
            let is_output = graph.outputs.iter().any(|output| output.node == from);
            if weighs && readers == 1 && !is_output && !node.auxiliary {
                (found.into[id], found.after[from]) = (Some(from), Some(id));
            }
        }
        found
    }

    /// The node that this one is folded into.
    pub fn host(&self, id: usize) -> Option<usize> {
        self.into.get(id).copied().flatten()
    }

    /// The node that is folded into this one.
    pub fn after(&self, id: usize) -> Option<usize> {
        self.after.get(id).copied().flatten()
    }
}

/// What a batch normalisation does to each channel in evaluation: `factor * x + offset`.
pub struct Scaled {
    pub factor: Vec<f64>,
    pub offset: Vec<f64>,
}

impl Scaled {
    /// By its parameters: weight, bias, mean and variance.
    pub fn of([weight, bias, mean, variance]: [&[f32]; 4], eps: f64) -> Self {
        let factor: Vec<f64> =
            weight.iter().zip(variance).map(|(w, v)| f64::from(*w) / (f64::from(*v) + eps).sqrt()).collect();
        let offset = bias.iter().zip(mean).zip(&factor).map(|((b, m), f)| f64::from(*b) - f64::from(*m) * f);
        Scaled { offset: offset.collect(), factor }
    }
}
