//! How long each value, each gradient and each buffer lives, and how long it is.

use super::Planner;
use crate::kernels::BEYOND;
use crate::layout::Layout;
use crate::node::Repacked;
use crate::ops::{Reads, Site, Unit, operation};
use convnet_graph::Shape;

impl Planner<'_> {
    /// The lifetimes of the value of `id`, of what it reads and of its buffers.
    pub(super) fn lifetimes(&mut self, id: usize, pack_first: bool) {
        self.regions.keep(self.slots[self.nodes[id].slot].region, self.time.forward(id));
        if self.nodes[id].wants_grad {
            self.grad_lifetime(id);
        }
        if self.is_given(id) {
            return self.grow(id, BEYOND);
        }
        self.reads(id);
        self.repacking(id);
        let site = Site {
            graph: self.graph,
            key: &self.key,
            slots: &self.slots,
            nodes: &self.nodes,
            time: self.time,
            pack_first,
            id,
        };
        self.nodes[id].buffers = operation(&self.graph.nodes[id].op).buffers(&site, &mut self.regions);
        let slot = &self.slots[self.nodes[id].slot];
        // A value that is pooled as it is computed, or collected by who reads it, is never there.
        if self.nodes[slot.node].does.pool.is_none() && !self.is_passed_over(id) {
            // Who reads a plain map by the register may read a little more than there is.
            self.grow(id, if slot.value.block == 1 { BEYOND } else { 0 });
        }
    }

    /// Makes the region of a value long enough, with so many numbers more.
    fn grow(&mut self, id: usize, more: usize) {
        let slot = &self.slots[self.nodes[id].slot];
        self.regions.grow(slot.region, self.key.batch * slot.value.image() + more);
    }

    /// Keeps the values that the steps of `id` read.
    fn reads(&mut self, id: usize) {
        let (forward, backward) = (self.time.forward(id), self.time.backward(id));
        let wants_grad = self.nodes[id].wants_grad;
        let reads = self.facts(id).reads;
        for input in &*self.graph.nodes[id].inputs {
            let region = self.slots[self.nodes[*input].slot].region;
            self.regions.keep(region, if wants_grad && reads == Reads::Input { backward } else { forward });
        }
        if let Some(product) = self.nodes[id].does.product {
            let factors = self.graph.nodes[product].inputs[1];
            self.regions.keep(self.slots[self.nodes[factors].slot].region, forward);
        }
        for (from, _) in self.nodes[id].collected.iter().flat_map(|collected| &collected.channels) {
            self.regions.keep(self.slots[self.nodes[*from].slot].region, forward);
        }
        if wants_grad && (reads == Reads::Output || self.nodes[id].does.rectifier.is_some()) {
            self.regions.keep(self.slots[self.nodes[id].slot].region, backward);
        }
    }

    fn grad_lifetime(&mut self, id: usize) {
        let slot = self.nodes[id].slot;
        let from = match self.key.part.outputs.contains(&id) {
            true => self.time.output() + 1,
            false => self.time.backward(self.last_reader[id]),
        };
        let to = if self.is_given(id) { self.time.end() } else { self.time.backward(id) };
        let region = match self.slots[slot].grad_region {
            Some(region) => region,
            None => self.regions.add(0, from, to),
        };
        self.slots[slot].grad_region = Some(region);
        self.regions.grow(region, self.key.batch * self.slots[slot].grad.image());
        self.regions.keep(region, to);
        self.regions.keep_from(region, from);
    }

    /// A layer that works by channel on a vector that was flattened from a map needs it as a vector.
    fn repacking(&mut self, id: usize) {
        let Some(input) = self.graph.nodes[id].inputs.first().filter(|_| self.facts(id).unit == Unit::Channel) else {
            return;
        };
        let Shape::Vector(len) = self.graph.nodes[*input].shape else { return };
        let layout = Layout::blocked([len, 1, 1], self.key.isa.lanes());
        if self.slots[self.nodes[*input].slot].value.chw == layout.chw {
            return;
        }
        let size = self.key.batch * layout.image();
        let (forward, backward) = (self.time.forward(id), self.time.backward(id));
        let wants_grad = self.nodes[id].wants_grad;
        let value = self.regions.add(size, forward, if wants_grad { backward } else { forward });
        let grad = (wants_grad && self.nodes[*input].wants_grad).then(|| self.regions.add(size, backward, backward));
        self.nodes[id].repacked = Some(Repacked { layout, value, grad });
    }
}
