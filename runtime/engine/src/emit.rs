//! Writes the steps of a plan, node by node: forward in order, backward in reverse.

use super::kernels::{Collect, GradMode, Repack};
use super::node::{Collected, Planned};
use super::ops::operation;
use super::plan::Plan;
use super::program::Program;
use super::regions::{Places, Region};
use super::writer::Writer;

/// Turns what has been planned into a plan, now that every region has its place.
pub fn plan(planned: &Planned<'_>, places: &Places) -> Plan {
    let to = &mut Writer::new(planned, places);
    let prepare = planned.key.frozen.then(|| {
        pack(to);
        to.take()
    });
    forward(to);
    let forward = to.take();
    let backward = (!planned.d_outputs.is_empty()).then(|| {
        backward(to);
        to.take()
    });
    let (graph, part, batch) = (planned.graph, &planned.key.part, to.batch());
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
    let statistics = |id: &usize| operation(&graph.nodes[*id].op).statistics(to, *id);
    Plan {
        arena_len: places.len,
        prepare: prepare.map(program),
        forward: program(forward),
        backward: backward.map(program),
        inputs: values(&planned.inputs, &part.inputs),
        params: params(&planned.params),
        read: read(planned),
        outputs: values(&planned.outputs, &part.outputs),
        d_outputs: values(&planned.d_outputs, &part.outputs),
        d_params: params(&planned.d_params),
        d_packed: planned.d_packed.clone(),
        d_inputs: d_inputs.map(|(region, id)| region.map(|region| span(region, len(id)))).collect(),
        statistics: planned
            .order
            .iter()
            .filter(|id| planned.key.takes_statistics(**id))
            .filter_map(statistics)
            .collect(),
        key: planned.key.clone(),
    }
}

/// The weights of linear layers that are not packed.
fn read(planned: &Planned<'_>) -> Vec<usize> {
    let unpacked = |id: &&usize| planned.nodes[**id].conv.is_some_and(|conv| conv.unpacked);
    planned.order.iter().filter(unpacked).map(|id| planned.graph.nodes[*id].first_param).collect()
}

/// Packs the parameters of all nodes.
fn pack(to: &mut Writer<'_>) {
    for id in &to.planned().order {
        operation(&to.node(*id).op).pack(to, *id);
    }
}

fn forward(to: &mut Writer<'_>) {
    let (planned, batch) = (to.planned(), to.batch());
    for (id, region) in planned.key.part.inputs.iter().zip(&planned.inputs) {
        let (staging, input) = (to.outside(*id, *region), to.value(*id));
        to.clear_halo(input);
        to.push(Repack::whole(staging, input, batch, false));
    }
    if planned.pack_first {
        pack(to);
    }
    to.end_stage();
    for id in &planned.order {
        forward_node(to, *id);
        to.end_stage();
    }
    for (id, region) in planned.key.part.outputs.iter().zip(&planned.outputs) {
        let (value, outside) = (to.value(*id), to.outside(*id, *region));
        to.push(Repack::whole(value, outside, batch, false));
    }
}

fn forward_node(to: &mut Writer<'_>, id: usize) {
    let plan = to.plan(id);
    if plan.collected.as_ref().is_some_and(|collected| !collected.present) {
        return;
    }
    if to.is_first(id) && plan.does.pool.is_none() {
        to.clear_halo(to.value(id));
    }
    if let Some(Collected { channels, .. }) = &plan.collected {
        let from: Vec<_> = channels.iter().map(|(node, channel)| (to.value(*node), *channel)).collect();
        if let Some(step) = Collect::new(&to.value(id), &from, to.batch()) {
            to.push(step);
        }
    } else if plan.done_by.is_none() {
        to.repack_source(id);
        operation(&to.node(id).op).forward(to, id);
    }
}

fn backward(to: &mut Writer<'_>) {
    let (planned, batch) = (to.planned(), to.batch());
    for (id, region) in planned.key.part.outputs.iter().zip(&planned.d_outputs) {
        if to.plan(*id).wants_grad {
            let from = to.outside(*id, *region);
            let (grad, mode) = to.grad_of(*id);
            to.push(Repack::whole(from, grad, batch, mode == GradMode::Add));
            // Two outputs may be one value, looked at differently.
            to.end_stage();
        }
    }
    for id in planned.order.iter().rev().filter(|id| planned.nodes[**id].wants_grad) {
        let operation = operation(&to.node(*id).op);
        if to.is_first(*id) {
            operation.backward(to, *id);
        } else {
            operation.backward_shared(to, *id);
        }
        to.end_stage();
    }
    for (id, region) in planned.key.part.inputs.iter().zip(&planned.d_inputs) {
        if let Some(region) = region {
            let (grad, outside) = (to.grad(*id), to.outside(*id, *region));
            to.push(Repack::whole(grad, outside, batch, false));
        }
    }
}
