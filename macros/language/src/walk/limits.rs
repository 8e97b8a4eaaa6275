//! What a network may be at most: layers, steps of the walk, sizes and counts.

use super::Checker;
use crate::cost::{Count, Dim, product};
use crate::graph::{Node, Shape};
use crate::values::{BUDGET, SIZE};
use convnet_graph::wording::grouped;
use proc_macro2::Ident;
use syn::Expr;

/// More nodes than this are a mistake in a count.
pub(super) const NODES: usize = 20_000;

/// So are more statements than this, those that make no node included, once blocks and repeats are unrolled.
const STEPS: usize = 100_000;

/// Entries of all connection tables together.
const CONNECTIONS: usize = 1 << 20;

/// What has been built so far.
#[derive(Default)]
pub(super) struct Limits<'a> {
    steps: usize,
    connections: usize,
    /// Nothing is walked any more; the reason has been told.
    pub(super) stopped: bool,
    /// The counts of the repeats that are being unrolled, the outermost first.
    pub(super) repeats: Vec<(u64, &'a Expr)>,
    /// Parameters, operations and elements of activations.
    totals: [i128; 3],
}

impl<'a> Checker<'a, '_> {
    /// Counts a step of the walk; false once there are too many of them.
    pub(super) fn step(&mut self) -> bool {
        self.limits.steps += 1;
        if self.errors.are_many() {
            self.limits.stopped = true;
        }
        let nodes = self.nodes.len() > NODES;
        if !self.limits.stopped && (nodes || self.limits.steps > STEPS) {
            self.limits.stopped = true;
            let what = match nodes {
                true => format!("this makes more than {} layers", grouped(NODES as i128)),
                false => format!("this makes more than {} steps", grouped(STEPS as i128)),
            };
            // Of equal counts the outermost.
            match (self.limits.repeats.iter().rev().max_by_key(|(count, _)| count), self.called) {
                (Some((_, count)), _) => self.errors.bare(count, format!("{what}; is this number too large?")),
                (None, Some(word)) => self.errors.bare(word, what),
                (None, None) => self.errors.bare(&self.network.name, what),
            }
        }
        !self.limits.stopped
    }

    /// Counts the entries of a connection table.
    pub(super) fn connected(&mut self, entries: usize, word: &Ident) {
        self.limits.connections = self.limits.connections.saturating_add(entries);
        if self.limits.connections > CONNECTIONS && !std::mem::replace(&mut self.limits.stopped, true) {
            let message =
                format!("the connection tables have more than {} entries in all", grouped(CONNECTIONS as i128));
            self.errors.bare(word, message);
        }
    }

    /// Whether so many repetitions can be unrolled.
    pub(super) fn repeats(&mut self, count: u64, expr: &Expr) -> bool {
        if count <= NODES as u64 {
            return true;
        }
        self.limits.stopped = true;
        let most = grouped(NODES as i128);
        let message = format!("{} repetitions are too many; a network has at most {most} layers", grouped(count));
        self.errors.on(expr, message);
        false
    }

    /// The shape, or one error and unknown dimensions where one is too large; `report` says where the error belongs.
    pub(super) fn bounded(&mut self, shape: Shape, what: &str, report: impl FnOnce(&mut Self, String)) -> Shape {
        let large = |dim: Dim| dim.known().is_some_and(|n| n > SIZE);
        let Some(worst) = shape.chw().into_iter().filter(|dim| large(*dim)).filter_map(Dim::known).max() else {
            return shape;
        };
        let worst = match worst {
            u64::MAX => "more than 64 bits".to_string(),
            n => grouped(n),
        };
        let message = format!(
            "{what} makes a size of {worst}, which is too large; the limit is {}\n  trace: {}",
            grouped(SIZE),
            self.trace()
        );
        report(self, message);
        let small = |dim: Dim| if large(dim) { Dim::Unknown } else { dim };
        match shape {
            Shape::Map(dims) => Shape::Map(dims.map(small)),
            Shape::Vector(n) => Shape::Vector(small(n)),
            Shape::Unknown => Shape::Unknown,
        }
    }

    /// Reports the node with which a count leaves 64 bits. Counts that depend on a const generic are rustc's to check.
    pub(super) fn count(&mut self, node: &Node) {
        if node.shape.is_unknown() {
            return;
        }
        let counts = [node.param_count(), node.macs.clone(), product(&node.shape.chw())];
        let limit = i128::from(BUDGET);
        let names = ["parameters", "MACs", "activations"];
        let mut over = None;
        for ((total, count), name) in self.limits.totals.iter_mut().zip(counts).zip(names) {
            let before = *total;
            *total = total.saturating_add(count.evaluate(|_| None).unwrap_or(0));
            over = over.or((before <= limit && *total > limit).then_some(name));
        }
        let far = |count: &Count| count.evaluate(|_| None).is_some_and(|n| n > limit);
        if node.receptive_field.iter().any(far) || node.jump.iter().any(|jump| i128::from(*jump) > limit) {
            over = over.or(Some("receptive field"));
        }
        if let (Some(name), false) = (over, std::mem::replace(&mut self.limits.stopped, over.is_some())) {
            let message = format!("from here on the {name} of the network no longer fit into 64 bits");
            match &node.word {
                Some(word) => self.errors.on(word, message),
                None => self.errors.on(&self.network.name, message),
            }
        }
    }
}
