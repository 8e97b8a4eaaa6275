//! From the graph to what is drawn: boxes, frames in frames, and edges between boxes. No geometry.
//!
//! `draft` makes boxes and modules, `collapse` shows repeated modules once, and here both are numbered and described, and
//! the edges of what is hidden are laid on what is shown in its place. A tree that keeps the hidden boxes with a flag was
//! rejected: everything after this step would have to skip them.

use super::collapse::collapse;
use super::draft::{Draft, Module, fuse, grow, resolve};
use super::label;
use super::text::amount;
use crate::Category;
use crate::wording::grouped;
use crate::wording::noun;
use crate::{Graph, Node, Op, Shape};
use std::collections::BTreeSet;

/// Everything that is drawn.
#[derive(Debug)]
pub(super) struct Tree {
    /// The network's name.
    pub name: String,
    /// Its size in a few words.
    pub subtitle: String,
    /// Boxes in topological order.
    pub cards: Vec<Card>,
    /// Frames; the first one is the whole network.
    pub groups: Vec<Group>,
    /// Pairs of boxes: from, to. `from < to` always.
    pub edges: BTreeSet<(usize, usize)>,
    /// The box whose value is the network's output.
    pub output: Option<usize>,
}

/// A box.
#[derive(Debug, Clone)]
pub(super) struct Card {
    /// Dotted path.
    pub name: String,
    /// The first operation, with its numbers.
    pub label: String,
    /// Its kind.
    pub kind: Category,
    /// How it is drawn.
    pub role: Role,
    /// Operations that follow in the same box.
    pub chips: Vec<(String, Category)>,
    /// Shape of the last operation's value.
    pub shape: String,
    /// Everything about it, to hover over.
    pub detail: String,
    /// Whether only auxiliary heads need it.
    pub auxiliary: bool,
}

/// How a box is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A box with two lines.
    Layer,
    /// A circle where two values become one of the same shape: a sum or a product.
    Knot,
    /// A bar where values are joined.
    Bar,
}

/// A frame around boxes and frames.
#[derive(Debug)]
pub(super) struct Group {
    /// Dotted path, or the first and the last of several.
    pub title: String,
    /// The shapes that the frame stands for, if they differ.
    pub range: Option<String>,
    /// How many equal modules it stands for.
    pub times: usize,
    /// What is inside, in topological order.
    pub children: Vec<Child>,
    /// Everything about it, to hover over.
    pub detail: String,
    /// Whether only auxiliary heads need it.
    pub auxiliary: bool,
}

/// Something in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Child {
    /// Index into [`Tree::cards`].
    Card(usize),
    /// Index into [`Tree::groups`].
    Group(usize),
}

impl Tree {
    /// The tree of a graph.
    pub(super) fn new(graph: &Graph) -> Self {
        let mut drafts = fuse(graph);
        let all = (0, drafts.len());
        let inside = grow(&mut drafts, all, 0);
        // `shown[i]` is the draft that stands for draft `i`.
        let mut shown: Vec<usize> = (0..drafts.len()).collect();
        let inside = collapse(inside, &drafts, &mut shown);
        for i in 0..shown.len() {
            // A draft is hidden behind an earlier one, which is already final.
            shown[i] = shown[shown[i]];
        }
        let mut tree = Tree {
            name: graph.name.to_string(),
            subtitle: subtitle(graph),
            cards: Vec::new(),
            groups: Vec::new(),
            edges: BTreeSet::new(),
            output: None,
        };
        let root = Module::Frame { name: String::new(), last: None, times: 1, range: all, inside };
        let mut number = vec![None; drafts.len()];
        let source = Source { graph, drafts: &drafts, shown: &shown };
        tree.add(&root, "", &source, &mut number);
        for (i, draft) in drafts.iter().enumerate().filter(|(i, _)| shown[*i] == *i) {
            let ends = draft.inputs.iter().filter_map(|input| number[shown[*input]].zip(number[i]));
            tree.edges.extend(ends.filter(|(from, to)| from < to));
        }
        let output = resolve(graph, graph.output());
        let output = drafts.iter().position(|draft| draft.nodes.contains(&output));
        tree.output = output.and_then(|output| number[shown[output]]);
        tree
    }

    /// `outer` is the name of the frame around it.
    fn add(&mut self, module: &Module, outer: &str, source: &Source<'_>, number: &mut [Option<usize>]) -> Child {
        match module {
            Module::Card(draft) => {
                self.cards.push(source.card(*draft));
                number[*draft] = Some(self.cards.len() - 1);
                Child::Card(self.cards.len() - 1)
            }
            Module::Frame { name, last, times, range, inside } => {
                let id = self.groups.len();
                self.groups.push(source.group((name, last.as_deref()), outer, *times, *range));
                let children = inside.iter().map(|inner| self.add(inner, name, source, number)).collect();
                self.groups[id].children = children;
                Child::Group(id)
            }
        }
    }
}

/// What boxes and frames are filled from.
struct Source<'a> {
    graph: &'a Graph,
    drafts: &'a [Draft],
    shown: &'a [usize],
}

impl Source<'_> {
    fn card(&self, id: usize) -> Card {
        let draft = &self.drafts[id];
        let nodes: Vec<&Node> = draft.nodes.iter().map(|node| &self.graph.nodes[*node]).collect();
        let same = (id..self.drafts.len()).filter(|other| self.shown[*other] == id);
        let shapes: Vec<Shape> = same.map(|other| self.drafts[other].shape).collect();
        // A draft has at least one node; the default keeps this free of panics.
        let op = nodes.first().map_or(Op::Identity, |node| node.op);
        Card {
            name: draft.name.clone(),
            label: nodes.first().map(|node| label::label(node)).unwrap_or_default(),
            kind: op.category(),
            role: match op.category() {
                Category::Merge if op == Op::Concat => Role::Bar,
                Category::Merge => Role::Knot,
                Category::Conv | Category::Pool | Category::Norm | Category::Activation => Role::Layer,
                Category::Linear | Category::Other => Role::Layer,
            },
            chips: nodes.iter().skip(1).map(|node| (label::chip(node), node.op.category())).collect(),
            shape: label::range(&shapes),
            detail: nodes.iter().map(|node| detail(node)).collect::<Vec<_>>().join("\n"),
            auxiliary: nodes.iter().all(|node| node.auxiliary),
        }
    }

    fn group(
        &self,
        (name, last): (&str, Option<&str>),
        outer: &str,
        times: usize,
        (from, to): (usize, usize),
    ) -> Group {
        let nodes = || self.drafts[from..to].iter().flat_map(|draft| &draft.nodes).map(|node| &self.graph.nodes[*node]);
        let params: u64 = nodes().map(|node| node.params as u64).sum();
        let macs: u64 = nodes().map(|node| node.macs).sum();
        let full = last.map_or(name.to_string(), |last| format!("{name} … {last}"));
        let title = last.map_or(short(name, outer), |last| format!("{} … {}", short(name, outer), short(last, outer)));
        // The values that leave the modules, in the first one and in those behind it.
        let shapes = (0..times).map(|i| from + (i + 1) * (to - from) / times.max(1));
        let shapes: Vec<Shape> = shapes.filter_map(|end| Some(self.drafts.get(end.checked_sub(1)?)?.shape)).collect();
        let differ = shapes.windows(2).any(|pair| pair[0] != pair[1]);
        let count = if times > 1 { format!(", {times} equal modules") } else { String::new() };
        Group {
            title,
            range: (times > 1 && differ).then(|| label::range(&shapes)),
            times,
            children: Vec::new(),
            detail: format!(
                "{full}{count}: {} {}, {} MACs",
                grouped(params),
                noun(params as usize, "parameter"),
                grouped(macs)
            ),
            auxiliary: from < to && nodes().all(|node| node.auxiliary),
        }
    }
}

fn subtitle(graph: &Graph) -> String {
    let (params, macs) = (graph.param_count() as u64, graph.mac_count());
    let mut text = format!("{} {} · {} MACs", amount(params), noun(params as usize, "parameter"), amount(macs));
    let outputs = graph.outputs.iter().filter_map(|output| graph.nodes.get(output.node));
    let outputs: Vec<String> = outputs.map(|node| node.shape.to_string()).collect();
    if let (Some(input), false) = (graph.nodes.first(), outputs.is_empty()) {
        text += &format!(" · {} → {}", input.shape, outputs.join(", "));
    }
    text
}

fn detail(node: &Node) -> String {
    let mut text = format!("{}: {} {}", node.name, label::label(node), node.shape);
    if node.params > 0 {
        text += &format!(", {} {}", grouped(node.params as u64), noun(node.params, "parameter"));
    }
    if node.macs > 0 {
        text += &format!(", {} MACs", grouped(node.macs));
    }
    text
}

/// A name without what the frame around it says already; a mere number keeps the word before it.
fn short(name: &str, outer: &str) -> String {
    let (parts, known): (Vec<&str>, Vec<&str>) = (name.split('.').collect(), outer.split('.').collect());
    let same = parts.iter().zip(&known).take_while(|(a, b)| a == b).count();
    let numeric = |i: usize| parts.get(i).is_some_and(|part| part.starts_with(|c: char| c.is_ascii_digit()));
    let start = if same > 0 && numeric(same) { same - 1 } else { same };
    match parts.get(start.min(parts.len().saturating_sub(1))..) {
        Some(rest) => rest.join("."),
        None => name.to_string(),
    }
}
