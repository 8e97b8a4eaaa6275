//! The walk over the nodes: the slot of each, its layout, how a convolution is computed.

use super::Planner;
use crate::algorithm::Tiles;
use crate::kernels::FEW;
use crate::layout::Layout;
use crate::node::{ConvPlan, NodePlan, Slot};
use crate::ops::{Shares, Unit, operation};

/// Weights of a linear layer that no near cache holds.
const LARGE: usize = 1 << 17;

impl<'a> Planner<'a> {
    /// Finds the slot of a node, and who does its work.
    pub(super) fn node(&mut self, id: usize) {
        let given = self.is_given(id);
        let (shared, residual, pools) = (self.shared(id), self.residual(id), self.pools(id));
        let slot = match shared {
            Some(input) => self.nodes[input].slot,
            None => self.open_slot(id, pools),
        };
        let conv = if given { None } else { self.conv(id) };
        let writes = conv.is_some() || matches!(self.facts(id).shares, Shares::Norm) && !given;
        let weighed = if given { None } else { self.weighed(id) };
        let writer = match shared {
            // Nothing can be done to a product that is nowhere.
            Some(_) if weighed.is_some() => None,
            Some(input) => self.nodes[input].writer,
            None => writes.then_some(id),
        };
        let wants_grad = self.wants_grad(id);
        let collected = self.nodes[id].collected.take();
        self.nodes[id] = NodePlan { slot, writer, wants_grad, conv, collected, ..NodePlan::absent() };
        if let Some(reader) = weighed {
            self.nodes[id].done_by = Some(reader);
        }
        if let Some(input) = self.graph.nodes[id].inputs.first().filter(|_| !given)
            && self.nodes[*input].done_by == Some(id)
        {
            self.nodes[id].does.product = Some(*input);
        }
        if wants_grad && !given {
            self.take_rectifier(id);
        }
        if let Some(conv) = pools {
            self.nodes[conv].does.pool = Some(id);
            self.nodes[id].done_by = Some(conv);
        }
        if let (Some(writer), Some(_)) = (writer, shared) {
            self.fuse(id, writer, residual.map(|(_, other)| other));
        }
    }

    fn wants_grad(&self, id: usize) -> bool {
        let node = &self.graph.nodes[id];
        self.key.backward
            && if self.is_given(id) {
                self.key.input_grad && self.readers[id] > 0
            } else {
                node.params > 0 && !self.key.fixed.contains(&id)
                    || node.inputs.iter().any(|input| self.nodes[*input].wants_grad)
            }
    }

    /// A slot for the value of `id`, which the convolution `pools` may write in its stead.
    fn open_slot(&mut self, id: usize, pools: Option<usize>) -> usize {
        let (node, given, lanes) = (&self.graph.nodes[id], self.is_given(id), self.key.isa.lanes());
        let mut chw = node.shape.chw();
        // Element by element, a flattened value keeps the layout of the map it was.
        if let (Unit::Element, false, Some(input)) = (self.facts(id).unit, given, node.inputs.first()) {
            chw = self.slots[self.nodes[*input].slot].value.chw;
        }
        let planar = pools.is_some() || given && self.read_by_pixel(id);
        let value = if planar { Layout::planar(chw) } else { Layout::blocked(chw, lanes) };
        // What is given is loaded before the first node runs.
        let time = if given { 0 } else { self.time.forward(pools.unwrap_or(id)) };
        let (region, grad) = (self.regions.add(0, time, time), Layout::blocked(chw, lanes));
        self.slots.push(Slot { node: id, value, grad, region, first_block: 0, part: false, grad_region: None });
        self.slots.len() - 1
    }

    /// The geometry of a convolution or linear layer; [`algorithm`](Planner::algorithm) adds the rest.
    fn conv(&self, id: usize) -> Option<ConvPlan<'a>> {
        let node = &self.graph.nodes[id];
        let input = self.slots[self.nodes[*node.inputs.first()?].slot].value.chw;
        let geometry = operation(&node.op).geometry(self.graph, node, input, &self.key)?;
        Some(ConvPlan { geometry, tiles: Tiles::default(), unpacked: false })
    }

    /// Decides by which algorithm a convolution is computed.
    pub(super) fn algorithm(&mut self, id: usize) {
        let node = &self.graph.nodes[id];
        let Some(ConvPlan { geometry, .. }) = self.nodes[id].conv else { return };
        let input = self.nodes[node.inputs[0]].slot;
        let blocked = self.slots[input].value.block == geometry.lanes;
        // With more images, or weights in a cache, multiplying takes longer than reading, and packed weights are faster.
        let weights = self.graph.params[node.first_param].shape.iter().product::<usize>();
        let slow = self.key.batch <= FEW && weights >= LARGE;
        let unpacked = slow && geometry.reads_all() && !self.key.backward;
        let Tiles { forward, backward, weights } = geometry.tiles(self.key.isa, self.key.precision);
        let tiles = Tiles { forward: forward.filter(|_| blocked), backward, weights: weights && blocked };
        self.nodes[id].conv = Some(ConvPlan { geometry, tiles, unpacked });
    }

    /// The halos that a convolution needs around its input and around its output's gradient. Lengths are taken only after
    /// all nodes have been here, since the readers of a slot come after its writer.
    pub(super) fn halos(&mut self, id: usize) {
        let Some(ConvPlan { geometry, .. }) = self.nodes[id].conv else { return };
        let widen = |halo: &mut [usize; 2], by: [usize; 2]| *halo = [halo[0].max(by[0]), halo[1].max(by[1])];
        let [value, grad] = geometry.halos();
        let input = self.nodes[self.graph.nodes[id].inputs[0]].slot;
        widen(&mut self.slots[input].value.halo, value);
        let own = self.nodes[id].slot;
        widen(&mut self.slots[own].grad.halo, grad);
    }
}
