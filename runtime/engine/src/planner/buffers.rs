//! Places that a node needs beside its slot, and when: packed weights, statistics, winners, inputs in another layout.

use super::Planner;
use super::facts::by_channel;
use crate::geometry::Geometry;
use crate::kernels::{BatchNorm, Correlate, WeightMap, Winograd, WinogradPack};
use crate::layout::Layout;
use convnet_graph::{Op, Pool, PoolKind, Shape};

impl Planner<'_> {
    /// Places for the weights of a convolution or linear layer, and for what its backward pass needs.
    pub(super) fn conv_extra(&mut self, id: usize, pack_first: bool) {
        let Some(geometry) = self.nodes[id].geometry else { return };
        let (node, batch) = (&self.graph.nodes[id], self.key.batch);
        let (forward, value) = (Self::forward_time(id), self.slots[self.nodes[id].slot].value);
        let input = self.slots[self.nodes[node.inputs[0]].slot].clone();
        let (from, to) = match self.key.frozen {
            true => (0, self.end()),
            false => (if pack_first { 0 } else { forward }, forward),
        };
        let in_order = |layout: &Layout| layout.chw[1] * layout.chw[2] == 1 && layout.halo == [0, 0];
        if self.nodes[id].unpacked && !in_order(&input.value) {
            let len = batch * input.value.chw.iter().product::<usize>();
            self.nodes[id].extra.flat = Some(self.regions.add(len, forward, forward));
        }
        let len = match self.nodes[id].tiles.forward {
            _ if self.nodes[id].unpacked => 0,
            Some(tile) => {
                transformed_len(geometry.winograd(tile, &input.value, &value, 0, self.key.frozen), geometry.lanes)
            }
            None => packed_len(geometry.forward(&input.value, &value)),
        };
        self.nodes[id].extra.weights = Some(self.regions.add(len, from, to));
        let padded = geometry.outs().next_multiple_of(geometry.lanes);
        self.nodes[id].extra.bias = Some(self.regions.add(padded, from, to));
        self.nodes[id].extra.scale = self.nodes[id].norm.map(|_| self.regions.add(padded, from, to));
        if self.nodes[id].wants_grad {
            self.conv_grad_extra(id, geometry);
        }
    }

    fn conv_grad_extra(&mut self, id: usize, geometry: Geometry<'_>) {
        let (node, backward) = (&self.graph.nodes[id], self.backward_time(id));
        let input = self.slots[self.nodes[node.inputs[0]].slot].clone();
        // Chunks of images are never more than there are images or 48; see `WeightGrad::new`.
        let d_out = &self.slots[self.nodes[id].slot].grad;
        let len = match self.nodes[id].tiles.weights {
            true => geometry.winograd_grad(&input.value, d_out, node.first_param).len(),
            false => {
                let (grad, _) = geometry.weight_grad(&input.value, d_out);
                grad.chunks * grad.chunk_len
            }
        };
        self.nodes[id].extra.weight_grad = Some(self.regions.add(len, backward, backward));
        if self.nodes[node.inputs[0]].wants_grad {
            let d_out = &self.slots[self.nodes[id].slot].grad;
            let len = match self.nodes[id].tiles.backward {
                Some(tile) => transformed_len(geometry.winograd_backward(tile, d_out, &input.grad, 0), geometry.lanes),
                None => packed_len(geometry.backward(d_out, &input.grad)),
            };
            self.nodes[id].extra.back_weights = Some(self.regions.add(len, backward, backward));
        }
    }

    /// Places for what other operations need beside their slots.
    pub(super) fn op_extra(&mut self, id: usize) {
        let (node, batch) = (&self.graph.nodes[id], self.key.batch);
        let (forward, backward) = (Self::forward_time(id), self.backward_time(id));
        let (wants_grad, value) = (self.nodes[id].wants_grad, self.slots[self.nodes[id].slot].value);
        let mut extra = std::mem::take(&mut self.nodes[id].extra);
        let last = if wants_grad { backward } else { self.output_time() };
        match node.op {
            Op::Pool(Pool { kind: PoolKind::Max | PoolKind::Min, .. })
            | Op::GlobalPool(PoolKind::Max | PoolKind::Min) => {
                extra.first = wants_grad.then(|| self.regions.add(batch * value.image(), forward, last));
            }
            Op::GroupNorm { groups, .. } => {
                let groups = groups.count(node.shape.chw()[0]);
                extra.first = Some(self.regions.add(batch * groups, forward, last));
                extra.second = Some(self.regions.add(batch * groups, forward, last));
            }
            Op::BatchNorm { .. } => {
                // One that is folded into a convolution needs nothing.
                if self.nodes[id].first {
                    let len = value.blocks() * value.block;
                    let last = last.max(self.output_time());
                    extra.first = Some(self.regions.add(len, forward, last));
                    extra.second = Some(self.regions.add(len, forward, last));
                    extra.third = Some(self.regions.add(len, forward, last));
                    let sums = 2 * len * BatchNorm::chunks(&value, batch);
                    extra.partial[0] = Some(self.regions.add(sums, forward, forward));
                    extra.partial[1] = wants_grad.then(|| self.regions.add(sums, backward, backward));
                }
            }
            // By their geometry, above.
            Op::Conv(_) | Op::ConvTranspose(_) | Op::Linear { .. } => {}
            // These need nothing beside their slots.
            Op::Pool(Pool { kind: PoolKind::Avg(_), .. })
            | Op::GlobalPool(PoolKind::Avg(_))
            | Op::AdaptiveAvgPool
            | Op::ChannelPool { .. } => {}
            Op::Subsample { .. } | Op::Lrn { .. } | Op::Softmax | Op::LogSoftmax | Op::Prelu { .. } => {}
            Op::Flatten | Op::Identity | Op::Dropout { .. } | Op::Activation(_) | Op::Add | Op::Scale => {}
            Op::Concat | Op::Resample(_) | Op::ChannelPad { .. } | Op::ChannelShuffle { .. } => {}
            Op::PixelShuffle { .. } | Op::Input | Op::Custom(_) => {}
        }
        self.nodes[id].extra = extra;
    }

    /// A layer that works by channel on a vector that was flattened from a map needs it as a vector.
    pub(super) fn repacking(&mut self, id: usize) {
        let node = &self.graph.nodes[id];
        let Some(input) = node.inputs.first().filter(|_| by_channel(&node.op)) else { return };
        let Shape::Vector(len) = self.graph.nodes[*input].shape else { return };
        let lanes = self.key.isa.lanes();
        let layout = Layout::blocked([len, 1, 1], lanes);
        if self.slots[self.nodes[*input].slot].value.chw == layout.chw {
            return;
        }
        let size = self.key.batch * layout.image();
        let (forward, backward) = (Self::forward_time(id), self.backward_time(id));
        let wants_grad = self.nodes[id].wants_grad;
        let region = self.regions.add(size, forward, if wants_grad { backward } else { forward });
        let grad = (wants_grad && self.nodes[*input].wants_grad).then(|| self.regions.add(size, backward, backward));
        self.nodes[id].extra.repacked = Some((layout, region, grad));
    }
}

/// Numbers of packed weights.
fn packed_len(pieces: Vec<(Correlate, WeightMap)>) -> usize {
    pieces.iter().map(|(_, map)| map.packed_len()).sum()
}

/// Numbers of transformed weights: nothing is kept of those that are transformed where they are read.
fn transformed_len((winograd, pack): (Winograd, WinogradPack), lanes: usize) -> usize {
    if winograd.fresh.is_some() { 0 } else { pack.packed_len(lanes) }
}
