//! From the tree to coordinates.
//!
//! A [`Sketch`] is a laid out part around a vertical *spine*, the line on which values come in at the top and leave at the
//! bottom. Sketches are put under each other (a sequence), side by side (columns) or into a frame; with each operation the
//! paths from the entry to the boxes that read it, and from boxes to the exit, grow by a piece. Where two sketches meet,
//! the pieces of an edge are joined to its route. So routes need no search, run through frames in one piece and cannot
//! cross a box. Edges that are left over (see `super::ports`) get lanes at the right of the smallest frame around both.

use super::flow::{Flow, Part};
use super::paint;
use super::ports::levels;
use super::sketch::{Ends, Path, Route, Sketch, Spot, then};
use super::tree::{Child, Role, Tree};
use std::collections::{BTreeMap, BTreeSet};

/// Between boxes of a sequence.
const GAP: i32 = 22;
/// From a box to the line where branches part, and from there to the branches.
const FORK: i32 = 12;
const DROP: i32 = 20;
/// Between columns, and from a column to a lane beside it.
const COLUMN: i32 = 22;
const LANE: i32 = 20;
const PAD: i32 = 14;

/// The whole network, without its heading.
pub(super) fn lay_out(tree: &Tree) -> Sketch {
    let mut inputs = vec![Vec::new(); tree.cards.len()];
    for (from, to) in &tree.edges {
        inputs[*to].push(*from);
    }
    let levels = levels(tree);
    // A frame's index is above that of the frame around it.
    let mut depth = vec![0; tree.groups.len()];
    let mut flows: Vec<Flow> = Vec::new();
    for (id, (edges, group)) in levels.iter().zip(&tree.groups).enumerate() {
        for child in &group.children {
            if let Child::Group(inner) = child {
                depth[*inner] = depth[id] + 1;
            }
        }
        flows.push(Flow::new(group.children.len(), edges, depth[id]));
    }
    Layout { tree, flows: &flows, inputs, drawn: BTreeSet::new() }.content(0, 0)
}

/// A side branch that has no place yet.
struct Hanging<'a> {
    flow: &'a Flow,
    /// Where it leaves the spine.
    y: i32,
    /// What it may read; without, it reads what comes in at the entry.
    sources: Option<Ends>,
}

struct Layout<'a> {
    tree: &'a Tree,
    flows: &'a [Flow],
    inputs: Vec<Vec<usize>>,
    drawn: BTreeSet<(usize, usize)>,
}

impl<'a> Layout<'a> {
    /// What is in a frame.
    fn content(&mut self, group: usize, depth: usize) -> Sketch {
        let flows: &'a [Flow] = self.flows;
        let mut sketch = self.sequence(&flows[group], group, depth);
        self.lanes(&mut sketch);
        sketch
    }

    /// Routes for edges between boxes of the sketch that do not follow its flow.
    fn lanes(&mut self, sketch: &mut Sketch) {
        let spots: BTreeMap<usize, Spot> = sketch.cards.iter().map(|spot| (spot.id, *spot)).collect();
        let mut left: Vec<(Spot, Spot)> = Vec::new();
        for (from, to) in self.tree.edges.difference(&self.drawn) {
            if let (Some(from), Some(to)) = (spots.get(from), spots.get(to)) {
                left.push((*from, *to));
            }
        }
        // Short ones inside, long ones outside; two share a lane if one ends before the other begins.
        left.sort_by_key(|(from, to)| (to.y - from.y, from.id, to.id));
        let mut lanes: Vec<Vec<(i32, i32)>> = Vec::new();
        let edge = sketch.right;
        for (from, to) in left {
            let (start, end) = (from.y + from.h * 2 / 3, to.y + to.h / 3);
            let (low, high) = (start.min(end), start.max(end));
            let free = |lane: &Vec<(i32, i32)>| lane.iter().all(|(a, b)| high + 4 < *a || *b + 4 < low);
            let lane = lanes.iter().position(free).unwrap_or_else(|| {
                lanes.push(Vec::new());
                lanes.len() - 1
            });
            lanes[lane].push((low, high));
            let x = edge + LANE + 10 * i32::try_from(lane).unwrap_or(0);
            let path = vec![(from.x + from.w, start), (x, start), (x, end), (to.x + to.w, end)];
            sketch.right = sketch.right.max(x + 4);
            sketch.routes.push(Route { from: from.id, to: to.id, path });
            self.drawn.insert((from.id, to.id));
        }
    }

    /// Joins the paths to one exit and those from one entry, for each edge that there is.
    fn join(&mut self, outs: &Ends, ins: &Ends, routes: &mut Vec<Route>) {
        for (to, tail) in ins {
            for from in &self.inputs[*to] {
                if let Some(head) = outs.get(from).filter(|_| self.drawn.insert((*from, *to))) {
                    routes.push(Route { from: *from, to: *to, path: then(head, tail) });
                }
            }
        }
    }

    fn child(&mut self, group: usize, index: usize, depth: usize) -> Sketch {
        match self.tree.groups[group].children[index] {
            Child::Card(card) => self.card(card, 0),
            Child::Group(inner) => self.frame(inner, depth + 1),
        }
    }

    /// A box, at least `least` wide.
    fn card(&self, id: usize, least: i32) -> Sketch {
        let (w, h) = paint::size(&self.tree.cards[id]);
        let half = (w.max(least) + 1) / 2;
        Sketch {
            left: half,
            right: half,
            height: h,
            cards: vec![Spot { id, x: -half, y: 0, w: 2 * half, h }],
            ins: BTreeMap::from([(id, vec![(0, 0)])]),
            outs: BTreeMap::from([(id, vec![(0, h)])]),
            ..Sketch::default()
        }
    }

    fn frame(&mut self, id: usize, depth: usize) -> Sketch {
        let group = &self.tree.groups[id];
        let (left, right, top) = paint::head(group);
        let under = paint::stacked(group);
        let inner = self.content(id, depth).moved(0, top);
        let (left, right) = (left.max(inner.left + PAD), right.max(inner.right + PAD));
        let (height, full) = (inner.height + PAD, inner.height + PAD + under);
        let mut sketch = Sketch { left, right: right + under, height: full, ..Sketch::default() };
        sketch.frames.push((Spot { id, x: -left, y: 0, w: left + right, h: height }, depth));
        sketch.ins = inner.ins.iter().map(|(card, path)| (*card, then(&[(0, 0)], path))).collect();
        sketch.outs = inner.outs.iter().map(|(card, path)| (*card, then(path, &[(0, full)]))).collect();
        sketch.absorb(inner);
        sketch
    }

    fn sequence(&mut self, flow: &Flow, group: usize, depth: usize) -> Sketch {
        let mut out = Sketch::default();
        let mut hanging: Vec<Hanging<'_>> = Vec::new();
        let mut frames: Vec<usize> = Vec::new();
        for (i, step) in flow.steps.iter().enumerate() {
            let fork = matches!(step.part, Part::Fork { .. });
            let parts = fork || !step.sides.is_empty();
            let start = out.height + if i == 0 { 0 } else { [GAP, FORK][usize::from(parts)] };
            // Side branches leave the spine where columns do.
            let sources = (i > 0).then(|| out.outs.clone());
            hanging.extend(step.sides.iter().map(|flow| Hanging { flow, y: start, sources: sources.clone() }));
            let main = match &step.part {
                Part::Nothing => continue,
                Part::Child(child) => self.child(group, *child, depth),
                Part::Fork { columns, bypass, join } => self.fork(columns, *bypass, *join, group, depth),
            };
            if matches!(step.part, Part::Child(_)) && !main.frames.is_empty() {
                frames.push(out.frames.len());
            }
            let mut main = main.moved(0, start + if parts && !fork { DROP } else { 0 });
            let mut ins = std::mem::take(&mut main.ins);
            if i == 0 {
                ins.values_mut().for_each(|path| path.insert(0, (0, 0)));
                out.ins = ins;
            } else {
                self.join(&out.outs, &ins, &mut out.routes);
            }
            out.outs = std::mem::take(&mut main.outs);
            out.absorb(main);
        }
        self.align(&mut out, &frames);
        self.hang(&mut out, hanging, group, depth);
        out
    }

    /// Gives the frames of a sequence one width. They are given by their indices in the sketch.
    fn align(&self, sketch: &mut Sketch, frames: &[usize]) {
        let spots = || frames.iter().filter_map(|frame| sketch.frames.get(*frame)).map(|(spot, _)| *spot);
        let left = spots().map(|spot| spot.x).min().unwrap_or(0);
        let right = spots().map(|spot| spot.x + spot.w).max().unwrap_or(0);
        let under = spots().map(|spot| paint::stacked(&self.tree.groups[spot.id])).max().unwrap_or(0);
        for frame in frames {
            if let Some((spot, _)) = sketch.frames.get_mut(*frame) {
                (spot.x, spot.w) = (left, right - left);
            }
        }
        sketch.right = sketch.right.max(right + under);
    }

    /// Puts side branches into a column on the right, each as high as it can be.
    fn hang(&mut self, out: &mut Sketch, hanging: Vec<Hanging<'_>>, group: usize, depth: usize) {
        let (edge, mut floor) = (out.right + COLUMN, 0);
        for Hanging { flow, y, sources } in hanging {
            let side = self.sequence(flow, group, depth);
            let x = edge + side.left;
            let mut side = side.moved(x, floor.max(y + DROP));
            floor = side.height + GAP;
            let ins = std::mem::take(&mut side.ins).into_iter();
            let ins = ins.map(|(card, path)| (card, then(&[(0, y), (x, y)], &path))).collect();
            match sources {
                Some(sources) => self.join(&sources, &ins, &mut out.routes),
                None => out.ins.extend(ins),
            }
            out.absorb(side);
        }
        // The exit is below all of it.
        let end = [(0, out.height)];
        out.outs.values_mut().for_each(|path| path.extend(end));
    }

    /// Columns side by side, and the child where they meet.
    fn fork(&mut self, columns: &[Flow], bypass: bool, join: Option<usize>, group: usize, depth: usize) -> Sketch {
        let meeting = join.map(|join| self.tree.groups[group].children[join]);
        let card = match meeting {
            Some(Child::Card(card)) => Some((card, self.tree.cards[card].role)),
            _ => None,
        };
        let columns: Vec<Sketch> = columns.iter().map(|column| self.sequence(column, group, depth)).collect();
        let floor = DROP + columns.iter().map(|column| column.height).max().unwrap_or(0);
        // A residual's body stays on the spine and its shortcut is beside it; other branches are equals.
        let equals = !matches!(card, Some((_, Role::Knot)));
        let (mut out, ends) = side_by_side(columns, equals, floor);
        let Some(join) = join else {
            for (x, outs) in ends {
                let tail = [(x, floor + FORK), (0, floor + FORK)];
                out.outs.extend(outs.into_iter().map(|(card, path)| (card, then(&path, &tail))));
            }
            out.height = out.height.max(floor + FORK);
            return out;
        };
        // Where a line from a column at `x`, and one from the lane, come to the child.
        let widest = ends.iter().map(|(x, _)| x.abs()).max().unwrap_or(0);
        let (mut child, top) = match card {
            Some((card, Role::Bar)) => (self.card(card, 2 * (widest + 24)), floor + GAP),
            Some((_, Role::Knot)) => (self.child(group, join, depth), floor + GAP),
            _ => (self.child(group, join, depth), floor + FORK + DROP),
        };
        let (side, middle) = match card {
            Some((_, Role::Bar)) => (child.right, top + child.height / 2),
            _ => (paint::KNOT / 2, top + paint::KNOT / 2),
        };
        let lane = out.right.max(child.right) + LANE;
        let arrival = |x: i32, beside: bool| match card {
            Some((_, Role::Bar)) if !beside => vec![(x, top)],
            Some((_, Role::Knot)) if x == 0 => vec![(0, top)],
            Some((_, Role::Bar | Role::Knot)) => vec![(x, middle), (side, middle)],
            _ => vec![(x, floor + FORK), (0, floor + FORK), (0, top)],
        };
        child = child.moved(0, top);
        // The last piece of a route is drawn here, unless the child is a frame: then it goes on inside.
        let ins = std::mem::take(&mut child.ins);
        let tail = |path: &Path| if card.is_some() { Vec::new() } else { path.clone() };
        for (x, outs) in ends {
            let arrive = arrival(x, false);
            let ins = ins.iter().map(|(card, path)| (*card, then(&arrive, &tail(path)))).collect();
            self.join(&outs, &ins, &mut out.routes);
        }
        if bypass {
            let arrive = then(&[(0, 0), (lane, 0)], &arrival(lane, true));
            out.ins.extend(ins.iter().map(|(card, path)| (*card, then(&arrive, &tail(path)))));
            out.right = out.right.max(lane + 6);
        }
        out.outs = std::mem::take(&mut child.outs);
        out.absorb(child);
        out
    }
}

/// Columns beside each other that end above `floor`, in the middle of which the spine is if they are `equals`, or else on the first;
/// and for each column its place and its exits.
fn side_by_side(columns: Vec<Sketch>, equals: bool, floor: i32) -> (Sketch, Vec<(i32, Ends)>) {
    let mut spines: Vec<i32> = Vec::new();
    for (i, column) in columns.iter().enumerate() {
        let last = spines.last().zip(columns.get(i.wrapping_sub(1)));
        spines.push(last.map_or(0, |(x, before)| x + before.right + COLUMN + column.left));
    }
    if equals {
        let middle = (spines.first().unwrap_or(&0) + spines.last().unwrap_or(&0)) / 2;
        spines.iter_mut().for_each(|x| *x -= middle);
    }
    let mut out = Sketch::default();
    let mut ends: Vec<(i32, Ends)> = Vec::new();
    for (column, x) in columns.into_iter().zip(spines) {
        let y = DROP + (floor - DROP - column.height) / 2;
        let mut column = column.moved(x, y);
        let ins = std::mem::take(&mut column.ins).into_iter();
        out.ins.extend(ins.map(|(card, path)| (card, then(&[(0, 0), (x, 0)], &path))));
        ends.push((x, std::mem::take(&mut column.outs)));
        out.absorb(column);
    }
    (out, ends)
}
