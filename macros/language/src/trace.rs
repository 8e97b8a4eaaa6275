//! The last shapes with the layers that made them, as errors show them.

use crate::ast::Network;
use crate::graph::{Node, show};
use convnet_graph::Extent;

/// So many steps are shown; what was before them is not.
const STEPS: usize = 4;

/// The way to the node `end`: `... -> conv1 [6, 28, 28] -> max_pool [6, 14, 14]`.
pub fn trace(nodes: &[Node], end: usize, network: &Network) -> String {
    steps(nodes, None, end, network)
}

/// The same for a branch that begins at the node `start`: its own layers are shown, even where they keep the shape.
pub fn branch(nodes: &[Node], start: usize, end: usize, network: &Network) -> String {
    steps(nodes, Some(start), end, network)
}

fn steps(nodes: &[Node], start: Option<usize>, end: usize, network: &Network) -> String {
    let mut steps: Vec<&Node> = Vec::new();
    let (mut next, mut was_inside) = (Some(end), false);
    let mut is_inside = start.is_some();
    while let Some((at, node)) = next.and_then(|at| Some((at, nodes.get(at)?))).filter(|_| steps.len() <= STEPS) {
        next = node.inputs.first().copied();
        is_inside &= Some(at) != start;
        // Of nodes that keep a shape, the one that made it; of a branch's own, those that have a window, too.
        let is_shown = |later: &Node| was_inside && !(is_inside && is_by_pixel(later));
        match steps.last_mut() {
            Some(later) if later.shape == node.shape && !is_shown(later) => *later = node,
            _ => steps.push(node),
        }
        was_inside = is_inside;
    }
    let dots = if steps.len() > STEPS { "... -> " } else { "" };
    let shown = steps.iter().take(STEPS).rev().map(|node| format!("{} {}", called(node), show(node.shape, network)));
    format!("{dots}{}", shown.collect::<Vec<_>>().join(" -> "))
}

fn is_by_pixel(node: &Node) -> bool {
    matches!(node.op.extent(), Extent::Pixel | Extent::Normalised)
}

/// A node's name; its word where it has only an index, which says nothing to someone who looks for the line.
pub fn called(node: &Node) -> String {
    match is_numbered(node) {
        true => node.word.as_ref().map_or_else(|| node.label.clone(), ToString::to_string),
        false => node.name.clone(),
    }
}

/// The same where several of one word are to be told apart: "`linear` (layer 9)".
pub fn numbered(node: &Node) -> String {
    match is_numbered(node) {
        true => format!("`{}` (layer {})", called(node), node.name),
        false => node.name.clone(),
    }
}

fn is_numbered(node: &Node) -> bool {
    node.name.rsplit('.').next().is_some_and(|key| key.starts_with(|c: char| c.is_ascii_digit()))
}
