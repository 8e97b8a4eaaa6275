//! The planner's walk over a graph: slots, layouts, lifetimes.

use super::algorithm::Tiles;
use super::geometry::Geometry;
use super::kernels::{BEYOND, BatchNorm, FEW, WeightMap, from_output};
use super::layout::Layout;
use super::plan::{Draft, Extra, NodePlan, Purpose, Slot};
use super::regions::Regions;
use crate::graph::{Activation, Graph, Op, Pad, Pool, PoolKind, Shape};

/// Weights up to this many elements are packed at once; beyond, each layer packs its own so that they can share memory.
const PACK_FIRST: usize = 1 << 21;

/// Weights of a linear layer that no near cache holds.
const LARGE: usize = 1 << 17;

/// A draft in the making.
pub struct Drafting {
    graph: &'static Graph,
    purpose: Purpose,
    /// The nodes to compute, in order.
    order: Vec<usize>,
    /// Those and the nodes whose values are given.
    present: Vec<usize>,
    regions: Regions,
    slots: Vec<Slot>,
    nodes: Vec<NodePlan>,
    readers: Vec<usize>,
    last_reader: Vec<usize>,
}

impl Drafting {
    /// For `graph` and `purpose`.
    pub fn new(graph: &'static Graph, purpose: Purpose) -> Self {
        let covered = purpose.part.covered(graph);
        let order: Vec<usize> = (0..graph.nodes.len()).filter(|id| covered[*id]).collect();
        let present = (0..graph.nodes.len()).filter(|id| covered[*id] || purpose.part.inputs.contains(id)).collect();
        let mut readers = vec![0; graph.nodes.len()];
        let mut last_reader: Vec<usize> = (0..graph.nodes.len()).collect();
        for id in &order {
            for input in graph.nodes[*id].inputs {
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
    pub fn finish(mut self) -> (Draft, Regions) {
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
            for param in node.first_param..node.first_param + node.op.n_params() {
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
                for param in node.first_param..node.first_param + node.op.n_params() {
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

    /// Whether `id` is the only reader of the slot of its input `input`, so that it may overwrite it.
    fn alone(&self, id: usize, input: usize) -> bool {
        let region = self.slots[self.nodes[input].slot].region;
        // All nodes that share the memory so far must form a chain that leads to `id`.
        let sharing = |other: &usize| self.slots.get(self.nodes[*other].slot).is_some_and(|slot| slot.region == region);
        (0..id).filter(sharing).all(|other| self.readers[other] == 1)
            && !self.is_given(input)
            && !self.shares_given(input)
    }

    /// Moves the inputs of the concatenation `id` into its memory, where they fill blocks of their own: then nothing has to be
    /// copied. Only for a single image, whose parts are in one piece.
    fn join(&mut self, id: usize) {
        let (graph, purpose) = (self.graph, &self.purpose);
        if !matches!(graph.nodes[id].op, Op::Concat) || purpose.batch > 1 || purpose.backward || self.is_given(id) {
            return;
        }
        let (whole, lanes) = (self.slots[self.nodes[id].slot].clone(), purpose.isa.lanes());
        let [channels, height, width] = whole.value.chw;
        let mut next = 0;
        for input in graph.nodes[id].inputs {
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
    fn even_halos(&mut self) {
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
        match self.nodes[writer].geometry {
            // A backward pass needs a convolution's own result.
            Some(geometry) => !self.purpose.training && !self.purpose.backward && geometry.by_block(),
            None => true,
        }
        .then_some(writer)
    }

    /// For a sum: the term whose writer can add the other one, which is there before it, and that other one.
    fn residual(&self, id: usize) -> Option<(usize, usize)> {
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
    fn shared(&self, id: usize) -> Option<usize> {
        let node = &self.graph.nodes[id];
        if self.is_given(id) {
            return None;
        }
        let input = *node.inputs.first()?;
        match node.op {
            Op::Flatten | Op::Identity => Some(input),
            Op::Dropout { p, .. } if !self.purpose.dropout || p == 0.0 => Some(input),
            Op::Activation(activation) => {
                // A backward pass that reads an output needs it as it was before the next activation.
                let slot = self.nodes[input].slot;
                let mut sharing = (0..id).filter(|other| self.nodes[*other].slot == slot);
                let unread =
                    sharing.all(|other| !reads_backward(&self.graph.nodes[other].op).1 && !self.nodes[other].rectified);
                let allowed = !self.purpose.backward || (unread && from_output(activation));
                (allowed && self.alone(id, input)).then_some(input)
            }
            Op::BatchNorm { .. } => {
                let conv = self.fusing(id, input).map(|writer| &self.nodes[writer]);
                let free = |conv: &NodePlan| conv.geometry.is_some() && conv.norm.is_none() && conv.residual.is_none();
                conv.is_some_and(free).then_some(input)
            }
            Op::Add => self.residual(id).map(|(term, _)| term),
            _ => None,
        }
    }

    /// Whether `id` is a value that was given, looked at differently.
    fn shares_given(&self, id: usize) -> bool {
        self.purpose.part.inputs.iter().any(|given| self.nodes[*given].slot == self.nodes[id].slot)
    }

    fn node(&mut self, id: usize) {
        let node = &self.graph.nodes[id];
        let given = self.is_given(id);
        let inputs = if given { &[] } else { node.inputs };
        let (purpose, lanes) = (&self.purpose, self.purpose.isa.lanes());
        let wants_grad = purpose.backward
            && match given {
                true => purpose.input_grad && self.readers[id] > 0,
                false => node.params > 0 || inputs.iter().any(|input| self.nodes[*input].wants_grad),
            };
        let shared = self.shared(id);
        let residual = if let Op::Add = node.op { self.residual(id).map(|(_, other)| other) } else { None };
        let pools = self.pools(id).filter(|_| self.read_by_pixel(id));
        let slot = match shared {
            Some(input) => self.nodes[input].slot,
            None => {
                let mut chw = node.shape.chw();
                // Element by element, a flattened value keeps the layout of the map it was.
                if let (Op::Activation(_) | Op::Dropout { .. }, Some(input)) = (node.op, inputs.first()) {
                    chw = self.slots[self.nodes[*input].slot].value.chw;
                }
                let planar = (given || pools.is_some()) && self.read_by_pixel(id);
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
            (Op::Conv(conv), Some(input)) => Some(Geometry::conv(conv, input, node.shape.chw(), purpose.batch, lanes)),
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

    /// The convolution that computes `id`, a pool of two rows and columns, too: it has few channels, reads a plain map, and
    /// nobody else wants its result.
    fn pools(&self, id: usize) -> Option<usize> {
        let node = &self.graph.nodes[id];
        let Op::Pool(Pool { kind: PoolKind::Max | PoolKind::Avg(_), kernel: [2, 2], stride: [2, 2], pad }) = node.op
        else {
            return None;
        };
        let input = *node.inputs.first().filter(|_| pad == Pad::default() && !self.is_given(id))?;
        let slot = self.nodes[input].slot;
        let (conv, plan) =
            self.nodes.iter().enumerate().find(|(at, plan)| *at < id && plan.first && plan.slot == slot)?;
        let fused = plan.fused.map_or(true, |fused| self.graph.nodes[fused].op == Op::Activation(Activation::Relu));
        // Nothing that the convolution does not do itself may lie between.
        let chain = (conv + 1..id).filter(|other| self.nodes[*other].slot == slot);
        let done = chain.clone().all(|other| plan.fused == Some(other) || plan.norm == Some(other));
        let reads = self.slots[self.nodes[*self.graph.nodes[conv].inputs.first()?].slot].value;
        let pays = plan.geometry?.few_channels(&reads);
        let inference = !self.purpose.training && !self.purpose.backward;
        (inference && fused && done && plan.residual.is_none() && pays && self.alone(id, input)).then_some(conv)
    }

    /// Whether `id` is a max pool, and the only reader of a rectifier that shares its convolution's slot.
    fn pools_rectified(&self, id: usize) -> bool {
        let node = &self.graph.nodes[id];
        let (Op::Pool(Pool { kind: PoolKind::Max, .. }), Some(input)) = (node.op, node.inputs.first()) else {
            return false;
        };
        let rectifier = matches!(self.graph.nodes[*input].op, Op::Activation(Activation::Relu));
        rectifier && !self.nodes[*input].first && self.readers[*input] == 1
    }

    /// Whether all that read node `id`, however often it is flattened, are convolutions and linear layers, which can read
    /// the outside world's layout.
    fn read_by_pixel(&self, id: usize) -> bool {
        let mut same = vec![id];
        !self.purpose.part.outputs.contains(&id)
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
        for input in node.inputs {
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
            let lanes = geometry.lanes;
            let in_order = |layout: &Layout| layout.chw[1] * layout.chw[2] == 1 && layout.halo == [0, 0];
            if self.nodes[id].unpacked && !in_order(&input.value) {
                let len = batch * input.value.chw.iter().product::<usize>();
                extra.flat = Some(self.regions.add(len, forward, forward));
            }
            let len = match self.nodes[id].tiles.forward {
                _ if self.nodes[id].unpacked => 0,
                Some(tile) => {
                    let (winograd, pack) = geometry.winograd(tile, &input.value, &value, 0, self.purpose.frozen);
                    if winograd.fresh.is_some() { 0 } else { pack.packed_len(lanes) }
                }
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
                        Some(tile) => {
                            let (winograd, pack) = geometry.winograd_backward(tile, d_out, &input.grad, 0);
                            if winograd.fresh.is_some() { 0 } else { pack.packed_len(lanes) }
                        }
                        None => packed_len(geometry.backward(d_out, &input.grad)),
                    };
                    extra.back_weights = Some(self.regions.add(len, backward, backward));
                }
            }
        }
        let last = if wants_grad { backward } else { self.output_time() };
        match node.op {
            Op::Pool(Pool { kind: PoolKind::Max | PoolKind::Min, .. }) if wants_grad => {
                extra.first = Some(self.regions.add(batch * value.image(), forward, last));
            }
            Op::GroupNorm { groups, .. } => {
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

    /// Whether the value of `id` is never there, since the convolution that would write it pools it.
    fn pooled_away(&self, id: usize) -> bool {
        self.nodes.iter().any(|plan| plan.slot == self.nodes[id].slot && plan.pooled.is_some())
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
        Op::Input | Op::Pool(_) | Op::AdaptiveAvgPool | Op::Flatten | Op::Dropout { .. } => (false, false),
        Op::Add | Op::Concat | Op::Identity | Op::Custom(_) => (false, false),
        Op::Resample(_) | Op::ChannelPad { .. } | Op::ChannelShuffle { .. } | Op::PixelShuffle { .. } => (false, false),
    }
}
