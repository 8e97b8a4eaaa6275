//! From a graph, a batch size and a kind of pass to a program: what is computed where, in which order.
//!
//! [`Planner`] walks the graph to find slots, their layouts and lifetimes; [`regions`](super::regions) gives all of them places
//! in one arena; [`emit`](super::emit) then writes the steps. A plan keeps nothing of the graph.

mod buffers;
mod facts;
mod fusion;

use super::algorithm::Tiles;
use super::error::EngineError;
use super::kernels::{BEYOND, FEW};
use super::layout::Layout;
use super::node::{NodePlan, Planned, Slot};
use super::plan::{Plan, PlanKey};
use super::regions::{Region, Regions};
use super::{emit, limits};
use convnet_graph::{Activation, Graph, Op};
use facts::{geometry, reads_backward};

/// Weights up to this many elements are packed at once; beyond, each layer packs its own so that they can share memory.
const PACK_FIRST: usize = 1 << 21;

/// Weights of a linear layer that no near cache holds.
const LARGE: usize = 1 << 17;

/// Plans the passes of `graph` for `key`.
///
/// # Errors
/// When the sizes are beyond all memory, or the part is not one that can be planned.
pub fn plan(graph: &Graph, key: PlanKey) -> Result<Plan, EngineError> {
    limits::check(graph, &key)?;
    let (planned, regions) = Planner::new(graph, key).finish();
    finish(planned, regions)
}

/// A plan for fewer images in the arena of `full`, whose packed parameters it uses.
///
/// # Errors
/// As for [`plan`].
pub fn smaller(full: &Plan, graph: &Graph, batch: usize) -> Result<Plan, EngineError> {
    let (mut planned, regions) = Planner::new(graph, full.key.clone()).finish();
    planned.key.batch = batch.min(full.key.batch);
    for geometry in planned.nodes.iter_mut().filter_map(|node| node.geometry.as_mut()) {
        geometry.batch = planned.key.batch;
    }
    finish(planned, regions)
}

fn finish(planned: Planned<'_>, regions: Regions) -> Result<Plan, EngineError> {
    let places = regions.place().filter(|places| places.len <= limits::MOST).ok_or(EngineError::OutOfMemory)?;
    Ok(emit::plan(planned, places))
}

/// The walk in the making.
pub struct Planner<'a> {
    graph: &'a Graph,
    key: PlanKey,
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

impl<'a> Planner<'a> {
    /// For `graph` and `key`.
    pub fn new(graph: &'a Graph, key: PlanKey) -> Self {
        let covered = key.part.covered(graph);
        let order: Vec<usize> = (0..graph.nodes.len()).filter(|id| covered[*id]).collect();
        let present = (0..graph.nodes.len()).filter(|id| covered[*id] || key.part.inputs.contains(id)).collect();
        let mut readers = vec![0; graph.nodes.len()];
        let mut last_reader: Vec<usize> = (0..graph.nodes.len()).collect();
        for id in &order {
            for input in &*graph.nodes[*id].inputs {
                readers[*input] += 1;
                last_reader[*input] = *id;
            }
        }
        key.part.outputs.iter().for_each(|output| readers[*output] += 1);
        let (slots, regions) = (Vec::new(), Regions::default());
        let nodes = vec![NodePlan::absent(); graph.nodes.len()];
        Planner { graph, key, order, present, regions, slots, nodes, readers, last_reader }
    }

    fn is_given(&self, id: usize) -> bool {
        self.key.part.inputs.contains(&id)
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

    /// What has been planned, and the regions it asks for.
    pub fn finish(mut self) -> (Planned<'a>, Regions) {
        let graph = self.graph;
        let batch = self.key.batch;
        let (order, present) = (self.order.clone(), self.present.clone());
        for id in &present {
            self.node(*id);
            self.join(*id);
        }
        order.iter().for_each(|id| self.algorithm(*id));
        order.iter().for_each(|id| self.halos(*id));
        self.even_halos();
        let (params, total) = self.place_params();
        let pack_first = total <= PACK_FIRST && !self.key.frozen;
        present.iter().for_each(|id| self.lifetimes(*id, pack_first));
        let part = self.key.part.clone();
        let len = |id: &usize| batch * graph.nodes[*id].shape.len();
        let inputs = part.inputs.iter().map(|id| self.regions.add(len(id), 0, 0)).collect();
        let out_time = self.output_time();
        let outputs = part.outputs.iter().map(|id| self.regions.add(len(id), out_time, out_time + 1)).collect();
        for id in &part.outputs {
            let slot = self.slots[self.nodes[*id].slot].region;
            self.regions.keep(slot, out_time);
        }
        let (mut d_outputs, mut d_inputs) = (Vec::new(), vec![None; part.inputs.len()]);
        let (mut d_params, mut d_packed) = (vec![None; params.len()], Vec::new());
        if self.key.backward {
            let add = |id: &usize| self.regions.add(len(id), out_time + 1, out_time + 1);
            d_outputs = part.outputs.iter().map(add).collect();
            for (place, id) in d_inputs.iter_mut().zip(&part.inputs).filter(|(_, id)| self.nodes[**id].wants_grad) {
                *place = Some(self.regions.add(len(id), self.end(), self.end()));
            }
            d_packed = self.place_gradients(&mut d_params);
        }
        let Planner { key, regions, slots, nodes, .. } = self;
        let planned = Planned {
            graph,
            key,
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
        (planned, regions)
    }

    /// Places for the parameters that are not packed, and how many numbers all of them are.
    fn place_params(&mut self) -> (Vec<Option<Region>>, usize) {
        let (graph, mut total) = (self.graph, 0_usize);
        let mut places = vec![None; graph.params.len()];
        for id in self.order.clone() {
            for param in graph.nodes[id].param_ids() {
                let len = graph.params[param].shape.iter().product::<usize>();
                if !self.is_packed(id) {
                    places[param] = Some(self.regions.add(len, 0, self.end()));
                }
                total = total.saturating_add(len);
            }
        }
        (places, total)
    }

    /// Places for the gradients of parameters; gives those that have none here, since they are written where they are wanted.
    fn place_gradients(&mut self, places: &mut [Option<Region>]) -> Vec<usize> {
        let (graph, mut packed) = (self.graph, Vec::new());
        for id in self.order.clone() {
            let node = &graph.nodes[id];
            for param in node.param_ids() {
                if !graph.params[param].trainable || !self.nodes[id].wants_grad {
                    continue;
                }
                if self.nodes[id].geometry.is_some() && param == node.first_param {
                    packed.push(param);
                } else {
                    let len = graph.params[param].shape.iter().product();
                    places[param] = Some(self.regions.add(len, self.backward_time(id), self.end()));
                }
            }
        }
        packed
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
        let (key, lanes) = (&self.key, self.key.isa.lanes());
        let wants_grad = key.backward
            && match given {
                true => key.input_grad && self.readers[id] > 0,
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
        let geometry = input_chw.and_then(|input| geometry(graph, node, input, key.batch, lanes));
        let writes = geometry.is_some() || matches!(node.op, Op::BatchNorm { .. }) && !given;
        let writer = match shared {
            Some(input) => self.nodes[input].writer,
            None => writes.then_some(id),
        };
        self.nodes[id] = NodePlan {
            slot,
            first: shared.is_none(),
            writer,
            wants_grad,
            rectified: wants_grad && !given && self.pools_rectified(id),
            geometry,
            ..NodePlan::absent()
        };
        if let Some(conv) = pools {
            self.nodes[conv].pooled = Some(id);
        }
        if let (Some(writer), Some(_)) = (writer, shared) {
            self.fuse(id, writer, residual);
        }
    }

    /// Has `writer`, whose slot `id` shares, do the work of `id` too.
    fn fuse(&mut self, id: usize, writer: usize, residual: Option<usize>) {
        match self.graph.nodes[id].op {
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
            // There is nothing to do.
            Op::Flatten | Op::Identity | Op::Dropout { .. } => {}
            // These have a slot of their own.
            Op::Input | Op::Custom(_) | Op::Conv(_) | Op::ConvTranspose(_) | Op::Linear { .. } => {}
            Op::Pool(_)
            | Op::GlobalPool(_)
            | Op::AdaptiveAvgPool
            | Op::ChannelPool { .. }
            | Op::Subsample { .. }
            | Op::Lrn { .. } => {}
            Op::Softmax | Op::LogSoftmax | Op::Prelu { .. } | Op::Scale | Op::Concat | Op::Resample(_) => {}
            Op::ChannelPad { .. } | Op::ChannelShuffle { .. } | Op::PixelShuffle { .. } | Op::GroupNorm { .. } => {}
        }
    }

    /// Decides by which algorithm a convolution is computed.
    fn algorithm(&mut self, id: usize) {
        let Some(geometry) = self.nodes[id].geometry else { return };
        let input = self.nodes[self.graph.nodes[id].inputs[0]].slot;
        let blocked = self.slots[input].value.block == geometry.lanes;
        // With more images, or weights in a cache, multiplying takes longer than reading, and packed weights are faster.
        let weights = self.graph.params[self.graph.nodes[id].first_param].shape.iter().product::<usize>();
        let slow = self.key.batch <= FEW && weights >= LARGE;
        self.nodes[id].unpacked = slow && geometry.reads_all() && !self.key.backward;
        let Tiles { forward, backward, weights } = geometry.tiles(self.key.isa, self.key.precision);
        self.nodes[id].tiles = Tiles { forward: forward.filter(|_| blocked), backward, weights: weights && blocked };
    }

    fn lifetimes(&mut self, id: usize, pack_first: bool) {
        let node = &self.graph.nodes[id];
        let batch = self.key.batch;
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
        self.conv_extra(id, pack_first);
        self.op_extra(id);
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
        let from = match self.key.part.outputs.contains(&id) {
            true => self.output_time() + 1,
            false => self.backward_time(self.last_reader[id]),
        };
        let to = if self.is_given(id) { self.end() } else { self.backward_time(id) };
        let region = match self.slots[slot].grad_region {
            Some(region) => region,
            None => self.regions.add(0, from, to),
        };
        self.slots[slot].grad_region = Some(region);
        self.regions.grow(region, self.key.batch * self.slots[slot].grad.image());
        self.regions.keep(region, to);
        self.regions.keep_from(region, from);
    }
}
