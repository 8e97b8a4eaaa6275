//! The backward pass, node by node in reverse.
//!
//! Gradients are written by the first reader of a value that the pass meets and added to by the others, so a value may have
//! any number of readers.

use super::Emitter;
use super::forward::order;
use crate::engine::geometry::Geometry;
use crate::engine::kernels::*;
use crate::engine::layout::Layout;
use crate::engine::plan::NodePlan;
use crate::graph::{Affine, Op};

impl Emitter<'_> {
    pub(super) fn backward(&mut self) {
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
    pub(super) fn grad_of(&mut self, id: usize) -> (Layout, GradMode) {
        let grad = self.grad(id);
        let slot = self.node(id).slot;
        if std::mem::replace(&mut self.written[slot], true) {
            return (grad, GradMode::Add);
        }
        self.clear_halo(grad);
        (grad, GradMode::Store)
    }

    pub(super) fn backward_node(&mut self, id: usize) {
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
            let mut readers = draft.nodes.iter().zip(&*draft.graph.nodes);
            let by_pool = readers.any(|(plan, reader)| plan.rectified && *reader.inputs == [id]);
            let by_norm =
                |plan: &NodePlan<'_>| plan.fused == Some(id) && plan.geometry.is_none() && plan.residual.is_none();
            let done = by_pool || draft.nodes.iter().any(by_norm);
            if let Op::Add = node.op {
                self.backward_residual(id);
            }
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
            Op::GroupNorm { affine, .. } => self.backward_group_norm(id, affine, wanted),
            Op::Resample(how) if wanted => {
                let (out, mode) = self.grad_of(input);
                let taps = [1, 2].map(|i| how.taps(i - 1, out.chw[i], d_out.chw[i]));
                let mut gather = Gather::new(out, d_out, taps, 0.0, batch).transposed();
                gather.accumulate = mode == GradMode::Add;
                self.push(Step::Gather(gather));
            }
            Op::ChannelPad { before } if wanted => {
                let (to, mode) = self.grad_of(input);
                let (part, starts) = (to.chw, [before * to.chw[1] * to.chw[2], 0]);
                let accumulate = mode == GradMode::Add;
                self.push(Step::Repack(Repack { from: d_out, to, part, starts, batch, accumulate }));
            }
            Op::Scale => self.backward_scale(id),
            Op::Subsample { size } => {
                let (weight, bias) = (self.d_param(node.first_param), self.d_param(node.first_param + 1));
                let map = self.value(input);
                self.push(Step::SubsampleGrad(SubsampleGrad { size, map, d_out, weight, bias, batch }));
                self.backward_window(id, wanted);
            }
            Op::Pool(_) | Op::AdaptiveAvgPool | Op::GlobalPool(_) => self.backward_window(id, wanted),
            _ => {
                if let Some(columns) = self.columns(id).filter(|_| wanted) {
                    let (d_x, mode) = self.channel_grad(id);
                    let accumulate = mode == GradMode::Add;
                    self.push(Step::ColumnsGrad(Columns { d_y: d_out, d_x, accumulate, ..columns }));
                    self.return_repacked(id);
                } else if let Some(how) = order(&node.op).filter(|_| wanted) {
                    let (to, mode) = self.grad_of(input);
                    let how = how.reversed(to.chw[0]);
                    let accumulate = mode == GradMode::Add;
                    self.push(Step::Shuffle(Shuffle { from: d_out, to, how, accumulate, batch }));
                }
            }
        }
    }

    fn backward_group_norm(&mut self, id: usize, affine: Affine, wanted: bool) {
        let norm = GroupNorm { y: self.grad(id), ..self.group_norm(id) };
        if affine != Affine::None {
            self.push(Step::GroupParamGrad(norm));
        }
        if wanted {
            let (d_x, mode) = self.channel_grad(id);
            self.push(Step::GroupInputGrad(GroupNorm { d_x, mode, ..norm }));
            self.return_repacked(id);
        }
    }

    fn backward_scale(&mut self, id: usize) {
        let (d_out, batch, inputs) = (self.grad(id), self.batch(), &self.draft.graph.nodes[id].inputs);
        let (x, factors) = (self.value(inputs[0]), self.value(inputs[1]));
        if self.node(inputs[0]).wants_grad {
            let (out, mode) = self.grad_of(inputs[0]);
            self.push(Step::Scale(Scale { x: d_out, factors, out, mode, batch }));
            // The factors may have been made of this very value.
            self.end_stage();
        }
        if self.node(inputs[1]).wants_grad {
            let (out, mode) = self.grad_of(inputs[1]);
            self.push(Step::ScaleGrad(ScaleGrad { x, d_out, out, mode, batch }));
        }
    }

    pub(super) fn backward_merge(&mut self, id: usize) {
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

    /// A sum that shares its slot with the term that its writer computes: the other one gets a copy of the gradient.
    fn backward_residual(&mut self, id: usize) {
        let writer = self
            .draft
            .nodes
            .iter()
            .enumerate()
            .rev()
            .find(|(at, plan)| *at < id && plan.first && plan.slot == self.node(id).slot);
        let Some(other) = writer.and_then(|(_, plan)| plan.residual).filter(|other| self.node(*other).wants_grad)
        else {
            return;
        };
        let (d_out, batch) = (self.grad(id), self.batch());
        let (out, mode) = self.grad_of(other);
        let function = Function::Pass(mode);
        self.push(Step::Pointwise(Pointwise { function, known: d_out, from: d_out, out, batch }));
    }

    pub(super) fn backward_window(&mut self, id: usize, wanted: bool) {
        if let Some(window) = self.window(id).filter(|_| wanted) {
            let (map, mode) = self.grad_of(self.draft.graph.nodes[id].inputs[0]);
            let accumulate = mode == GradMode::Add;
            let rectified = self.node(id).rectified.then(|| self.value(id));
            self.push(Step::WindowGrad(Window { map, out: self.grad(id), rectified, accumulate, ..window }));
        }
    }

    /// Where a layer that works by channel puts its input's gradient.
    pub(super) fn channel_grad(&mut self, id: usize) -> (Layout, GradMode) {
        match self.node(id).extra.repacked {
            Some((layout, _, region)) => (layout.at(self.place(region)), GradMode::Store),
            None => self.grad_of(self.draft.graph.nodes[id].inputs[0]),
        }
    }

    /// Brings the gradient of a repacked input back to where it came from.
    pub(super) fn return_repacked(&mut self, id: usize) {
        if let Some((layout, _, Some(region))) = self.node(id).extra.repacked {
            self.end_stage();
            let (to, mode) = self.grad_of(self.draft.graph.nodes[id].inputs[0]);
            let (from, accumulate) = (layout.at(self.places.of(region)), mode == GradMode::Add);
            self.push(Step::Repack(Repack::whole(from, to, self.batch(), accumulate)));
        }
    }

    pub(super) fn backward_pointwise(&mut self, id: usize, wanted: bool) {
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
            Op::Dropout { p, channels } => (Function::Dropout { node: id, p, channels, mode }, d_out),
            Op::Prelu { per_channel } => {
                (Function::PreluDerivative(self.param(node.first_param), per_channel as usize, mode), x)
            }
            _ => return,
        };
        self.push(Step::Pointwise(Pointwise { function, known, from: d_out, out, batch }));
        self.return_repacked(id);
    }

    pub(super) fn backward_norm(&mut self, id: usize, wanted: bool) {
        let partial = self.place(self.node(id).extra.partial[1]);
        let norm = BatchNorm { y: self.grad(id), partial, ..self.batch_norm(id) };
        self.push(Step::NormGradSums(norm));
        self.end_stage();
        self.push(Step::NormParamGrad(norm));
        if wanted {
            let (d_x, mode) = self.channel_grad(id);
            self.end_stage();
            self.push(Step::NormInputGrad(BatchNorm { d_x, mode, ..norm }));
            self.return_repacked(id);
        }
    }

    pub(super) fn backward_conv(&mut self, id: usize, geometry: &Geometry<'_>) {
        let draft = self.draft;
        let (node, extra) = (&draft.graph.nodes[id], &draft.nodes[id].extra);
        let input = node.inputs[0];
        let (from, d_out) = (self.value(input), self.grad(id));
        let param = node.first_param;
        if geometry.bias {
            self.steps.push(Step::BiasGrad(BiasGrad {
                extent: [self.batch(), d_out.chw[1], d_out.chw[2]],
                blocks: (0..d_out.blocks()).map(|block| d_out.row_at(0) + block * d_out.plane()).collect(),
                stride: [d_out.image(), d_out.row(), d_out.block],
                channels: geometry.outs(),
                out: self.d_param(node.first_param + 1),
            }));
        }
        let place = self.place(extra.weight_grad);
        // What the end of this stage is followed by.
        let mut last = Vec::new();
        if draft.nodes[id].tiles.weights {
            let mut grad = geometry.winograd_grad(&from, &d_out, param);
            grad.place = place;
            for round in 0..grad.rounds {
                if round > 0 {
                    self.push(Step::WinogradGrad(grad));
                    self.end_stage();
                }
                grad.round = round;
                self.push(Step::WinogradTiles(grad));
                self.end_stage();
            }
            last.push(Step::WinogradGrad(grad));
        } else {
            let (mut grad, map) = geometry.weight_grad(&from, &d_out);
            grad.out = place;
            last.push(Step::Unpack(Pack { map, param, packed: place, chunks: grad.chunks, scale: None }));
            self.push(Step::WeightGrad(grad));
        }
        let mut correlates = Vec::new();
        if draft.nodes[input].wants_grad {
            let (d_in, mode) = self.grad_of(input);
            let mut packed = self.place(extra.back_weights);
            let accumulate = mode == GradMode::Add;
            if let Some(tile) = draft.nodes[id].tiles.backward {
                let (winograd, pack) = geometry.winograd_backward(tile, &d_out, &d_in, param);
                if winograd.fresh.is_none() {
                    self.push(Step::WinogradPack(WinogradPack { packed, ..pack }));
                }
                correlates.push(Step::Winograd(Winograd { weights: packed, accumulate, ..winograd }));
            }
            let direct = draft.nodes[id].tiles.backward.is_none();
            for (mut correlate, map) in direct.then(|| geometry.backward(&d_out, &d_in)).into_iter().flatten() {
                for block in &mut correlate.blocks {
                    block.weights += packed;
                }
                correlate.accumulate = accumulate;
                correlates.push(Step::Correlate(correlate));
                let len = map.packed_len();
                self.push(Step::Pack(Pack { map, param, packed, chunks: 1, scale: None }));
                packed += len;
            }
        }
        self.end_stage();
        self.steps.append(&mut correlates);
        self.steps.append(&mut last);
    }
}
