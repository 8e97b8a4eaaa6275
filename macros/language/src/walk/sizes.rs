//! Branches that are to give maps of one size: what they are called in errors, and what to change in one of them.

use super::{At, Checker};
use crate::ast::{Head, Statement};
use crate::chain::paddings;
use crate::cost::Dim;
use crate::graph::{Node, Shape, size};
use crate::shape::lacking;
use crate::trace::called;
use crate::words;
use convnet_graph::{Extent, Op};
use proc_macro2::Span;
use syn::spanned::Spanned;

/// A branch of a concatenation.
pub(super) struct Branch {
    /// "branch `b`", "the second branch".
    what: String,
    /// `b`, `second`: before its trace.
    label: String,
    place: Span,
    end: usize,
    shape: Shape,
}

impl Branch {
    pub(super) fn new(branch: &Statement, index: usize, end: usize, shape: Shape) -> Self {
        let (name, place) = match branch.bare() {
            Statement::Layer(layer) => (layer.name.as_ref(), layer.word.span()),
            Statement::Sequence(sequence) => (Some(&sequence.name), sequence.name.field.span()),
            Statement::Custom(custom) => (Some(&custom.name), custom.name.field.span()),
            Statement::Head(Head { name, .. }) => (Some(name), name.field.span()),
            Statement::Residual(residual) => (None, residual.word.span()),
            Statement::Concat(concat) => (None, concat.word.span()),
            Statement::Repeat(repeat) => (None, repeat.word.span()),
            Statement::Group(group) => (None, group.brace),
            Statement::Unknown(Some(name)) => (Some(name), name.field.span()),
            Statement::If(choice) => (None, choice.condition.span()),
            // They are no branches, or have no shape.
            Statement::Unknown(None) | Statement::Assert(_) | Statement::Allowed(_) => (None, Span::call_site()),
        };
        let place = name.map_or(place, |name| name.field.span());
        let number = ["first", "second", "third", "fourth", "fifth", "sixth"].get(index);
        let number = number.map_or_else(|| format!("{}th", index + 1), ToString::to_string);
        match name {
            Some(name) => Branch { what: format!("branch `{name}`"), label: name.to_string(), place, end, shape },
            None => Branch { what: format!("the {number} branch"), label: number, place, end, shape },
        }
    }

    pub(super) fn shape(&self) -> Shape {
        self.shape
    }

    pub(super) fn end(&self) -> usize {
        self.end
    }

    fn is_map(&self) -> bool {
        matches!(self.shape, Shape::Map(_))
    }

    /// What has to be alike in all branches.
    fn extent(&self) -> (bool, [Dim; 2]) {
        let [_, height, width] = self.shape.chw();
        (self.is_map(), [height, width])
    }
}

impl Checker<'_, '_> {
    /// Reports the first branch that is not like most of them, if there is one; all shapes are known.
    pub(super) fn unlike(&mut self, branches: &[Branch], start: At) -> bool {
        let alike = |branch: &&Branch| branches.iter().filter(|other| other.extent() == branch.extent()).count();
        // Of equal counts the first.
        let Some(most) = branches.iter().rev().max_by_key(alike) else { return false };
        let Some(other) = branches.iter().find(|branch| branch.extent() != most.extent()) else { return false };
        let change = |branch: &Branch, want: &Branch| {
            let want = want.extent().1;
            let unstrided = || self.unstrided(start, branch.end, want, &branch.what);
            self.resized(start, branch.end, want).or_else(unstrided)
        };
        // Of as many of each, what can be changed so that both are alike is at fault.
        let (most, other, fix) = match (change(other, most), change(most, other)) {
            (None, Some(fix)) if alike(&most) == alike(&other) => (other, most, Some(fix)),
            (fix, _) => (most, other, fix),
        };
        let extent = |branch: &Branch| {
            let (_, [height, width]) = branch.extent();
            format!("{}x{}", size(height, self.network), size(width, self.network))
        };
        let (what, fix) = match most.is_map() == other.is_map() {
            true => {
                let what = format!(
                    "{} gives {}, and {} {}, so their channels cannot be joined",
                    other.what,
                    extent(other),
                    most.what,
                    extent(most)
                );
                (what, self.sized_alike(fix, start, other, most))
            }
            false => {
                let rank = |branch: &Branch| if branch.is_map() { "the map" } else { "the vector" };
                let what = format!(
                    "{} gives {} {}, and {} {} {}, so they cannot be joined",
                    other.what,
                    rank(other),
                    self.show(other.shape),
                    most.what,
                    rank(most),
                    self.show(most.shape)
                );
                (what, "end all branches with `flatten`, or none".into())
            }
        };
        let mut traced = [most, other];
        traced.sort_by_key(|branch| branch.end);
        let traces =
            traced.map(|branch| format!("\n  {}: {}", branch.label, self.branch_trace(start, branch.end))).concat();
        let message = format!("{what}{traces}\n  fix: {fix}");
        self.errors.at(other.place, message);
        true
    }

    /// What to do so that one branch gives the size of another: the fix that there is, or a stride; one of two may as well have that of the other.
    fn sized_alike(&self, fix: Option<String>, start: At, other: &Branch, most: &Branch) -> String {
        let strided = |branch: &Branch, want: &Branch| self.strided(start, branch.end, want.extent().1, &branch.what);
        match fix {
            Some(fix) if fix.contains("stride") => match strided(most, other) {
                Some(also) => format!("{fix}, or {also}"),
                None => fix,
            },
            Some(fix) => fix,
            None => strided(other, most)
                .unwrap_or_else(|| "pad the convolutions and pools so that all keep the size".into()),
        }
    }

    /// How the layers from `start` to `end` come to give a map of this height and width, if they lose pixels by their windows alone.
    pub(super) fn resized(&self, start: At, end: usize, want: [Dim; 2]) -> Option<String> {
        let mut way = Vec::new();
        let mut at = end;
        while at != start.node {
            let node = self.nodes.get(at)?;
            let [input] = node.inputs[..] else { return None };
            match node.op.extent() {
                Extent::Pixel | Extent::Normalised | Extent::Windows { .. } => way.push(node),
                Extent::Transposed { .. } | Extent::Bins | Extent::Resampled(_) | Extent::Squares(_) => return None,
                Extent::Product | Extent::Whole | Extent::Unknown => return None,
            }
            at = input;
        }
        self.slow_pool(&way, want).or_else(|| self.padded(end, &way, want))
    }

    /// The only pool on the way with a stride of 1, where it has its kernel for a stride since none was written.
    fn slow_pool(&self, way: &[&Node], want: [Dim; 2]) -> Option<String> {
        let is_fast = |node: &&&Node| strides(node) != [1, 1];
        let mut fast = way.iter().filter(is_fast);
        let pool = fast.next().filter(|_| fast.next().is_none())?;
        let Extent::Windows { kernel: [kernel, other], stride, .. } = pool.op.extent() else { return None };
        let is_default = stride == [kernel, other] && kernel == other && kernel % 2 == 1;
        let is_short = pool.written.args.iter().all(|(name, _)| ["kernel", "pad"].contains(name));
        let keeps = way.iter().filter(|node| !is_fast(node)).all(|node| lacking(node.op.extent()).is_none());
        let [_, height, width] = self.nodes.get(*pool.inputs.first()?)?.shape.chw();
        let fits = matches!(pool.op, Op::Pool(_)) && is_default && is_short && keeps && [height, width] == want;
        fits.then(|| format!("write `{}({kernel}, stride = 1, pad = {})`", pool.op.word(), kernel / 2))
    }

    /// The padding that the layers on the way lack, all of them or one.
    fn padded(&self, end: usize, way: &[&Node], want: [Dim; 2]) -> Option<String> {
        let [_, height, width] = self.nodes.get(end)?.shape.chw();
        let by = |from: Dim, to: Dim| match (from, to) {
            (Dim::Known(from), Dim::Known(to)) => to.checked_sub(from).filter(|by| *by > 0 && by % 2 == 0),
            _ => None,
        };
        let by = by(height, want[0]).filter(|down| Some(*down) == by(width, want[1]))? / 2;
        if way.iter().any(|node| strides(node) != [1, 1]) {
            return None;
        }
        let takes_pad =
            |node: &Node| words::find(node.op.word()).is_some_and(|word| word.signature.arg("pad").is_some());
        let mut lacks: Vec<(&Node, (usize, usize))> = Vec::new();
        for node in way.iter().rev().copied().filter(|node| takes_pad(node)) {
            lacks.extend(lacking(node.op.extent()).map(|lack| (node, lack)));
        }
        if lacks.iter().map(|(_, (_, more))| *more as u64).sum::<u64>() == by {
            return Some(format!("write {}", paddings(&lacks)));
        }
        // What is repeated is written once.
        let (node, (pad, more)) = lacks.iter().find(|(node, (_, more))| {
            let written = |other: &&&Node| format!("{:?}", other.written.word) == format!("{:?}", node.written.word);
            *more as u64 >= by && way.iter().filter(written).count() == 1
        })?;
        let pad = (pad - more) as u64 + by;
        Some(format!("write `pad = {pad}` in `{}`", called(node)))
    }
}

/// The strides of a window; 1 where a layer has none.
fn strides(node: &Node) -> [usize; 2] {
    match node.op.extent() {
        Extent::Windows { stride, .. } => stride,
        Extent::Pixel | Extent::Normalised | Extent::Transposed { .. } | Extent::Bins => [1, 1],
        Extent::Resampled(_) | Extent::Squares(_) | Extent::Product | Extent::Whole | Extent::Unknown => [1, 1],
    }
}
