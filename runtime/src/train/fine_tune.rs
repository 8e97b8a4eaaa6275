//! Fine-tuning: the head of a trained network learns alone at first, so that what is behind it does not change for a head that knows
//! nothing yet; then everything learns, more slowly the nearer it is to the input, since the first layers of all networks see much the
//! same (Yosinski et al., 2014; Howard and Ruder, 2018, section 3.2: discriminative fine-tuning).

use super::config::Config;
use crate::graph::{Graph, Op};

/// What learns in an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The head alone.
    Head,
    /// Everything that is not frozen.
    All,
}

impl Phase {
    /// The phase that an epoch belongs to, counted from 1.
    pub fn of(config: &Config, epoch: usize) -> Self {
        if epoch <= config.fine_tune.unwrap_or(0) { Phase::Head } else { Phase::All }
    }
}

/// The learning rate of the first layer as a share of the head's, in the epochs in which everything learns.
const FRONT: f64 = 0.01;

/// For each of [`Graph::params`], whether it belongs to a head: to the last convolution or linear layer before an output or before an
/// auxiliary head, or to what stands between that and the output.
pub(super) fn head(graph: &Graph) -> Vec<bool> {
    let mut behind = vec![false; graph.nodes.len()];
    graph.outputs.iter().chain(&*graph.heads).for_each(|end| behind[end.node] = true);
    let mut is_head = vec![false; graph.params.len()];
    for (id, node) in graph.nodes.iter().enumerate().rev().filter(|(id, _)| *id > 0) {
        if !behind[id] {
            continue;
        }
        node.param_ids().for_each(|param| is_head[param] = true);
        if !matches!(node.op, Op::Conv(_) | Op::ConvTranspose(_) | Op::Linear { .. }) {
            node.inputs.iter().for_each(|input| behind[*input] = true);
        }
    }
    is_head
}

/// For each of [`Graph::params`], its learning rate as a share of the head's: even steps of a geometric series from the first layer with
/// parameters to the last one.
pub(super) fn rates(graph: &Graph) -> Vec<f64> {
    let (head, mut rates) = (head(graph), vec![1.0; graph.params.len()]);
    let layers: Vec<usize> = (0..graph.nodes.len()).filter(|id| graph.nodes[*id].params > 0).collect();
    let last = layers.len().saturating_sub(1).max(1) as f64;
    for (place, id) in layers.into_iter().enumerate() {
        for param in graph.nodes[id].param_ids().filter(|param| !head[*param]) {
            rates[param] = FRONT.powf(1.0 - place as f64 / last);
        }
    }
    rates
}
