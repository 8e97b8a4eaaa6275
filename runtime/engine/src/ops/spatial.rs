//! Operations that move pixels and channels: resampling, padding of channels, shuffles.

use super::{Facts, Operation, Reads, Shares, Unit};
use crate::kernels::{Clear, Gather, GradMode, Order, Permute, Repack, Shuffle};
use crate::plan::PlanKey;
use crate::writer::Writer;
use convnet_graph::Resample;

/// Moving a value reads neither input nor output in its backward pass.
const FACTS: Facts = Facts { reads: Reads::Nothing, unit: Unit::Whole, shares: Shares::Never, reads_planar: false };

/// Pixels moved, repeated or mixed, by row and by column.
pub struct Resampling(pub Resample);

impl Operation for Resampling {
    fn facts(&self, _key: &PlanKey) -> Facts {
        FACTS
    }

    fn forward(&self, to: &mut Writer<'_>, id: usize) {
        let (from, out) = (to.source(id), to.value(id));
        let taps = [1, 2].map(|i| self.0.taps(i - 1, from.chw[i], out.chw[i]));
        to.push(Gather::new(from, out, taps, self.0.outside(), to.batch()));
    }

    fn backward(&self, to: &mut Writer<'_>, id: usize) {
        if !to.input_wants_grad(id) {
            return;
        }
        let (d_out, batch) = (to.grad(id), to.batch());
        let (out, mode) = to.grad_of(to.input(id));
        let taps = [1, 2].map(|i| self.0.taps(i - 1, out.chw[i], d_out.chw[i]));
        let mut gather = Gather::new(out, d_out, taps, 0.0, batch).transposed();
        gather.accumulate = mode == GradMode::Add;
        to.push(gather);
    }
}

/// Channels of zeros beside those of the input.
pub struct ChannelPad {
    /// How many come first.
    pub before: usize,
}

impl Operation for ChannelPad {
    fn facts(&self, _key: &PlanKey) -> Facts {
        FACTS
    }

    fn forward(&self, to: &mut Writer<'_>, id: usize) {
        let input = to.input(id);
        let (from, out, batch) = (to.value(input), to.value(id), to.batch());
        to.push(Clear { layout: out, batch, whole: true });
        to.end_stage();
        let (part, starts) = (to.node(input).shape.chw(), [0, self.before * out.chw[1] * out.chw[2]]);
        to.push(Repack { from, to: out, part, starts, batch, accumulate: false });
    }

    fn backward(&self, to: &mut Writer<'_>, id: usize) {
        if !to.input_wants_grad(id) {
            return;
        }
        let (from, batch) = (to.grad(id), to.batch());
        let (out, mode) = to.grad_of(to.input(id));
        let (part, starts) = (out.chw, [self.before * out.chw[1] * out.chw[2], 0]);
        to.push(Repack { from, to: out, part, starts, batch, accumulate: mode == GradMode::Add });
    }
}

/// Some of the channels of the input.
pub struct ChannelCrop {
    /// How many are left out before them.
    pub before: usize,
}

impl Operation for ChannelCrop {
    fn facts(&self, _key: &PlanKey) -> Facts {
        FACTS
    }

    fn moved(&self, own: usize) -> Option<Vec<usize>> {
        Some((self.before..self.before + own).collect())
    }

    /// Only a vector is copied here: the planner has the channels of maps collected by a step of their own (`planner/channels`).
    fn forward(&self, to: &mut Writer<'_>, id: usize) {
        let (from, out, batch) = (to.value(to.input(id)), to.value(id), to.batch());
        let (part, starts) = (out.chw, [self.before * out.chw[1] * out.chw[2], 0]);
        to.push(Repack { from, to: out, part, starts, batch, accumulate: false });
    }

    fn backward(&self, to: &mut Writer<'_>, id: usize) {
        if !to.input_wants_grad(id) {
            return;
        }
        let (from, batch) = (to.grad(id), to.batch());
        let (out, mode) = to.grad_of(to.input(id));
        if mode == GradMode::Store {
            to.push(Clear { layout: out, batch, whole: true });
            to.end_stage();
        }
        let (part, starts) = (from.chw, [0, self.before * out.chw[1] * out.chw[2]]);
        to.push(Repack { from, to: out, part, starts, batch, accumulate: mode == GradMode::Add });
    }
}

/// Elements in another order.
pub struct Reorder(pub Order);

impl Operation for Reorder {
    fn facts(&self, _key: &PlanKey) -> Facts {
        FACTS
    }

    fn moved(&self, own: usize) -> Option<Vec<usize>> {
        match self.0 {
            Order::Channels(groups) => Some((0..own).map(|channel| Order::shuffled(groups, own, channel)).collect()),
            Order::Squares(_) | Order::Unsquare(_) => None,
        }
    }

    fn forward(&self, to: &mut Writer<'_>, id: usize) {
        let (from, out, batch) = (to.source(id), to.value(id), to.batch());
        to.push(Shuffle { from, to: out, how: self.0, accumulate: false, batch });
    }

    fn backward(&self, to: &mut Writer<'_>, id: usize) {
        if !to.input_wants_grad(id) {
            return;
        }
        let (out, mode) = to.grad_of(to.input(id));
        let (from, how, accumulate) = (to.grad(id), self.0.reversed(out.chw[0]), mode == GradMode::Add);
        to.push(Shuffle { from, to: out, how, accumulate, batch: to.batch() });
    }
}

/// Channels, rows and columns in another order.
pub struct Permutation(pub [usize; 3]);

impl Operation for Permutation {
    fn facts(&self, _key: &PlanKey) -> Facts {
        FACTS
    }

    fn forward(&self, to: &mut Writer<'_>, id: usize) {
        let (from, out) = (to.source(id), to.value(id));
        to.push(Permute::new(from, out, self.0, to.batch()));
    }

    fn backward(&self, to: &mut Writer<'_>, id: usize) {
        if !to.input_wants_grad(id) {
            return;
        }
        let (out, mode) = to.grad_of(to.input(id));
        let mut back = [0; 3];
        for (i, from) in self.0.into_iter().enumerate() {
            back[from] = i;
        }
        let mut permute = Permute::new(to.grad(id), out, back, to.batch());
        permute.accumulate = mode == GradMode::Add;
        to.push(permute);
    }
}
