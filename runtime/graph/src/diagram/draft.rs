//! Boxes and modules before they are collapsed.
//!
//! *Fuse*: a normalisation, activation or dropout that is the only reader of a layer becomes a chip in the layer's box.
//! *Grow*: the dotted names give a tree of modules; a module is a run of neighbours in topological order, so that frames
//! can never form a cycle (a name that comes back later starts a frame of its own).
//!
//! Grouping by a dominator tree instead of names was rejected: authors name the parts of their network, and readers look
//! for these names.

use super::label;
use crate::{Graph, Node, Op, Shape};
use std::collections::BTreeSet;

/// Deeper modules are drawn in the frame at this depth; real networks have five levels or so.
const DEPTH: usize = 16;

/// A box before collapsing.
pub(super) struct Draft {
    /// Dotted path.
    pub name: String,
    /// Nodes of the graph, first to last.
    pub nodes: Vec<usize>,
    /// Drafts that it reads, without repetition.
    pub inputs: Vec<usize>,
    /// All that two boxes must share to be shown as one, but for the shapes.
    pub text: String,
    /// Shape of the last node.
    pub shape: Shape,
}

/// A module before it is numbered: drafts `range.0 .. range.1`.
pub(super) enum Module {
    /// One draft.
    Card(usize),
    /// A module with several.
    Frame { name: String, last: Option<String>, times: usize, range: (usize, usize), inside: Vec<Module> },
}

impl Module {
    /// The drafts that it covers.
    pub(super) fn range(&self) -> (usize, usize) {
        match self {
            Module::Card(card) => (*card, card + 1),
            Module::Frame { range, .. } => *range,
        }
    }
}

/// The module that a node is in.
fn module(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(module, _)| module)
}

/// The node whose value this is: an identity has that of its input, so it is not drawn.
pub(super) fn resolve(graph: &Graph, mut id: usize) -> usize {
    while let Some(Node { op: Op::Identity, inputs, .. }) = graph.nodes.get(id) {
        let [input] = &**inputs else { break };
        if *input >= id {
            break;
        }
        id = *input;
    }
    id
}

/// Joins layers and what follows them as their only reader.
pub(super) fn fuse(graph: &Graph) -> Vec<Draft> {
    let mut readers = vec![0; graph.nodes.len()];
    let inputs_of = |id: usize| {
        let before = graph.nodes[id].inputs.iter().filter(move |input| **input < id);
        before.map(|input| resolve(graph, *input)).collect::<BTreeSet<_>>()
    };
    let is_drawn = |id: &usize| resolve(graph, *id) == *id;
    let ends = graph.heads.iter().chain(graph.outputs.iter()).map(|end| resolve(graph, end.node));
    let ends: BTreeSet<usize> = ends.collect();
    for id in (0..graph.nodes.len()).filter(is_drawn) {
        inputs_of(id).iter().for_each(|input| readers[*input] += 1);
    }
    let mut drafts: Vec<Draft> = Vec::new();
    let mut draft_of = vec![0; graph.nodes.len()];
    for id in (0..graph.nodes.len()).filter(is_drawn) {
        let node = &graph.nodes[id];
        let inputs = inputs_of(id);
        let host = inputs.first().copied().filter(|input| {
            let before = &graph.nodes[*input];
            let alone = inputs.len() == 1 && readers[*input] == 1 && !ends.contains(input);
            let together = module(&before.name) == module(&node.name) && before.auxiliary == node.auxiliary;
            label::is_chip(&node.op) && alone && together && !matches!(before.op, Op::Input)
        });
        match host {
            Some(input) => {
                draft_of[id] = draft_of[input];
                let draft = &mut drafts[draft_of[input]];
                draft.nodes.push(id);
                draft.text += &format!(" · {}", label::chip(node));
                draft.shape = node.shape;
            }
            None => {
                draft_of[id] = drafts.len();
                let inputs: BTreeSet<usize> = inputs.iter().map(|input| draft_of[*input]).collect();
                drafts.push(Draft {
                    name: node.name.to_string(),
                    nodes: vec![id],
                    inputs: inputs.into_iter().collect(),
                    text: label::label(node),
                    shape: node.shape,
                });
            }
        }
    }
    drafts
}

/// The modules of drafts `from .. to`, whose names agree in their first `depth` parts.
pub(super) fn grow(drafts: &mut [Draft], (from, to): (usize, usize), depth: usize) -> Vec<Module> {
    // A part of the name that stands for a module: not the last one.
    let part = |name: &str| {
        let (part, rest) = (name.split('.').nth(depth), name.split('.').nth(depth + 1));
        part.filter(|_| rest.is_some() && depth < DEPTH).map(str::to_string)
    };
    let mut modules = Vec::new();
    let mut start = from;
    while start < to {
        let Some(here) = part(&drafts[start].name) else {
            modules.push(Module::Card(start));
            start += 1;
            continue;
        };
        let mut end = start + 1;
        while end < to && part(&drafts[end].name).as_ref() == Some(&here) {
            end += 1;
        }
        let name = drafts[start].name.split('.').take(depth + 1).collect::<Vec<_>>().join(".");
        if end == start + 1 {
            // A module with one box needs no frame: the box takes its name.
            drafts[start].name = name;
            modules.push(Module::Card(start));
        } else {
            let mut inside = grow(drafts, (start, end), depth + 1);
            // Nor does a module whose only content is a module.
            match inside.pop() {
                Some(only @ Module::Frame { .. }) if inside.is_empty() => modules.push(only),
                last => {
                    inside.extend(last);
                    modules.push(Module::Frame { name, last: None, times: 1, range: (start, end), inside });
                }
            }
        }
        start = end;
    }
    modules
}
