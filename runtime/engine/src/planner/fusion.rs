//! What a node leaves to another one, or shares with it: activations, normalisations, sums and pools that the layer in front
//! computes too, values that are looked at differently, and parts of concatenations.

use super::Planner;
use crate::node::NodePlan;
use crate::ops::{Reads, Shares, operation};
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
        let is_there = !self.is_given(id) && !self.is_passed_over(id);
        if !matches!(graph.nodes[id].op, Op::Concat) || key.batch > 1 || key.backward || !is_there {
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
            let is_own = !self.is_given(*input) && !self.shares_given(*input) && !self.is_passed_over(*input);
            if !fills || !fits || !is_own {
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
    fn fusing(&self, id: usize, input: usize) -> Option<usize> {
        let same = self.slots[self.nodes[input].slot].value.chw == self.graph.nodes[id].shape.chw();
        let writer = self.nodes[input].writer.filter(|_| same && self.alone(id, input))?;
        match self.nodes[writer].conv {
            // A backward pass needs a convolution's own result.
            Some(conv) => !self.key.training && !self.key.backward && conv.geometry.by_block(),
            None => true,
        }
        .then_some(writer)
    }

    /// For a sum: the term whose writer can add the other one, which is there before it, and that other one.
    pub(super) fn residual(&self, id: usize) -> Option<(usize, usize)> {
        let (Shares::Sum, [a, b]) = (self.facts(id).shares, &*self.graph.nodes[id].inputs) else { return None };
        if self.is_given(id) {
            return None;
        }
        [(*a, *b), (*b, *a)].into_iter().find(|(term, other)| {
            let shape = |id: &usize| self.slots[self.nodes[*id].slot].value.chw;
            let free = |writer: usize| *other < writer && self.nodes[writer].does.residual.is_none();
            shape(term) == shape(other) && self.fusing(id, *term).is_some_and(free)
        })
    }

    /// The node whose slot `id` can share, if it can.
    pub(super) fn shared(&self, id: usize) -> Option<usize> {
        let input = *self.graph.nodes[id].inputs.first().filter(|_| !self.is_given(id))?;
        let facts = self.facts(id);
        match facts.shares {
            Shares::Never => None,
            Shares::Always => Some(input),
            Shares::Activation(_) => {
                // A backward pass that reads an output needs it as it was before the next activation.
                let slot = self.nodes[input].slot;
                let mut sharing = (0..id).filter(|other| self.nodes[*other].slot == slot);
                let unread = sharing.all(|other| {
                    self.facts(other).reads != Reads::Output && self.nodes[other].does.rectifier.is_none()
                });
                let allowed = !self.key.backward || (unread && facts.reads == Reads::Output);
                (allowed && self.alone(id, input)).then_some(input)
            }
            Shares::Norm => {
                let conv = self.fusing(id, input).map(|writer| &self.nodes[writer]);
                let free = |conv: &NodePlan<'_>| {
                    conv.conv.is_some() && conv.does.norm.is_none() && conv.does.residual.is_none()
                };
                conv.is_some_and(free).then_some(input)
            }
            Shares::Sum => self.residual(id).map(|(term, _)| term),
            Shares::Product => self.weighed(id).map(|_| input),
        }
    }

    /// The convolution that takes the factors of the product `id`, a number for each channel, into its weights: then the product is nowhere,
    /// and only this convolution wants it.
    pub(super) fn weighed(&self, id: usize) -> Option<usize> {
        let (Shares::Product, [map, factors]) = (self.facts(id).shares, &*self.graph.nodes[id].inputs) else {
            return None;
        };
        let (reader, lanes) = (self.last_reader[id], self.key.isa.lanes());
        let node = &self.graph.nodes[reader];
        let [map, factors] = [map, factors].map(|input| self.slots[self.nodes[*input].slot].value);
        let [channels, height, width] = self.graph.nodes[id].shape.chw();
        // A single pixel is multiplied sooner than all weights.
        let lie = map.chw == [channels, height, width] && factors.chw == [channels, 1, 1] && height * width > 1;
        let by_register = map.block == lanes && factors.block == lanes;
        let inference = !self.key.training && !self.key.backward;
        let alone = self.readers[id] == 1 && node.inputs.len() == 1 && reader != id;
        let geometry = operation(&node.op).geometry(self.graph, node, map.chw, &self.key)?;
        (inference && alone && lie && by_register && geometry.reads_single_pixels()).then_some(reader)
    }

    /// Has `writer`, whose slot `id` shares, do the work of `id` too, if it can: that of a sum with `residual`.
    pub(super) fn fuse(&mut self, id: usize, writer: usize, residual: Option<usize>) {
        let convolves = self.nodes[writer].conv.is_some();
        let shares = self.facts(id).shares;
        let does = &mut self.nodes[writer].does;
        match shares {
            Shares::Activation(activation) => {
                // A normalisation knows the rectifier only.
                let knows = convolves || matches!(activation, Activation::Relu);
                // Without a residual, a normalisation sees from its input what the rectifier let through.
                let masks = !convolves && does.residual.is_none();
                if knows {
                    does.activation = Some(id);
                }
                let plan = &mut self.nodes[id];
                // What comes after the activation is for others to do.
                plan.writer = None;
                plan.done_by = knows.then_some(writer);
                plan.grad_done_by = (knows && masks).then_some(writer);
                return;
            }
            Shares::Norm => does.norm = Some(id),
            Shares::Sum => does.residual = residual,
            // There is nothing to do.
            Shares::Always | Shares::Never | Shares::Product => return,
        }
        self.nodes[id].done_by = Some(writer);
    }

    /// Whether `id` is a value that was given, looked at differently.
    fn shares_given(&self, id: usize) -> bool {
        self.key.part.inputs.iter().any(|given| self.nodes[*given].slot == self.nodes[id].slot)
    }

    /// The convolution that computes `id`, a pool of two rows and columns, too: it has few channels, reads a plain map, nobody
    /// else wants its result, and who reads the pool's can read a plain map.
    pub(super) fn pools(&self, id: usize) -> Option<usize> {
        let node = &self.graph.nodes[id];
        let input = *node.inputs.first().filter(|_| !self.is_given(id))?;
        let pool = node.op.pool(self.graph.nodes[input].shape.chw())?;
        let averages = matches!(pool.kind, PoolKind::Max | PoolKind::Avg(_));
        let squares = [pool.kernel, pool.stride, pool.dilation] == [[2, 2], [2, 2], [1, 1]];
        if !averages || !squares || pool.pad != Pad::ZERO {
            return None;
        }
        let slot = self.nodes[input].slot;
        let conv = self.slots[slot].node;
        let plan = &self.nodes[conv];
        // Nothing that the convolution does not do itself may lie between.
        let mut chain = (conv + 1..id).filter(|other| self.nodes[*other].slot == slot);
        let done = chain.all(|other| self.nodes[other].done_by == Some(conv));
        let fused = plan.does.activation;
        let fused = fused.is_none_or(|fused| self.graph.nodes[fused].op == Op::Activation(Activation::Relu));
        // A value that is given is written by no convolution, and what it was made of is not planned.
        let geometry = plan.conv?.geometry;
        let reads = self.slots[self.nodes[*self.graph.nodes[conv].inputs.first()?].slot].value;
        let pays = geometry.few_channels(&reads);
        let inference = !self.key.training && !self.key.backward;
        let free = plan.does.residual.is_none()
            && plan.does.product.is_none()
            && self.alone(id, input)
            && self.read_by_pixel(id);
        (inference && fused && done && pays && free).then_some(conv)
    }

    /// Has `id` do the backward pass of the rectifier in front of it, if it is a max pool, and the only reader of a rectifier
    /// that shares its convolution's slot.
    pub(super) fn take_rectifier(&mut self, id: usize) {
        let node = &self.graph.nodes[id];
        let (Op::Pool(Pool { kind: PoolKind::Max, .. }) | Op::GlobalPool(PoolKind::Max), Some(input)) =
            (node.op, node.inputs.first())
        else {
            return;
        };
        let rectifies = matches!(self.graph.nodes[*input].op, Op::Activation(Activation::Relu));
        let shares = self.slots[self.nodes[*input].slot].node != *input;
        if rectifies && shares && self.readers[*input] == 1 {
            self.nodes[id].does.rectifier = Some(*input);
            self.nodes[*input].grad_done_by = Some(id);
        }
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
                let flattens = matches!(node.op, Op::Flatten);
                if flattens {
                    same.push(reader);
                }
                flattens || self.facts(reader).reads_planar
            })
    }
}
