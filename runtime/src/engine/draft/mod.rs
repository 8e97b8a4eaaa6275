//! The planner's walk over a graph: slots, layouts, lifetimes.

mod fusion;

use super::algorithm::Tiles;
use super::geometry::Geometry;
use super::kernels::{BEYOND, BatchNorm, FEW, WeightMap, Winograd, WinogradPack, from_output};
use super::layout::Layout;
use super::plan::{Draft, Extra, NodePlan, Purpose, Slot};
use super::regions::Regions;
use crate::graph::{Activation, Graph, Op, Pool, PoolKind, Shape};

/// Weights up to this many elements are packed at once; beyond, each layer packs its own so that they can share memory.
const PACK_FIRST: usize = 1 << 21;

/// Weights of a linear layer that no near cache holds.
const LARGE: usize = 1 << 17;

/// A draft in the making.
pub struct Drafting<'a> {
    graph: &'a Graph,
    purpose: Purpose,
    /// The nodes to compute, in order.
    order: Vec<usize>,
    /// Those and the nodes whose values are given.
    present: Vec<usize>,
    regions: Regions,
    slots: Vec<Slot>,
    nodes: Vec<NodePlan<'a>>,
    readers: Vec<usize>,
    last_reader: Vec<usize>,
}

impl<'a> Drafting<'a> {
    /// For `graph` and `purpose`.
    pub fn new(graph: &'a Graph, purpose: Purpose) -> Self {
        let covered = purpose.part.covered(graph);
        let order: Vec<usize> = (0..graph.nodes.len()).filter(|id| covered[*id]).collect();
        let present = (0..graph.nodes.len()).filter(|id| covered[*id] || purpose.part.inputs.contains(id)).collect();
        let mut readers = vec![0; graph.nodes.len()];
        let mut last_reader: Vec<usize> = (0..graph.nodes.len()).collect();
        for id in &order {
            for input in &*graph.nodes[*id].inputs {
                readers[*input] += 1;
                last_reader[*input] = *id;
            }
        }
        purpose.part.outputs.iter().for_each(|output| readers[*output] += 1);
        let (slots, regions) = (Vec::new(), Regions::default());
        let nodes = vec![NodePlan::absent(); graph.nodes.len()];
        Drafting { graph, purpose, order, present, regions, slots, nodes, readers, last_reader }
    }

    fn is_given(&self, id: usize) -> bool {
        self.purpose.part.inputs.contains(&id)
    }

    /// The time of a node's forward steps; time 0 is the loading of the input.
    fn forward_time(id: usize) -> usize {
        id + 1
    }

    fn output_time(&self) -> usize {
        self.graph.nodes.len() + 1
    }

    fn backward_time(&self, id: usize) -> usize {
        2 * self.graph.nodes.len() + 3 - id
    }

    fn end(&self) -> usize {
        self.backward_time(0) + 1
    }

    /// The draft, and the regions it asks for.
    pub fn finish(mut self) -> (Draft<'a>, Regions) {
        let graph = self.graph;
        let batch = self.purpose.batch;
        let (order, present) = (self.order.clone(), self.present.clone());
        for id in &present {
            self.node(*id);
            self.join(*id);
        }
        order.iter().for_each(|id| self.algorithm(*id));
        order.iter().for_each(|id| self.halos(*id));
        self.even_halos();
        let mut params = vec![None; graph.params.len()];
        let mut total = 0;
        for id in &order {
            let node = &graph.nodes[*id];
            for param in node.param_ids() {
                let len = graph.params[param].shape.iter().product::<usize>();
                if !self.is_packed(*id) {
                    params[param] = Some(self.regions.add(len, 0, self.end()));
                }
                total += len;
            }
        }
        let pack_first = total <= PACK_FIRST && !self.purpose.frozen;
        present.iter().for_each(|id| self.lifetimes(*id, pack_first));
        let part = self.purpose.part.clone();
        let len = |id: &usize| batch * graph.nodes[*id].shape.len();
        let inputs = part.inputs.iter().map(|id| self.regions.add(len(id), 0, 0)).collect();
        let out_time = self.output_time();
        let outputs = part.outputs.iter().map(|id| self.regions.add(len(id), out_time, out_time + 1)).collect();
        for id in &part.outputs {
            let slot = self.slots[self.nodes[*id].slot].region;
            self.regions.keep(slot, out_time);
        }
        let (mut d_outputs, mut d_inputs, mut d_params, mut d_packed) =
            (Vec::new(), vec![None; part.inputs.len()], vec![None; params.len()], Vec::new());
        if self.purpose.backward {
            let add = |id: &usize| self.regions.add(len(id), out_time + 1, out_time + 1);
            d_outputs = part.outputs.iter().map(add).collect();
            for (place, id) in d_inputs.iter_mut().zip(&part.inputs).filter(|(_, id)| self.nodes[**id].wants_grad) {
                *place = Some(self.regions.add(len(id), self.end(), self.end()));
            }
            for id in &order {
                let node = &graph.nodes[*id];
                for param in node.param_ids() {
                    if !graph.params[param].trainable || !self.nodes[*id].wants_grad {
                        continue;
                    }
                    if self.nodes[*id].geometry.is_some() && param == node.first_param {
                        d_packed.push(param);
                    } else {
                        let len = graph.params[param].shape.iter().product();
                        d_params[param] = Some(self.regions.add(len, self.backward_time(*id), self.end()));
                    }
                }
            }
        }
        let Drafting { purpose, regions, slots, nodes, .. } = self;
        let draft = Draft {
            graph,
            purpose,
            slots,
            nodes,
            order,
            inputs,
            outputs,
            d_outputs,
            d_inputs,
            params,
            d_params,
            d_packed,
            pack_first,
        };
        (draft, regions)
    }

    /// Whether the parameters of `id` are read by the step that packs them, and by nobody else.
    fn is_packed(&self, id: usize) -> bool {
        let folded = matches!(self.graph.nodes[id].op, Op::BatchNorm { .. }) && !self.nodes[id].first;
        self.nodes[id].geometry.is_some() || folded
    }

    fn node(&mut self, id: usize) {
        let graph = self.graph;
        let node = &graph.nodes[id];
        let given = self.is_given(id);
        let inputs = if given { &[] } else { &*node.inputs };
        let (purpose, lanes) = (&self.purpose, self.purpose.isa.lanes());
        let wants_grad = purpose.backward
            && match given {
                true => purpose.input_grad && self.readers[id] > 0,
                false => node.params > 0 || inputs.iter().any(|input| self.nodes[*input].wants_grad),
            };
        let shared = self.shared(id);
        let residual = if let Op::Add = node.op { self.residual(id).map(|(_, other)| other) } else { None };
        let pools = self.pools(id);
        let slot = match shared {
            Some(input) => self.nodes[input].slot,
            None => {
                let mut chw = node.shape.chw();
                // Element by element, a flattened value keeps the layout of the map it was.
                if let (Op::Activation(_) | Op::Dropout { .. }, Some(input)) = (node.op, inputs.first()) {
                    chw = self.slots[self.nodes[*input].slot].value.chw;
                }
                let planar = pools.is_some() || given && self.read_by_pixel(id);
                let value = if planar { Layout::planar(chw) } else { Layout::blocked(chw, lanes) };
                // What is given is loaded before the first node runs.
                let time = if given { 0 } else { Self::forward_time(pools.unwrap_or(id)) };
                let region = self.regions.add(0, time, time);
                let grad = Layout::blocked(chw, lanes);
                self.slots.push(Slot { value, grad, region, first_block: 0, part: false, grad_region: None });
                self.slots.len() - 1
            }
        };
        let input_chw = inputs.first().map(|input| self.slots[self.nodes[*input].slot].value.chw);
        let geometry = match (node.op, input_chw) {
            (Op::Conv(conv), Some(input)) => {
                let connections = self.graph.connections_of(&conv);
                Some(Geometry::conv(conv, connections, input, node.shape.chw(), purpose.batch, lanes))
            }
            (Op::ConvTranspose(conv), Some(input)) => {
                Some(Geometry::transposed(conv, input, node.shape.chw(), purpose.batch, lanes))
            }
            (Op::Linear { bias }, Some(input)) => {
                Some(Geometry::linear(input, node.shape.len(), bias, purpose.batch, lanes))
            }
            _ => None,
        };
        let writes = geometry.is_some() || matches!(node.op, Op::BatchNorm { .. }) && !given;
        let writer = match shared {
            Some(input) => self.nodes[input].writer,
            None => writes.then_some(id),
        };
        self.nodes[id] = NodePlan {
            slot,
            first: shared.is_none(),
            writer,
            fused: None,
            norm: None,
            pooled: None,
            residual: None,
            wants_grad,
            rectified: wants_grad && !given && self.pools_rectified(id),
            geometry,
            tiles: Tiles::default(),
            unpacked: false,
            extra: Extra::default(),
        };
        if let Some(conv) = pools {
            self.nodes[conv].pooled = Some(id);
        }
        if let (Some(writer), Some(_)) = (writer, shared) {
            match node.op {
                Op::Activation(activation) => {
                    // A normalisation knows the rectifier only.
                    if self.nodes[writer].geometry.is_some() || matches!(activation, Activation::Relu) {
                        self.nodes[writer].fused = Some(id);
                    }
                    // What comes after the activation is for others to do.
                    self.nodes[id].writer = None;
                }
                Op::BatchNorm { .. } => self.nodes[writer].norm = Some(id),
                Op::Add => self.nodes[writer].residual = residual,
                _ => {}
            }
        }
    }

    /// Decides by which algorithm a convolution is computed.
    fn algorithm(&mut self, id: usize) {
        let Some(geometry) = self.nodes[id].geometry else { return };
        let input = self.nodes[self.graph.nodes[id].inputs[0]].slot;
        let blocked = self.slots[input].value.block == geometry.lanes;
        // With more images, or weights in a cache, multiplying takes longer than reading, and packed weights are faster.
        let weights = self.graph.params[self.graph.nodes[id].first_param].shape.iter().product::<usize>();
        let slow = self.purpose.batch <= FEW && weights >= LARGE;
        self.nodes[id].unpacked = slow && geometry.reads_all() && !self.purpose.backward;
        let Tiles { forward, backward, weights } = geometry.tiles(self.purpose.isa, self.purpose.precision);
        self.nodes[id].tiles = Tiles { forward: forward.filter(|_| blocked), backward, weights: weights && blocked };
    }

    fn lifetimes(&mut self, id: usize, pack_first: bool) {
        let node = &self.graph.nodes[id];
        let batch = self.purpose.batch;
        let (forward, backward) = (Self::forward_time(id), self.backward_time(id));
        let wants_grad = self.nodes[id].wants_grad;
        self.regions.keep(self.slots[self.nodes[id].slot].region, forward);
        if wants_grad {
            self.grad_lifetime(id);
        }
        if self.is_given(id) {
            let slot = &self.slots[self.nodes[id].slot];
            let (region, len) = (slot.region, batch * slot.value.image() + BEYOND);
            self.regions.grow(region, len);
            return;
        }
        for input in &*node.inputs {
            let region = self.slots[self.nodes[*input].slot].region;
            self.regions.keep(region, forward);
        }
        if wants_grad {
            let (input, output) = reads_backward(&node.op);
            let output = output || self.nodes[id].rectified;
            for input in node.inputs.iter().filter(|_| input) {
                let region = self.slots[self.nodes[*input].slot].region;
                self.regions.keep(region, backward);
            }
            if output {
                self.regions.keep(self.slots[self.nodes[id].slot].region, backward);
            }
        }
        self.repacking(id);
        let value = self.slots[self.nodes[id].slot].value;
        let mut extra = std::mem::take(&mut self.nodes[id].extra);
        if let Some(geometry) = self.nodes[id].geometry {
            let input = self.slots[self.nodes[node.inputs[0]].slot].clone();
            let packed_len = |pieces: Vec<(_, WeightMap)>| pieces.iter().map(|(_, map)| map.packed_len()).sum();
            let (from, to) = match self.purpose.frozen {
                true => (0, self.end()),
                false => (if pack_first { 0 } else { forward }, forward),
            };
            // Nothing is kept of weights that are transformed where they are read.
            let transformed = |(winograd, pack): (Winograd, WinogradPack)| match winograd.fresh {
                Some(_) => 0,
                None => pack.packed_len(geometry.lanes),
            };
            let in_order = |layout: &Layout| layout.chw[1] * layout.chw[2] == 1 && layout.halo == [0, 0];
            if self.nodes[id].unpacked && !in_order(&input.value) {
                let len = batch * input.value.chw.iter().product::<usize>();
                extra.flat = Some(self.regions.add(len, forward, forward));
            }
            let len = match self.nodes[id].tiles.forward {
                _ if self.nodes[id].unpacked => 0,
                Some(tile) => transformed(geometry.winograd(tile, &input.value, &value, 0, self.purpose.frozen)),
                None => packed_len(geometry.forward(&input.value, &value)),
            };
            extra.weights = Some(self.regions.add(len, from, to));
            let padded = geometry.outs().next_multiple_of(geometry.lanes);
            extra.bias = Some(self.regions.add(padded, from, to));
            extra.scale = self.nodes[id].norm.map(|_| self.regions.add(padded, from, to));
            if wants_grad {
                // Chunks of images are never more than there are images or 48; see `WeightGrad::new`.
                let d_out = &self.slots[self.nodes[id].slot].grad;
                let len = match self.nodes[id].tiles.weights {
                    true => geometry.winograd_grad(&input.value, d_out, node.first_param).len(),
                    false => {
                        let (grad, _) = geometry.weight_grad(&input.value, d_out);
                        grad.chunks * grad.chunk_len
                    }
                };
                extra.weight_grad = Some(self.regions.add(len, backward, backward));
                if self.nodes[node.inputs[0]].wants_grad {
                    let d_out = &self.slots[self.nodes[id].slot].grad;
                    let len = match self.nodes[id].tiles.backward {
                        Some(tile) => transformed(geometry.winograd_backward(tile, d_out, &input.grad, 0)),
                        None => packed_len(geometry.backward(d_out, &input.grad)),
                    };
                    extra.back_weights = Some(self.regions.add(len, backward, backward));
                }
            }
        }
        let last = if wants_grad { backward } else { self.output_time() };
        match node.op {
            Op::Pool(Pool { kind: PoolKind::Max | PoolKind::Min, .. })
            | Op::GlobalPool(PoolKind::Max | PoolKind::Min)
                if wants_grad =>
            {
                extra.first = Some(self.regions.add(batch * value.image(), forward, last));
            }
            Op::GroupNorm { groups, .. } => {
                let groups = groups.count(node.shape.chw()[0]);
                extra.first = Some(self.regions.add(batch * groups, forward, last));
                extra.second = Some(self.regions.add(batch * groups, forward, last));
            }
            Op::BatchNorm { .. } if self.nodes[id].first => {
                let len = value.blocks() * value.block;
                let last = last.max(self.output_time());
                extra.first = Some(self.regions.add(len, forward, last));
                extra.second = Some(self.regions.add(len, forward, last));
                extra.third = Some(self.regions.add(len, forward, last));
                let sums = 2 * len * BatchNorm::chunks(&value, batch);
                extra.partial[0] = Some(self.regions.add(sums, forward, forward));
                extra.partial[1] = wants_grad.then(|| self.regions.add(sums, backward, backward));
            }
            _ => {}
        }
        self.nodes[id].extra = extra;
        if self.pooled_away(id) {
            return;
        }
        let slot = &self.slots[self.nodes[id].slot];
        // Who reads a plain map by the register may read a little more than there is.
        let beyond = if slot.value.block == 1 { BEYOND } else { 0 };
        let (region, len) = (slot.region, batch * slot.value.image() + beyond);
        self.regions.grow(region, len);
    }

    /// The halos that a convolution needs around its input and around its output's gradient. Lengths are taken only after
    /// all nodes have been here, since the readers of a slot come after its writer.
    fn halos(&mut self, id: usize) {
        let Some(geometry) = self.nodes[id].geometry else { return };
        let widen = |halo: &mut [usize; 2], by: [usize; 2]| *halo = [halo[0].max(by[0]), halo[1].max(by[1])];
        let [value, grad] = geometry.halos();
        let input = self.nodes[self.graph.nodes[id].inputs[0]].slot;
        widen(&mut self.slots[input].value.halo, value);
        let own = self.nodes[id].slot;
        widen(&mut self.slots[own].grad.halo, grad);
    }

    fn grad_lifetime(&mut self, id: usize) {
        let slot = self.nodes[id].slot;
        let from = match self.purpose.part.outputs.contains(&id) {
            true => self.output_time() + 1,
            false => self.backward_time(self.last_reader[id]),
        };
        let to = if self.is_given(id) { self.end() } else { self.backward_time(id) };
        let region = match self.slots[slot].grad_region {
            Some(region) => region,
            None => self.regions.add(0, from, to),
        };
        self.slots[slot].grad_region = Some(region);
        self.regions.grow(region, self.purpose.batch * self.slots[slot].grad.image());
        self.regions.keep(region, to);
        self.regions.keep_from(region, from);
    }

    /// A layer that works by channel on a vector that was flattened from a map needs it as a vector.
    fn repacking(&mut self, id: usize) {
        let node = &self.graph.nodes[id];
        let by_channel = matches!(
            node.op,
            Op::BatchNorm { .. }
                | Op::GroupNorm { .. }
                | Op::Prelu { .. }
                | Op::Lrn { .. }
                | Op::Softmax
                | Op::LogSoftmax
                | Op::ChannelPool { .. }
        );
        let Some(input) = node.inputs.first().filter(|_| by_channel) else { return };
        let Shape::Vector(len) = self.graph.nodes[*input].shape else { return };
        let lanes = self.purpose.isa.lanes();
        let layout = Layout::blocked([len, 1, 1], lanes);
        if self.slots[self.nodes[*input].slot].value.chw == layout.chw {
            return;
        }
        let size = self.purpose.batch * layout.image();
        let (forward, backward) = (Self::forward_time(id), self.backward_time(id));
        let wants_grad = self.nodes[id].wants_grad;
        let region = self.regions.add(size, forward, if wants_grad { backward } else { forward });
        let grad = (wants_grad && self.nodes[*input].wants_grad).then(|| self.regions.add(size, backward, backward));
        self.nodes[id].extra.repacked = Some((layout, region, grad));
    }
}

/// Whether the backward pass of an operation reads its input and its output.
fn reads_backward(op: &Op) -> (bool, bool) {
    match op {
        Op::Conv(_) | Op::ConvTranspose(_) | Op::Linear { .. } | Op::Subsample { .. } => (true, false),
        Op::BatchNorm { .. } | Op::GroupNorm { .. } | Op::Scale => (true, false),
        Op::Lrn { .. } | Op::Prelu { .. } | Op::ChannelPool { .. } => (true, false),
        Op::Activation(activation) => (!from_output(*activation), from_output(*activation)),
        Op::Softmax | Op::LogSoftmax => (false, true),
        Op::Input | Op::Pool(_) | Op::AdaptiveAvgPool | Op::GlobalPool(_) | Op::Flatten | Op::Dropout { .. } => {
            (false, false)
        }
        Op::Add | Op::Concat | Op::Identity | Op::Custom(_) => (false, false),
        Op::Resample(_) | Op::ChannelPad { .. } | Op::ChannelShuffle { .. } | Op::PixelShuffle { .. } => (false, false),
    }
}
