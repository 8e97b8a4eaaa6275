//! What a node leaves to another one, or shares with it: activations, normalisations, sums and pools that the layer in front
//! computes too, values that are looked at differently, and parts of concatenations.

use super::Planner;
use super::facts::reads_backward;
use crate::kernels::from_output;
use crate::node::NodePlan;
use convnet_graph::{Activation, Op, Pad, Pool, PoolKind};

impl Planner<'_> {
    /// Whether `id` is the only reader of the slot of its input `input`, so that it may overwrite it.
    pub(super) fn alone(&self, id: usize, input: usize) -> bool {
        let region = self.slots[self.nodes[input].slot].region;
        // All nodes that share the memory so far must form a chain that leads to `id`.
        let sharing = |other: &usize| self.slots.get(self.nodes[*other].slot).is_some_and(|slot| slot.region == region);
        (0..id).filter(sharing).all(|other| self.readers[other] == 1)
            && !self.is_given(input)
            && !self.shares_given(input)
    }

    /// Moves the inputs of the concatenation `id` into its memory, where they fill blocks of their own: then nothing has to be
    /// copied. Only for a single image, whose parts are in one piece.
    pub(super) fn join(&mut self, id: usize) {
        let (graph, key) = (self.graph, &self.key);
        if !matches!(graph.nodes[id].op, Op::Concat) || key.batch > 1 || key.backward || self.is_given(id) {
            return;
        }
        let (whole, lanes) = (self.slots[self.nodes[id].slot].clone(), key.isa.lanes());
        let [channels, height, width] = whole.value.chw;
        let mut next = 0;
        for input in &*graph.nodes[id].inputs {
            let (start, [part, ..]) = (next, graph.nodes[*input].shape.chw());
            next += part;
            let slot = &self.slots[self.nodes[*input].slot];
            let fills = start.is_multiple_of(lanes) && (part.is_multiple_of(lanes) || next == channels);
            let fits = slot.value.block == lanes && slot.value.chw == [part, height, width] && !slot.part;
            if !fills || !fits || self.is_given(*input) || self.shares_given(*input) {
                continue;
            }
            // What is a part of the part moves with it.
            let from = slot.region;
            for slot in self.slots.iter_mut().filter(|slot| slot.region == from) {
                (slot.region, slot.first_block, slot.part) = (whole.region, slot.first_block + start / lanes, true);
            }
            self.regions.join(from, whole.region);
        }
    }

    /// Parts of one memory have one halo.
    pub(super) fn even_halos(&mut self) {
        for index in 0..self.slots.len() {
            let region = self.slots[index].region;
            let halos = self.slots.iter().filter(|slot| slot.region == region).map(|slot| slot.value.halo);
            let halo = halos.fold([0, 0], |a, b| [a[0].max(b[0]), a[1].max(b[1])]);
            self.slots[index].value.halo = halo;
        }
    }

    /// The convolution or batch normalisation that can do the work of `id` too, which reads its value from `input`.
    pub(super) fn fusing(&self, id: usize, input: usize) -> Option<usize> {
        let same = self.slots[self.nodes[input].slot].value.chw == self.graph.nodes[id].shape.chw();
        let writer = self.nodes[input].writer.filter(|_| same && self.alone(id, input))?;
        match self.nodes[writer].geometry {
            // A backward pass needs a convolution's own result.
            Some(geometry) => !self.key.training && !self.key.backward && geometry.by_block(),
            None => true,
        }
        .then_some(writer)
    }

    /// For a sum: the term whose writer can add the other one, which is there before it, and that other one.
    pub(super) fn residual(&self, id: usize) -> Option<(usize, usize)> {
        let [a, b] = *self.graph.nodes[id].inputs else { return None };
        if self.is_given(id) {
            return None;
        }
        [(a, b), (b, a)].into_iter().find(|(term, other)| {
            let shape = |id: &usize| self.slots[self.nodes[*id].slot].value.chw;
            let free = |writer: usize| *other < writer && self.nodes[writer].residual.is_none();
            shape(term) == shape(other) && self.fusing(id, *term).is_some_and(free)
        })
    }

    /// The node whose slot `id` can share, if it can.
    pub(super) fn shared(&self, id: usize) -> Option<usize> {
        let node = &self.graph.nodes[id];
        if self.is_given(id) {
            return None;
        }
        let input = *node.inputs.first()?;
        match node.op {
            Op::Flatten | Op::Identity => Some(input),
            Op::Dropout { p, .. } if !self.key.dropout || p == 0.0 => Some(input),
            Op::Activation(activation) => {
                // A backward pass that reads an output needs it as it was before the next activation.
                let slot = self.nodes[input].slot;
                let mut sharing = (0..id).filter(|other| self.nodes[*other].slot == slot);
                let unread =
                    sharing.all(|other| !reads_backward(&self.graph.nodes[other].op).1 && !self.nodes[other].rectified);
                let allowed = !self.key.backward || (unread && from_output(activation));
                (allowed && self.alone(id, input)).then_some(input)
            }
            Op::BatchNorm { .. } => {
                let conv = self.fusing(id, input).map(|writer| &self.nodes[writer]);
                let free =
                    |conv: &NodePlan<'_>| conv.geometry.is_some() && conv.norm.is_none() && conv.residual.is_none();
                conv.is_some_and(free).then_some(input)
            }
            Op::Add => self.residual(id).map(|(term, _)| term),
            // These drop something, or make a value of their own.
            Op::Dropout { .. } | Op::Conv(_) | Op::ConvTranspose(_) | Op::Linear { .. } | Op::GroupNorm { .. } => None,
            Op::Pool(_)
            | Op::GlobalPool(_)
            | Op::AdaptiveAvgPool
            | Op::ChannelPool { .. }
            | Op::Subsample { .. }
            | Op::Lrn { .. } => None,
            Op::Softmax | Op::LogSoftmax | Op::Prelu { .. } | Op::Scale | Op::Concat | Op::Resample(_) => None,
            Op::ChannelPad { .. } | Op::ChannelShuffle { .. } | Op::PixelShuffle { .. } => None,
            // Given, never computed.
            Op::Input | Op::Custom(_) => None,
        }
    }

    /// Whether `id` is a value that was given, looked at differently.
    pub(super) fn shares_given(&self, id: usize) -> bool {
        self.key.part.inputs.iter().any(|given| self.nodes[*given].slot == self.nodes[id].slot)
    }

    /// The convolution that computes `id`, a pool of two rows and columns, too: it has few channels, reads a plain map, nobody
    /// else wants its result, and who reads the pool's can read a plain map.
    pub(super) fn pools(&self, id: usize) -> Option<usize> {
        let node = &self.graph.nodes[id];
        let input = *node.inputs.first().filter(|_| !self.is_given(id))?;
        let pool = node.op.pool(self.graph.nodes[input].shape.chw())?;
        let averages = matches!(pool.kind, PoolKind::Max | PoolKind::Avg(_));
        if !averages || [pool.kernel, pool.stride] != [[2, 2], [2, 2]] || pool.pad != Pad::default() {
            return None;
        }
        let slot = self.nodes[input].slot;
        let (conv, plan) =
            self.nodes.iter().enumerate().find(|(at, plan)| *at < id && plan.first && plan.slot == slot)?;
        if self.is_given(conv) {
            return None;
        }
        let fused = plan.fused.is_none_or(|fused| self.graph.nodes[fused].op == Op::Activation(Activation::Relu));
        // Nothing that the convolution does not do itself may lie between.
        let mut chain = (conv + 1..id).filter(|other| self.nodes[*other].slot == slot);
        let done = chain.all(|other| plan.fused == Some(other) || plan.norm == Some(other));
        let reads = self.slots[self.nodes[*self.graph.nodes[conv].inputs.first()?].slot].value;
        let pays = plan.geometry?.few_channels(&reads);
        let inference = !self.key.training && !self.key.backward;
        let free = plan.residual.is_none() && self.alone(id, input) && self.read_by_pixel(id);
        (inference && fused && done && pays && free).then_some(conv)
    }

    /// Whether `id` is a max pool, and the only reader of a rectifier that shares its convolution's slot.
    pub(super) fn pools_rectified(&self, id: usize) -> bool {
        let node = &self.graph.nodes[id];
        let (Op::Pool(Pool { kind: PoolKind::Max, .. }) | Op::GlobalPool(PoolKind::Max), Some(input)) =
            (node.op, node.inputs.first())
        else {
            return false;
        };
        let rectifier = matches!(self.graph.nodes[*input].op, Op::Activation(Activation::Relu));
        rectifier && !self.nodes[*input].first && self.readers[*input] == 1
    }

    /// Whether all that read node `id`, however often it is flattened, are convolutions and linear layers, which can read
    /// the outside world's layout.
    pub(super) fn read_by_pixel(&self, id: usize) -> bool {
        let mut same = vec![id];
        !self.key.part.outputs.contains(&id)
            && self.order.iter().filter(|reader| **reader > id).all(|reader| {
                let (reader, node) = (*reader, &self.graph.nodes[*reader]);
                if !node.inputs.iter().any(|input| same.contains(input)) {
                    return true;
                }
                if matches!(node.op, Op::Flatten) {
                    same.push(reader);
                }
                matches!(node.op, Op::Conv(_) | Op::Linear { .. } | Op::Flatten)
            })
    }

    /// Whether the value of `id` is never there, since the convolution that would write it pools it.
    pub(super) fn pooled_away(&self, id: usize) -> bool {
        self.nodes.iter().any(|plan| plan.slot == self.nodes[id].slot && plan.pooled.is_some())
    }
}
