//! Writes the steps of a plan, node by node: forward in order, backward in reverse.
//!
//! A stage ends with a barrier after the steps whose results the next ones read. Gradients are written by the first reader
//! of a value that the backward pass meets and added to by the others, so a value may have any number of readers.

use super::geometry::Geometry;
use super::kernels::*;
use super::layout::Layout;
use super::plan::{Draft, NodePlan, Plan, Statistics};
use super::regions::{Places, Region};
use crate::graph::{Op, Pool, PoolKind};

/// The weight gradient of a layer whose input and output's gradient are laid out so. Offsets of its result are relative.
pub fn weight_grad(geometry: &Geometry, input: &Layout, d_out: &Layout) -> WeightGrad {
    WeightGrad::new(geometry.forward(input, d_out).0, geometry.lanes)
}

/// Turns a draft into a plan, now that every region has its place.
pub fn plan(draft: Draft, places: Places) -> Plan {
    let mut emitter =
        Emitter { written: vec![false; draft.slots.len()], draft: &draft, places: &places, steps: Vec::new() };
    emitter.forward();
    let forward = std::mem::take(&mut emitter.steps);
    let backward = (!draft.d_outputs.is_empty()).then(|| {
        emitter.backward();
        std::mem::take(&mut emitter.steps)
    });
    let (graph, part, batch) = (draft.graph, &draft.purpose.part, draft.purpose.batch);
    let span = |region: Region, len: usize| places.of(region)..places.of(region) + len;
    let param_len = |i: usize| graph.params[i].shape.iter().product::<usize>();
    let program = |steps| Program::new(steps, draft.purpose.isa, places.len);
    let len = |id: &usize| batch * graph.nodes[*id].shape.len();
    let values = |regions: &[Region], ids: &[usize]| -> Vec<_> {
        regions.iter().zip(ids).map(|(region, id)| span(*region, len(id))).collect()
    };
    let params = |regions: &[Option<Region>]| -> Vec<_> {
        regions.iter().enumerate().map(|(i, region)| region.map(|region| span(region, param_len(i)))).collect()
    };
    let d_inputs = draft.d_inputs.iter().zip(&part.inputs);
    Plan {
        arena_len: places.len,
        forward: program(forward),
        backward: backward.map(program),
        inputs: values(&draft.inputs, &part.inputs),
        params: params(&draft.params),
        outputs: values(&draft.outputs, &part.outputs),
        d_outputs: values(&draft.d_outputs, &part.outputs),
        d_params: params(&draft.d_params),
        d_inputs: d_inputs.map(|(region, id)| region.map(|region| span(region, len(id)))).collect(),
        statistics: statistics(&draft, &places),
        purpose: draft.purpose.clone(),
    }
}

fn statistics(draft: &Draft, places: &Places) -> Vec<Statistics> {
    let nodes = draft.order.iter().map(|id| (&draft.graph.nodes[*id], &draft.nodes[*id]));
    let norms = nodes.filter_map(|(node, plan)| match (node.op, plan.extra.first, plan.extra.third) {
        (Op::BatchNorm { momentum, .. }, Some(mean), Some(var)) if draft.purpose.training => {
            let channels = draft.graph.params[node.first_param].shape.iter().product::<usize>();
            let [_, height, width] = draft.slots[plan.slot].value.chw;
            let span = |region| places.of(region)..places.of(region) + channels;
            Some(Statistics {
                param: node.first_param + 2,
                old: [draft.params[node.first_param + 2].map(span)?, draft.params[node.first_param + 3].map(span)?],
                momentum,
                mean: span(mean),
                var: span(var),
                count: draft.purpose.batch * height * width,
            })
        }
        _ => None,
    });
    norms.collect()
}

struct Emitter<'a> {
    draft: &'a Draft,
    places: &'a Places,
    steps: Vec<Step>,
    /// Slots whose gradient holds something.
    written: Vec<bool>,
}

impl Emitter<'_> {
    fn batch(&self) -> usize {
        self.draft.purpose.batch
    }

    fn node(&self, id: usize) -> &NodePlan {
        &self.draft.nodes[id]
    }

    fn value(&self, id: usize) -> Layout {
        let slot = &self.draft.slots[self.node(id).slot];
        slot.value.at(self.places.of(slot.region))
    }

    /// The gradient of a node's slot; its place is only meaningful where the slot has one.
    fn grad(&self, id: usize) -> Layout {
        let slot = &self.draft.slots[self.node(id).slot];
        slot.grad.at(slot.grad_region.map_or(0, |region| self.places.of(region)))
    }

    fn place(&self, region: Option<Region>) -> usize {
        region.map_or(0, |region| self.places.of(region))
    }

    fn param(&self, index: usize) -> usize {
        self.place(self.draft.params[index])
    }

    fn d_param(&self, index: usize) -> usize {
        self.place(self.draft.d_params[index])
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
            None => self.value(self.draft.graph.nodes[id].inputs[0]),
        }
    }

    // --- forward ------------------------------------------------------------------------------------------------------

    fn forward(&mut self) {
        let draft = self.draft;
        for (id, region) in draft.purpose.part.inputs.iter().zip(&draft.inputs) {
            let staging = self.outside(*id, *region);
            let input = self.value(*id);
            self.clear_halo(input);
            self.push(Step::Repack(Repack::whole(staging, input, self.batch(), false)));
        }
        if draft.pack_first {
            draft.order.iter().for_each(|id| self.pack(*id));
        }
        self.end_stage();
        for id in &draft.order {
            self.forward_node(*id);
            self.end_stage();
        }
        for (id, region) in draft.purpose.part.outputs.iter().zip(&draft.outputs) {
            let to = self.outside(*id, *region);
            self.push(Step::Repack(Repack::whole(self.value(*id), to, self.batch(), false)));
        }
    }

    /// The value of a node as the outside world lays it out.
    fn outside(&self, id: usize, region: Region) -> Layout {
        Layout::planar(self.draft.graph.nodes[id].shape.chw()).at(self.places.of(region))
    }

    fn pack(&mut self, id: usize) {
        let (node, plan) = (&self.draft.graph.nodes[id], self.node(id).clone());
        let Some(geometry) = plan.geometry else { return };
        let (_, map) = geometry.forward(&self.value(node.inputs[0]), &self.value(id));
        self.push(Step::Pack(Pack {
            map,
            param: self.param(node.first_param),
            param_len: geometry.weight_len(),
            packed: self.place(plan.extra.weights),
            chunks: 1,
        }));
        if geometry.conv.bias {
            self.push(Step::Pad(Pad {
                from: self.param(node.first_param + 1),
                len: geometry.output[0],
                to: self.place(plan.extra.bias),
                padded: geometry.output[0].next_multiple_of(geometry.lanes),
            }));
        }
    }

    fn forward_node(&mut self, id: usize) {
        let draft = self.draft;
        let (node, plan) = (&draft.graph.nodes[id], &draft.nodes[id]);
        let (from, out, batch) = (self.value(node.inputs[0]), self.value(id), self.batch());
        if plan.first {
            self.clear_halo(out);
        }
        if let Some(geometry) = &plan.geometry {
            return self.forward_conv(id, geometry, from, out);
        }
        if let Some((layout, region, _)) = plan.extra.repacked {
            let to = layout.at(self.places.of(region));
            self.push(Step::Repack(Repack::whole(from, to, batch, false)));
            self.end_stage();
        }
        let from = if plan.extra.repacked.is_some() { self.by_channel(id) } else { from };
        let pointwise = |function| Step::Pointwise(Pointwise { function, known: from, from, out, batch });
        match node.op {
            Op::Activation(activation) if draft.nodes[node.inputs[0]].fused != Some(id) => {
                self.push(pointwise(Function::Activate(activation)));
            }
            Op::Dropout { p } if plan.first => {
                self.push(pointwise(Function::Dropout(id, p, GradMode::Store)));
            }
            Op::Add | Op::Concat => self.forward_merge(id),
            Op::Prelu { per_channel } => {
                self.push(pointwise(Function::Prelu(self.param(node.first_param), per_channel as usize)));
            }
            Op::BatchNorm { .. } => {
                let norm = self.batch_norm(id);
                self.push(Step::Statistics(norm));
                self.end_stage();
                self.push(Step::Normalise(norm));
            }
            _ => {
                if let Some(window) = self.window(id) {
                    self.push(Step::Window(window));
                } else if let Some(columns) = self.columns(id) {
                    self.push(Step::Columns(columns));
                }
            }
        }
    }

    fn forward_conv(&mut self, id: usize, geometry: &Geometry, from: Layout, out: Layout) {
        let plan = self.node(id).clone();
        if !self.draft.pack_first {
            self.pack(id);
            self.end_stage();
        }
        let (mut correlate, _) = geometry.forward(&from, &out);
        let (weights, bias) = (self.place(plan.extra.weights), self.place(plan.extra.bias));
        for block in &mut correlate.blocks {
            block.weights += weights;
            block.bias = block.bias.map(|at| at + bias);
        }
        correlate.activation = plan.fused.and_then(|fused| match self.draft.graph.nodes[fused].op {
            Op::Activation(activation) => Some(activation),
            _ => None,
        });
        self.push(Step::Correlate(correlate));
    }

    /// Whether the inputs of a sum lie as its output does, so that it can be taken row by row.
    fn side_by_side(&self, id: usize) -> bool {
        let out = self.value(id);
        let node = &self.draft.graph.nodes[id];
        matches!(node.op, Op::Add)
            && node.inputs.iter().all(|input| {
                let value = self.value(*input);
                value.chw == out.chw && value.block == out.block
            })
    }

    /// For each input of a merging node: where its elements start in the output.
    fn starts(&self, id: usize) -> Vec<(usize, usize)> {
        let node = &self.draft.graph.nodes[id];
        let mut next = 0;
        let place = |input: &usize| {
            let start = next;
            if matches!(node.op, Op::Concat) {
                next += self.draft.graph.nodes[*input].shape.len();
            }
            (*input, start)
        };
        node.inputs.iter().map(place).collect()
    }

    fn forward_merge(&mut self, id: usize) {
        let (node, out, batch) = (&self.draft.graph.nodes[id], self.value(id), self.batch());
        if let ([a, b], true) = (node.inputs, self.side_by_side(id)) {
            let (from, known) = (self.value(*a), self.value(*b));
            self.push(Step::Pointwise(Pointwise { function: Function::Sum, known, from, out, batch }));
            return;
        }
        for (i, (input, start)) in self.starts(id).into_iter().enumerate() {
            let part = self.draft.graph.nodes[input].shape.chw();
            // The first term of a sum is copied, the others are added to it.
            let accumulate = matches!(node.op, Op::Add) && i > 0;
            let from = self.value(input);
            self.push(Step::Repack(Repack { from, to: out, part, starts: [0, start], batch, accumulate }));
            if matches!(node.op, Op::Add) {
                self.end_stage();
            }
        }
    }

    fn backward_merge(&mut self, id: usize) {
        let (d_out, batch, aligned) = (self.grad(id), self.batch(), self.side_by_side(id));
        for (input, start) in self.starts(id) {
            if !self.node(input).wants_grad {
                continue;
            }
            let (out, mode) = self.grad_of(input);
            if aligned {
                let function = Function::Pass(mode);
                self.push(Step::Pointwise(Pointwise { function, known: d_out, from: d_out, out, batch }));
            } else {
                let (part, accumulate) = (self.draft.graph.nodes[input].shape.chw(), mode == GradMode::Add);
                self.push(Step::Repack(Repack { from: d_out, to: out, part, starts: [start, 0], batch, accumulate }));
            }
            // The same value may come in twice.
            self.end_stage();
        }
    }

    fn window(&self, id: usize) -> Option<Window> {
        let node = &self.draft.graph.nodes[id];
        let (map, out) = (self.value(node.inputs[0]), self.value(id));
        let windows = match node.op {
            Op::Pool(pool) => Windows::Pool(pool),
            Op::AdaptiveAvgPool => Windows::Adaptive,
            Op::Subsample { size } => Windows::Subsample {
                size,
                weight: self.param(node.first_param),
                bias: self.param(node.first_param + 1),
            },
            _ => return None,
        };
        let extremum = matches!(node.op, Op::Pool(Pool { kind: PoolKind::Max | PoolKind::Min, .. }));
        let winners = self.node(id).extra.first.filter(|_| extremum);
        // Winners lie in the output's layout, wherever its halo.
        let winners = winners.map(|region| out.at(self.places.of(region)));
        Some(Window { windows, map, out, winners, rectified: None, batch: self.batch(), accumulate: false })
    }

    fn columns(&self, id: usize) -> Option<Columns> {
        let node = &self.draft.graph.nodes[id];
        let across = match node.op {
            Op::Lrn { size, alpha, beta, k } => {
                Across::Lrn { size, alpha: alpha as f32, beta: beta as f32, k: k as f32 }
            }
            Op::Softmax => Across::Softmax,
            Op::LogSoftmax => Across::LogSoftmax,
            Op::ChannelPool { kind, size } => Across::Pool { kind, size },
            _ => return None,
        };
        let x = self.by_channel(id);
        let y = self.value(id);
        Some(Columns { across, x, y, d_y: y, d_x: x, accumulate: false, batch: self.batch() })
    }

    fn batch_norm(&self, id: usize) -> BatchNorm {
        let node = &self.draft.graph.nodes[id];
        let extra = &self.node(id).extra;
        let eps = if let Op::BatchNorm { eps, .. } = node.op { eps } else { 0.0 };
        let x = self.by_channel(id);
        BatchNorm {
            x,
            y: self.value(id),
            d_x: x,
            batch: self.batch(),
            eps,
            training: self.draft.purpose.training,
            params: std::array::from_fn(|i| self.param(node.first_param + i)),
            mean: self.place(extra.first),
            inv_std: self.place(extra.second),
            var: self.place(extra.third),
            d_params: [self.d_param(node.first_param), self.d_param(node.first_param + 1)],
            mode: GradMode::Store,
        }
    }

    // --- backward -----------------------------------------------------------------------------------------------------

    fn backward(&mut self) {
        let draft = self.draft;
        for (id, region) in draft.purpose.part.outputs.iter().zip(&draft.d_outputs) {
            if self.node(*id).wants_grad {
                let from = self.outside(*id, *region);
                let (to, mode) = self.grad_of(*id);
                self.push(Step::Repack(Repack::whole(from, to, self.batch(), mode == GradMode::Add)));
                // Two outputs may be one value, looked at differently.
                self.end_stage();
            }
        }
        for id in draft.order.iter().rev() {
            if self.node(*id).wants_grad {
                self.backward_node(*id);
                self.end_stage();
            }
        }
        for (id, region) in draft.purpose.part.inputs.iter().zip(&draft.d_inputs) {
            if let Some(region) = region {
                let to = self.outside(*id, *region);
                self.push(Step::Repack(Repack::whole(self.grad(*id), to, self.batch(), false)));
            }
        }
    }

    /// Where a contribution to the gradient of node `id` goes, and whether it has to be added. The first one clears the
    /// halo.
    fn grad_of(&mut self, id: usize) -> (Layout, GradMode) {
        let grad = self.grad(id);
        let slot = self.node(id).slot;
        if std::mem::replace(&mut self.written[slot], true) {
            return (grad, GradMode::Add);
        }
        self.clear_halo(grad);
        (grad, GradMode::Store)
    }

    fn backward_node(&mut self, id: usize) {
        let draft = self.draft;
        let (node, plan, batch) = (&draft.graph.nodes[id], &draft.nodes[id], self.batch());
        let input = node.inputs[0];
        if let Some(geometry) = &plan.geometry {
            return self.backward_conv(id, geometry);
        }
        let wanted = draft.nodes[input].wants_grad;
        let d_out = self.grad(id);
        if !plan.first {
            // Shared with the input: the gradient is there already, short of the derivative.
            let mut readers = draft.nodes.iter().zip(draft.graph.nodes);
            let done = readers.any(|(plan, reader)| plan.rectified && reader.inputs == [id]);
            if let Op::Activation(activation) = node.op
                && !done
            {
                let function = Function::Derivative(activation, GradMode::InPlace);
                self.push(Step::Pointwise(Pointwise {
                    function,
                    known: self.value(id),
                    from: d_out,
                    out: d_out,
                    batch,
                }));
            }
            return;
        }
        match node.op {
            Op::Activation(_) | Op::Dropout { .. } | Op::Prelu { .. } => self.backward_pointwise(id, wanted),
            Op::Add | Op::Concat => self.backward_merge(id),
            Op::BatchNorm { .. } => self.backward_norm(id, wanted),
            Op::Subsample { size } => {
                let (weight, bias) = (self.d_param(node.first_param), self.d_param(node.first_param + 1));
                let map = self.value(input);
                self.push(Step::SubsampleGrad(SubsampleGrad { size, map, d_out, weight, bias, batch }));
                self.backward_window(id, wanted);
            }
            Op::Pool(_) | Op::AdaptiveAvgPool => self.backward_window(id, wanted),
            _ => {
                if let Some(columns) = self.columns(id).filter(|_| wanted) {
                    let (d_x, mode) = self.channel_grad(id);
                    let accumulate = mode == GradMode::Add;
                    self.push(Step::ColumnsGrad(Columns { d_y: d_out, d_x, accumulate, ..columns }));
                    self.return_repacked(id);
                }
            }
        }
    }

    fn backward_window(&mut self, id: usize, wanted: bool) {
        if let Some(window) = self.window(id).filter(|_| wanted) {
            let (map, mode) = self.grad_of(self.draft.graph.nodes[id].inputs[0]);
            let accumulate = mode == GradMode::Add;
            let rectified = self.node(id).rectified.then(|| self.value(id));
            self.push(Step::WindowGrad(Window { map, out: self.grad(id), rectified, accumulate, ..window }));
        }
    }

    /// Where a layer that works by channel puts its input's gradient.
    fn channel_grad(&mut self, id: usize) -> (Layout, GradMode) {
        match self.node(id).extra.repacked {
            Some((layout, _, region)) => (layout.at(self.place(region)), GradMode::Store),
            None => self.grad_of(self.draft.graph.nodes[id].inputs[0]),
        }
    }

    /// Brings the gradient of a repacked input back to where it came from.
    fn return_repacked(&mut self, id: usize) {
        if let Some((layout, _, Some(region))) = self.node(id).extra.repacked {
            self.end_stage();
            let (to, mode) = self.grad_of(self.draft.graph.nodes[id].inputs[0]);
            let (from, accumulate) = (layout.at(self.places.of(region)), mode == GradMode::Add);
            self.push(Step::Repack(Repack::whole(from, to, self.batch(), accumulate)));
        }
    }

    fn backward_pointwise(&mut self, id: usize, wanted: bool) {
        let draft = self.draft;
        let node = &draft.graph.nodes[id];
        let (d_out, batch) = (self.grad(id), self.batch());
        let x = self.by_channel(id);
        if let Op::Prelu { per_channel } = node.op {
            let out = self.d_param(node.first_param);
            self.push(Step::PreluGrad(PreluGrad { x, d_out, per_channel, out, batch }));
        }
        if !wanted {
            return;
        }
        let (out, mode) = self.channel_grad(id);
        let (function, known) = match node.op {
            Op::Activation(activation) => {
                let known = if from_output(activation) { self.value(id) } else { x };
                (Function::Derivative(activation, mode), known)
            }
            Op::Dropout { p } => (Function::Dropout(id, p, mode), d_out),
            Op::Prelu { per_channel } => {
                (Function::PreluDerivative(self.param(node.first_param), per_channel as usize, mode), x)
            }
            _ => return,
        };
        self.push(Step::Pointwise(Pointwise { function, known, from: d_out, out, batch }));
        self.return_repacked(id);
    }

    fn backward_norm(&mut self, id: usize, wanted: bool) {
        let norm = BatchNorm { y: self.grad(id), ..self.batch_norm(id) };
        self.push(Step::NormParamGrad(norm));
        if wanted {
            let (d_x, mode) = self.channel_grad(id);
            self.end_stage();
            self.push(Step::NormInputGrad(BatchNorm { d_x, mode, ..norm }));
            self.return_repacked(id);
        }
    }

    fn backward_conv(&mut self, id: usize, geometry: &Geometry) {
        let draft = self.draft;
        let (node, extra) = (&draft.graph.nodes[id], &draft.nodes[id].extra);
        let input = node.inputs[0];
        let (from, d_out) = (self.value(input), self.grad(id));
        let (param, d_param, param_len) =
            (self.param(node.first_param), self.d_param(node.first_param), geometry.weight_len());
        let mut grad = weight_grad(geometry, &from, &d_out);
        grad.out = self.place(extra.weight_grad);
        let unpack = Pack {
            map: geometry.forward(&from, &d_out).1,
            param: d_param,
            param_len,
            packed: grad.out,
            chunks: grad.chunks,
        };
        if geometry.conv.bias {
            let correlate = &grad.correlate;
            self.steps.push(Step::BiasGrad(BiasGrad {
                extent: correlate.extent,
                blocks: correlate.blocks.iter().map(|block| correlate.out + block.out).collect(),
                stride: correlate.out_stride,
                channels: geometry.output[0],
                out: self.d_param(node.first_param + 1),
            }));
        }
        self.push(Step::WeightGrad(grad));
        let mut correlates = Vec::new();
        if draft.nodes[input].wants_grad {
            let (d_in, mode) = self.grad_of(input);
            let mut packed = self.place(extra.back_weights);
            for (mut correlate, map) in geometry.backward(&d_out, &d_in) {
                for block in &mut correlate.blocks {
                    block.weights += packed;
                }
                correlate.accumulate = mode == GradMode::Add;
                correlates.push(Step::Correlate(correlate));
                let len = map.packed_len();
                self.push(Step::Pack(Pack { map, param, param_len, packed, chunks: 1 }));
                packed += len;
            }
        }
        self.end_stage();
        self.steps.append(&mut correlates);
        self.push(Step::Unpack(unpack));
    }
}
