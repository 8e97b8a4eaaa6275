//! Backward passes that treat rectifiers in another way: the deconvnet and guided backpropagation.
//!
//! The signal goes back one layer at a time. Every layer sends it on by its own derivative (a max-pool to where its maximum
//! was: the "switches"; a convolution through its transposed filters), rectifiers by a rule of the method. So both work on
//! every network, with branches, normalisation and custom modules, without a backward pass of their own for any layer.

use super::unit::ancestors;
use super::{ExplainError, Inspectable, Unit, Volume};
use crate::graph::{Activation, Graph, Op, Pool, PoolKind};
use std::collections::BTreeMap;

/// What a rectifier does with the signal that comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Rectifies it, whatever the rectifier's input was (Zeiler and Fergus, 2013, section 2.1).
    Deconvnet,
    /// Rectifies it, and lets it pass only where the input was positive (Springenberg et al., 2014, section 3.4).
    Guided,
}

/// What made the unit respond, `[C, H, W]`: its signal, 1, sent back to the pixels.
///
/// # Errors
/// [`ExplainError::Method`] for a deconvnet on a network without max-pools, whose switches it needs, and for either on a network
/// without rectifiers; when the image is not the network's, or the device fails.
pub fn reconstruct(network: &dyn Inspectable, unit: Unit, image: &Volume, rule: Rule) -> Result<Volume, ExplainError> {
    let graph = network.graph();
    let shape = graph.input().chw();
    let image = image.of_network(graph)?;
    fits(graph, unit.node, rule)?;
    let nodes = ancestors(graph, unit.node);
    let mut known: BTreeMap<usize, Vec<f32>> =
        nodes.iter().copied().zip(network.values(&[(0, &image.values)], &nodes)?).collect();
    known.insert(0, image.values.clone());
    let mut signals = BTreeMap::from([(unit.node, unit.weights(graph, &known[&unit.node]))]);
    for id in nodes.into_iter().rev() {
        let Some(mut signal) = signals.remove(&id) else { continue };
        let node = &graph.nodes[id];
        let mut inputs = node.inputs.to_vec();
        inputs.dedup();
        if is_rectifier(&node.op) {
            signal.iter_mut().for_each(|x| *x = x.max(0.0));
            if rule == Rule::Deconvnet {
                add(&mut signals, inputs[0], &signal);
                continue;
            }
        }
        let given: Vec<(usize, &[f32])> = inputs.iter().map(|input| (*input, &known[input][..])).collect();
        let vjp = network.vjp(&given, id, &mut |_| signal.clone())?;
        inputs.iter().zip(&vjp.gradients).for_each(|(input, gradient)| add(&mut signals, *input, gradient));
    }
    Ok(signals.remove(&0).map_or_else(|| Volume::filled(shape, 0.0), |values| Volume { shape, values }))
}

fn add(signals: &mut BTreeMap<usize, Vec<f32>>, node: usize, signal: &[f32]) {
    match signals.get_mut(&node) {
        Some(sum) => sum.iter_mut().zip(signal).for_each(|(sum, x)| *sum += x),
        None => {
            signals.insert(node, signal.to_vec());
        }
    }
}

fn is_rectifier(op: &Op) -> bool {
    matches!(op, Op::Activation(Activation::Relu | Activation::Relu6))
}

/// Whether a method has a meaning for a network.
fn fits(graph: &Graph, node: usize, rule: Rule) -> Result<(), ExplainError> {
    let is_max_pool =
        |op: &Op| matches!(op, Op::Pool(Pool { kind: PoolKind::Max, .. }) | Op::GlobalPool(PoolKind::Max));
    let any = |is: &dyn Fn(&Op) -> bool| graph.nodes.iter().any(|node| !node.auxiliary && is(&node.op));
    let method = if rule == Rule::Deconvnet { "a deconvnet" } else { "guided backpropagation" };
    let error = |needs, missing: &str, fits: &[&str]| {
        let fits = fits.iter().map(ToString::to_string).collect();
        Err(ExplainError::Method { method, needs, found: format!("{} has none{missing}", graph.name), fits })
    };
    let guided = if any(&is_rectifier) { vec!["guided"] } else { Vec::new() };
    if rule == Rule::Deconvnet && !any(&is_max_pool) {
        return error(
            "needs max-pools, which remember where their maximum was",
            "",
            &[guided, vec!["gradient"]].concat(),
        );
    }
    let before = ancestors(graph, node);
    if !any(&is_rectifier) {
        return error("changes the backward pass at rectifiers (relu, relu6)", "", &["gradient"]);
    }
    if !before.iter().any(|id| is_rectifier(&graph.nodes[*id].op)) && rule == Rule::Guided {
        let layer = format!(" up to `{}`", graph.nodes[node].name);
        return error("changes the backward pass at rectifiers (relu, relu6)", &layer, &["gradient"]);
    }
    Ok(())
}
