//! What a frame's content looks like: a sequence, with branches between two of its steps and side branches that end.
//!
//! The children of a frame stand in topological order. A live child (one from which the frame's exit can be reached) that
//! no edge passes by is a *cut*: all values go through it, so it is a step of the sequence. Between two cuts lie the
//! connected parts of what is left, which are columns side by side, and each is decomposed in the same way. A shortcut
//! or a U-Net's skip is an edge from one cut to the next, past the columns. This finds every series-parallel structure;
//! what is not one becomes a plain stack, whose other edges the layout draws beside it.
//!
//! Layers by longest path (Sugiyama) were rejected: they need crossing minimisation, and pull shortcuts apart.

use std::collections::{BTreeMap, BTreeSet};

/// Deeper nesting is stacked, so that a hostile graph cannot exhaust the program's stack. A U-Net has a level for each
/// resolution.
const DEPTH: usize = 32;

/// Steps from top to bottom.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Flow {
    pub steps: Vec<Step>,
}

/// One step, and what hangs from the step before it and ends without a reader.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub part: Part,
    pub sides: Vec<Flow>,
}

/// What a step is. Numbers are indices of children.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Nothing: side branches of the last step.
    Nothing,
    /// A child.
    Child(usize),
    /// Columns side by side, a shortcut past them, and the child where they meet.
    Fork { columns: Vec<Flow>, bypass: bool, join: Option<usize> },
}

/// Edges of one frame, between its children.
#[derive(Debug, Default)]
pub(super) struct Edges {
    /// From, to: `from < to`.
    pub inner: BTreeSet<(usize, usize)>,
    /// Children that read what comes into the frame.
    pub entry: BTreeSet<usize>,
    /// Children whose values leave the frame.
    pub exit: BTreeSet<usize>,
}

impl Flow {
    /// The flow of the `n` children of a frame in `frames` others. Deep in frames less nesting is left.
    pub(super) fn new(n: usize, edges: &Edges, frames: usize) -> Self {
        let items: Vec<usize> = (0..n).collect();
        Part::decompose(&items, edges, &edges.entry, &edges.exit, DEPTH / (1 + frames))
    }

    fn stack(items: &[usize]) -> Self {
        Flow { steps: items.iter().map(|item| Step { part: Part::Child(*item), sides: Vec::new() }).collect() }
    }
}

/// Live children, cuts and side branches of some children.
struct Anatomy {
    cuts: Vec<usize>,
    /// Side branches, by the cut that they hang from; `None` is the entry.
    sides: BTreeMap<Option<usize>, Vec<Vec<usize>>>,
    /// Neither cuts nor side branches.
    rest: Vec<usize>,
}

impl Part {
    fn decompose(
        items: &[usize],
        edges: &Edges,
        entry: &BTreeSet<usize>,
        exit: &BTreeSet<usize>,
        depth: usize,
    ) -> Flow {
        if items.len() < 2 || depth == 0 {
            return Flow::stack(items);
        }
        let mut anatomy = Anatomy::new(items, edges, entry, exit);
        if anatomy.cuts.is_empty() && components(&anatomy.rest, edges).len() < 2 && anatomy.rest.len() == items.len() {
            return Flow::stack(items);
        }
        let none = BTreeSet::new();
        let mut flow = Flow::default();
        let mut before = None;
        let ends = anatomy.cuts.iter().copied().map(Some).chain([None]).collect::<Vec<_>>();
        let mut rest = anatomy.rest.as_slice();
        for next in ends {
            // All that comes before a cut in topological order and is no cut lies between the last one and it.
            let (between, later) = rest.split_at(next.map_or(rest.len(), |next| rest.partition_point(|i| *i < next)));
            rest = later;
            let starts = |item: &usize| match before {
                Some(cut) => edges.inner.contains(&(cut, *item)),
                None => entry.contains(item),
            };
            let stops = |item: &usize| match next {
                Some(cut) => edges.inner.contains(&(*item, cut)),
                None => exit.contains(item),
            };
            let column = |items: Vec<usize>| {
                let entry = items.iter().copied().filter(starts).collect();
                let exit = items.iter().copied().filter(stops).collect();
                Part::decompose(&items, edges, &entry, &exit, depth - 1)
            };
            let columns: Vec<Flow> = components(between, edges).into_iter().map(column).collect();
            let part = match (columns.is_empty(), next) {
                (true, Some(next)) => Part::Child(next),
                (true, None) => Part::Nothing,
                (false, join) => Part::Fork { columns, bypass: join.is_some_and(|join| starts(&join)), join },
            };
            let sides = anatomy.sides.remove(&before).unwrap_or_default().into_iter();
            let sides: Vec<Flow> = sides
                .map(|items| {
                    let entry = items.iter().copied().filter(starts).collect();
                    Part::decompose(&items, edges, &entry, &none, depth - 1)
                })
                .collect();
            if part != Part::Nothing || !sides.is_empty() {
                flow.steps.push(Step { part, sides });
            }
            before = next;
        }
        flow
    }
}

impl Anatomy {
    fn new(items: &[usize], edges: &Edges, entry: &BTreeSet<usize>, exit: &BTreeSet<usize>) -> Self {
        let inside = |item: &usize| items.binary_search(item).is_ok();
        let after = |item: usize| edges.inner.range((item, 0)..=(item, usize::MAX)).map(|edge| edge.1).filter(inside);
        // Side branches have no exit; their last child is as good as one.
        let last = items.last().copied();
        let fallback: BTreeSet<usize> = last.into_iter().collect();
        let exit = if items.iter().any(|item| exit.contains(item)) { exit } else { &fallback };
        let mut live = BTreeSet::new();
        for item in items.iter().rev() {
            if exit.contains(item) || after(*item).any(|next| live.contains(&next)) {
                live.insert(*item);
            }
        }
        let mut cuts = Vec::new();
        // How far the edges reach that start before the present child.
        let reach_of = |item: usize| {
            let far = after(item).filter(|next| live.contains(next)).max();
            if exit.contains(&item) { usize::MAX } else { far.unwrap_or(0) }
        };
        let mut reach = entry.iter().copied().filter(|item| inside(item) && live.contains(item)).max().unwrap_or(0);
        for item in &live {
            if reach <= *item {
                cuts.push(*item);
            }
            reach = reach.max(reach_of(*item));
        }
        let mut anatomy = Anatomy { cuts, sides: BTreeMap::new(), rest: Vec::new() };
        let dead: Vec<usize> = items.iter().copied().filter(|item| !live.contains(item)).collect();
        anatomy.rest.extend(live.iter().filter(|item| !anatomy.cuts.contains(item)));
        for part in components(&dead, edges) {
            let sources = live.iter().filter(|from| part.iter().any(|to| edges.inner.contains(&(**from, *to))));
            match sources.max() {
                // It hangs from a column, and is laid out with it.
                Some(source) if !anatomy.cuts.contains(source) => {
                    // A branch that ends beyond the next cut would be torn off its column.
                    let next = anatomy.cuts.iter().find(|cut| *cut > source);
                    if next.is_none_or(|next| part.iter().all(|item| item < next)) {
                        anatomy.rest.extend(part);
                    } else {
                        anatomy.sides.entry(next.copied()).or_default().push(part);
                    }
                }
                source => anatomy.sides.entry(source.copied()).or_default().push(part),
            }
        }
        anatomy.rest.sort_unstable();
        anatomy
    }
}

/// The connected parts of some children, in the order of their first one.
fn components(items: &[usize], edges: &Edges) -> Vec<Vec<usize>> {
    let mut part: BTreeMap<usize, usize> = items.iter().map(|item| (*item, *item)).collect();
    for item in items {
        for (_, next) in edges.inner.range((*item, 0)..=(*item, usize::MAX)) {
            if let (Some(a), Some(b)) = (part.get(item).copied(), part.get(next).copied()) {
                let (least, other) = (a.min(b), a.max(b));
                part.values_mut().filter(|part| **part == other).for_each(|part| *part = least);
            }
        }
    }
    let mut parts: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (item, part) in part {
        parts.entry(part).or_default().push(item);
    }
    parts.into_values().collect()
}
