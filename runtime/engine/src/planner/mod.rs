//! From a graph, a batch size and a kind of pass to a program: what is computed where, in which order.
//!
//! [`Planner`] walks the graph to find slots, their layouts and lifetimes, and which node does the work of another (`fusion`);
//! what there is to know of each operation it asks [`operation`]. [`regions`](super::regions) then gives everything its place in
//! one arena, and [`emit`] writes the steps. A plan keeps nothing of the graph.

mod channels;
mod fusion;
mod lifetimes;
mod slots;

use super::error::EngineError;
use super::node::{NodePlan, Planned, Slot};
use super::ops::{Facts, operation};
use super::plan::{Plan, PlanKey};
use super::regions::{Region, Regions, Timeline};
use super::{emit, limits};
use convnet_graph::Graph;

/// Weights up to this many elements are packed at once; beyond, each layer packs its own so that they can share memory.
const PACK_FIRST: usize = 1 << 21;

/// Plans the passes of `graph` for `key`.
///
/// # Errors
/// When the sizes are beyond all memory, or the part is not one that can be planned.
pub fn plan(graph: &Graph, key: PlanKey) -> Result<Plan, EngineError> {
    limits::check(graph, &key)?;
    let (planned, regions) = Planner::new(graph, key).finish();
    finish(&planned, regions)
}

/// A plan for fewer images in the arena of `full`, whose packed parameters it uses.
///
/// # Errors
/// As for [`plan`].
pub fn smaller(full: &Plan, graph: &Graph, batch: usize) -> Result<Plan, EngineError> {
    let (mut planned, regions) = Planner::new(graph, full.key.clone()).finish();
    planned.key.batch = batch.min(full.key.batch);
    for conv in planned.nodes.iter_mut().filter_map(|node| node.conv.as_mut()) {
        conv.geometry.batch = planned.key.batch;
    }
    finish(&planned, regions)
}

fn finish(planned: &Planned<'_>, regions: Regions) -> Result<Plan, EngineError> {
    let places = regions.place().filter(|places| places.len <= limits::MOST).ok_or(EngineError::OutOfMemory)?;
    Ok(emit::plan(planned, &places))
}

/// A graph while it is planned.
struct Planner<'a> {
    graph: &'a Graph,
    key: PlanKey,
    time: Timeline,
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
    fn new(graph: &'a Graph, key: PlanKey) -> Self {
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
        let (slots, regions, time) = (Vec::new(), Regions::default(), Timeline { nodes: graph.nodes.len() });
        let nodes = vec![NodePlan::absent(); graph.nodes.len()];
        Planner { graph, key, time, order, present, regions, slots, nodes, readers, last_reader }
    }

    fn is_given(&self, id: usize) -> bool {
        self.key.part.inputs.contains(&id)
    }

    fn facts(&self, id: usize) -> Facts {
        operation(&self.graph.nodes[id].op).facts(&self.key)
    }

    /// What has been planned, and the regions it asks for.
    fn finish(mut self) -> (Planned<'a>, Regions) {
        let (order, present) = (self.order.clone(), self.present.clone());
        self.collect();
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
        let (inputs, outputs) = self.place_values();
        let (d_inputs, d_outputs) = self.place_value_gradients();
        let (d_params, d_packed) = self.place_gradients();
        let Planner { graph, key, regions, slots, nodes, .. } = self;
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

    /// Numbers of the values of a node.
    fn len(&self, id: usize) -> usize {
        self.key.batch * self.graph.nodes[id].shape.len()
    }

    /// Places for what is given and what is wanted.
    fn place_values(&mut self) -> (Vec<Region>, Vec<Region>) {
        let (part, time) = (self.key.part.clone(), self.time.output());
        let inputs = part.inputs.iter().map(|id| self.regions.add(self.len(*id), 0, 0)).collect();
        let outputs = part.outputs.iter().map(|id| self.regions.add(self.len(*id), time, time + 1)).collect();
        for id in &part.outputs {
            self.regions.keep(self.slots[self.nodes[*id].slot].region, time);
        }
        (inputs, outputs)
    }

    /// Places for the gradients of what is given and of what is wanted.
    fn place_value_gradients(&mut self) -> (Vec<Option<Region>>, Vec<Region>) {
        let (part, start, end) = (self.key.part.clone(), self.time.output() + 1, self.time.end());
        let mut d_inputs = vec![None; part.inputs.len()];
        if !self.key.backward {
            return (d_inputs, Vec::new());
        }
        let d_outputs = part.outputs.iter().map(|id| self.regions.add(self.len(*id), start, start)).collect();
        for (place, id) in d_inputs.iter_mut().zip(&part.inputs).filter(|(_, id)| self.nodes[**id].wants_grad) {
            *place = Some(self.regions.add(self.len(*id), end, end));
        }
        (d_inputs, d_outputs)
    }

    /// Places for the parameters that are not packed, and how many numbers all of them are.
    fn place_params(&mut self) -> (Vec<Option<Region>>, usize) {
        let (graph, mut total) = (self.graph, 0_usize);
        let mut places = vec![None; graph.params.len()];
        for id in self.order.clone() {
            for param in graph.nodes[id].param_ids() {
                let len = graph.params[param].shape.iter().product::<usize>();
                if !self.is_packed(id) {
                    places[param] = Some(self.regions.add(len, 0, self.time.end()));
                }
                total = total.saturating_add(len);
            }
        }
        (places, total)
    }

    /// Places for the gradients of parameters, and those that have none here, since they are written where they are wanted.
    fn place_gradients(&mut self) -> (Vec<Option<Region>>, Vec<usize>) {
        let (graph, mut packed) = (self.graph, Vec::new());
        let mut places = vec![None; graph.params.len()];
        // Without a backward pass no node wants a gradient.
        for id in self.order.iter().copied().filter(|id| self.nodes[*id].wants_grad) {
            let node = &graph.nodes[id];
            for param in node.param_ids().filter(|param| graph.params[*param].trainable) {
                if self.nodes[id].conv.is_some() && param == node.first_param {
                    packed.push(param);
                } else {
                    let len = graph.params[param].shape.iter().product();
                    places[param] = Some(self.regions.add(len, self.time.backward(id), self.time.end()));
                }
            }
        }
        (places, packed)
    }

    /// Whether the parameters of `id` are read by the step that packs them, and by nobody else: those of a convolution, and of a
    /// normalisation that is folded into one.
    fn is_packed(&self, id: usize) -> bool {
        self.nodes[id].conv.is_some() || self.nodes[id].done_by.is_some()
    }
}
