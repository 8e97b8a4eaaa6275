//! Writes the steps of a plan, node by node: forward in order, backward in reverse.
//!
//! A stage ends with a barrier after the steps whose results the next ones read.

mod backward;
mod forward;
mod steps;

use super::kernels::*;
use super::layout::Layout;
use super::node::{NodePlan, Planned};
use super::plan::{Plan, Statistics};
use super::program::Program;
use super::regions::{Places, Region};
use convnet_graph::Op;

/// Turns what has been planned into a plan, now that every region has its place.
pub fn plan(planned: Planned<'_>, places: Places) -> Plan {
    let mut emitter =
        Emitter { written: vec![false; planned.slots.len()], planned: &planned, places: &places, steps: Vec::new() };
    let prepare = planned.key.frozen.then(|| {
        planned.order.iter().for_each(|id| emitter.pack(*id));
        std::mem::take(&mut emitter.steps)
    });
    emitter.forward();
    let forward = std::mem::take(&mut emitter.steps);
    let backward = (!planned.d_outputs.is_empty()).then(|| {
        emitter.backward();
        std::mem::take(&mut emitter.steps)
    });
    let (graph, part, batch) = (planned.graph, &planned.key.part, planned.key.batch);
    let span = |region: Region, len: usize| places.of(region)..places.of(region) + len;
    let param_len = |i: usize| graph.params[i].shape.iter().product::<usize>();
    let program = |steps| Program::new(steps, planned.key.isa, places.len);
    let len = |id: &usize| batch * graph.nodes[*id].shape.len();
    let values = |regions: &[Region], ids: &[usize]| -> Vec<_> {
        regions.iter().zip(ids).map(|(region, id)| span(*region, len(id))).collect()
    };
    let params = |regions: &[Option<Region>]| -> Vec<_> {
        regions.iter().enumerate().map(|(i, region)| region.map(|region| span(region, param_len(i)))).collect()
    };
    let d_inputs = planned.d_inputs.iter().zip(&part.inputs);
    Plan {
        arena_len: places.len,
        prepare: prepare.map(program),
        forward: program(forward),
        backward: backward.map(program),
        inputs: values(&planned.inputs, &part.inputs),
        params: params(&planned.params),
        read: read(&planned),
        outputs: values(&planned.outputs, &part.outputs),
        d_outputs: values(&planned.d_outputs, &part.outputs),
        d_params: params(&planned.d_params),
        d_packed: planned.d_packed.clone(),
        d_inputs: d_inputs.map(|(region, id)| region.map(|region| span(region, len(id)))).collect(),
        statistics: statistics(&planned, &places),
        key: planned.key.clone(),
    }
}

/// The weights of linear layers that are not packed.
fn read(planned: &Planned<'_>) -> Vec<usize> {
    let linear = planned.order.iter().filter(|id| planned.nodes[**id].unpacked);
    linear.map(|id| planned.graph.nodes[*id].first_param).collect()
}

fn statistics(planned: &Planned<'_>, places: &Places) -> Vec<Statistics> {
    let nodes = planned.order.iter().map(|id| (&planned.graph.nodes[*id], &planned.nodes[*id]));
    let norms = nodes.filter_map(|(node, plan)| {
        let Op::BatchNorm { momentum, .. } = node.op else { return None };
        let channels = planned.graph.params[node.first_param].shape.iter().product::<usize>();
        let [_, height, width] = planned.slots[plan.slot].value.chw;
        let span = |region| places.of(region)..places.of(region) + channels;
        Some(Statistics {
            param: node.first_param + 2,
            old: [planned.params[node.first_param + 2].map(span)?, planned.params[node.first_param + 3].map(span)?],
            momentum,
            mean: span(plan.extra.first?),
            var: span(plan.extra.third?),
            count: planned.key.batch * height * width,
        })
    });
    norms.filter(|_| planned.key.training).collect()
}

struct Emitter<'a> {
    planned: &'a Planned<'a>,
    places: &'a Places,
    steps: Vec<Step>,
    /// Slots whose gradient holds something.
    written: Vec<bool>,
}

impl<'a> Emitter<'a> {
    fn batch(&self) -> usize {
        self.planned.key.batch
    }

    fn node(&self, id: usize) -> &'a NodePlan<'a> {
        &self.planned.nodes[id]
    }

    fn value(&self, id: usize) -> Layout {
        let slot = &self.planned.slots[self.node(id).slot];
        slot.value.at(self.places.of(slot.region) + slot.first_block * slot.value.plane())
    }

    /// The gradient of a node's slot; its place is only meaningful where the slot has one.
    fn grad(&self, id: usize) -> Layout {
        let slot = &self.planned.slots[self.node(id).slot];
        slot.grad.at(slot.grad_region.map_or(0, |region| self.places.of(region)))
    }

    fn place(&self, region: Option<Region>) -> usize {
        region.map_or(0, |region| self.places.of(region))
    }

    fn param(&self, index: usize) -> usize {
        self.place(self.planned.params[index])
    }

    fn d_param(&self, index: usize) -> usize {
        self.place(self.planned.d_params[index])
    }

    fn push(&mut self, step: Step) {
        self.steps.push(step);
    }

    fn end_stage(&mut self) {
        if !matches!(self.steps.last(), None | Some(Step::Barrier)) {
            self.steps.push(Step::Barrier);
        }
    }

    fn clear_halo(&mut self, layout: Layout) {
        if layout.halo != [0, 0] {
            self.push(Step::Clear(Clear { layout, batch: self.batch(), whole: false }));
        }
    }

    /// The input of a node that works by channel, repacked if it comes flattened from a map.
    fn by_channel(&self, id: usize) -> Layout {
        match self.node(id).extra.repacked {
            Some((layout, region, _)) => layout.at(self.places.of(region)),
            None => self.value(self.planned.graph.nodes[id].inputs[0]),
        }
    }
}
