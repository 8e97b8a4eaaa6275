//! What the steps of a plan are written with: a list of them, and where the numbers of each node lie.
//!
//! A stage ends with a barrier after the steps whose results the next ones read. Gradients are written by the first reader of a
//! value that the backward pass meets and added to by the others, so a value may have any number of readers.

use super::kernels::{Clear, GradMode, Repack, Step};
use super::layout::Layout;
use super::node::{NodePlan, Planned, Slot};
use super::regions::{Places, Region};
use convnet_graph::Node;

/// Steps in the making.
pub struct Writer<'a> {
    planned: &'a Planned<'a>,
    places: &'a Places,
    steps: Vec<Step>,
    /// Slots whose gradient holds something.
    written: Vec<bool>,
}

impl<'a> Writer<'a> {
    /// For what has been planned, with a place for each region.
    pub fn new(planned: &'a Planned<'a>, places: &'a Places) -> Self {
        Writer { written: vec![false; planned.slots.len()], planned, places, steps: Vec::new() }
    }

    /// The steps that have been written since the last time.
    pub fn take(&mut self) -> Vec<Step> {
        std::mem::take(&mut self.steps)
    }

    /// Writes a step.
    pub fn push(&mut self, step: impl Into<Step>) {
        self.steps.push(step.into());
    }

    /// Ends a stage: what was written before may be read after.
    pub fn end_stage(&mut self) {
        if !matches!(self.steps.last(), None | Some(Step::Barrier)) {
            self.steps.push(Step::Barrier);
        }
    }

    /// What the steps are written for.
    pub fn planned(&self) -> &'a Planned<'a> {
        self.planned
    }

    /// Images.
    pub fn batch(&self) -> usize {
        self.planned.key.batch
    }

    /// A node of the graph.
    pub fn node(&self, id: usize) -> &'a Node {
        &self.planned.graph.nodes[id]
    }

    /// The first input of a node.
    pub fn input(&self, id: usize) -> usize {
        self.node(id).inputs[0]
    }

    /// What the planner has found out about a node.
    pub fn plan(&self, id: usize) -> &'a NodePlan<'a> {
        &self.planned.nodes[id]
    }

    /// The slot of a node.
    pub fn slot(&self, id: usize) -> &'a Slot {
        &self.planned.slots[self.plan(id).slot]
    }

    /// Whether a node writes its slot for the first time.
    pub fn is_first(&self, id: usize) -> bool {
        self.slot(id).node == id
    }

    /// Whether a gradient has to reach the first input of a node.
    pub fn input_wants_grad(&self, id: usize) -> bool {
        self.plan(self.input(id)).wants_grad
    }

    /// Where the value of a node lies.
    pub fn value(&self, id: usize) -> Layout {
        let slot = self.slot(id);
        slot.value.at(self.place(slot.region) + slot.first_block * slot.value.plane())
    }

    /// The gradient of a node's slot; its place is only meaningful where the slot has one.
    pub fn grad(&self, id: usize) -> Layout {
        let slot = self.slot(id);
        slot.grad.at(slot.grad_region.map_or(0, |region| self.place(region)))
    }

    /// The value of a node as the outside world lays it out, in a region of its own.
    pub fn outside(&self, id: usize, region: Region) -> Layout {
        Layout::planar(self.node(id).shape.chw()).at(self.place(region))
    }

    /// Where a region lies.
    pub fn place(&self, region: Region) -> usize {
        self.places.of(region)
    }

    /// Where a parameter lies that is read in the arena; 0 for another one.
    pub fn param(&self, index: usize) -> usize {
        self.planned.params[index].map_or(0, |region| self.place(region))
    }

    /// Where the gradient of a parameter is written in the arena; 0 for another one.
    pub fn d_param(&self, index: usize) -> usize {
        self.planned.d_params[index].map_or(0, |region| self.place(region))
    }

    /// Zeroes the halo of a value that is about to be written.
    pub fn clear_halo(&mut self, layout: Layout) {
        if layout.halo != [0, 0] {
            self.push(Clear { layout, batch: self.batch(), whole: false });
        }
    }

    /// Where a contribution to the gradient of node `id` goes, and whether it has to be added. The first one clears the
    /// halo.
    pub fn grad_of(&mut self, id: usize) -> (Layout, GradMode) {
        let grad = self.grad(id);
        let slot = self.plan(id).slot;
        if self.written[slot] {
            return (grad, GradMode::Add);
        }
        self.written[slot] = true;
        self.clear_halo(grad);
        (grad, GradMode::Store)
    }

    /// Where the first input of a node is read: repacked if the node works by channel and the input comes flattened from a map.
    pub fn source(&self, id: usize) -> Layout {
        match self.plan(id).repacked {
            Some(repacked) => repacked.layout.at(self.place(repacked.value)),
            None => self.value(self.input(id)),
        }
    }

    /// Repacks the input of a node where that has to be.
    pub fn repack_source(&mut self, id: usize) {
        if self.plan(id).repacked.is_some() {
            let (from, to) = (self.value(self.input(id)), self.source(id));
            self.push(Repack::whole(from, to, self.batch(), false));
            self.end_stage();
        }
    }

    /// Where the gradient of what [`source`](Writer::source) gives goes.
    pub fn source_grad(&mut self, id: usize) -> (Layout, GradMode) {
        match self.plan(id).repacked {
            Some(repacked) => {
                (repacked.layout.at(repacked.grad.map_or(0, |region| self.place(region))), GradMode::Store)
            }
            None => self.grad_of(self.input(id)),
        }
    }

    /// Brings the gradient of a repacked input back to where the input came from.
    pub fn return_source_grad(&mut self, id: usize) {
        if let Some(repacked) = self.plan(id).repacked
            && let Some(region) = repacked.grad
        {
            self.end_stage();
            let (to, mode) = self.grad_of(self.input(id));
            let from = repacked.layout.at(self.place(region));
            self.push(Repack::whole(from, to, self.batch(), mode == GradMode::Add));
        }
    }
}
