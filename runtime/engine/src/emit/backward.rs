//! The backward pass, node by node in reverse.
//!
//! Gradients are written by the first reader of a value that the pass meets and added to by the others, so a value may have
//! any number of readers.

use super::Emitter;
use crate::geometry::Geometry;
use crate::kernels::*;
use crate::layout::Layout;
use crate::node::NodePlan;
use convnet_graph::{Affine, Op, Resample};

impl Emitter<'_> {
    pub(super) fn backward(&mut self) {
        let planned = self.planned;
        for (id, region) in planned.key.part.outputs.iter().zip(&planned.d_outputs) {
            if self.node(*id).wants_grad {
                let from = self.outside(*id, *region);
                let (to, mode) = self.grad_of(*id);
                self.push(Step::Repack(Repack::whole(from, to, self.batch(), mode == GradMode::Add)));
                // Two outputs may be one value, looked at differently.
                self.end_stage();
            }
        }
        for id in planned.order.iter().rev() {
            if self.node(*id).wants_grad {
                self.backward_node(*id);
                self.end_stage();
            }
        }
        for (id, region) in planned.key.part.inputs.iter().zip(&planned.d_inputs) {
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
        let planned = self.planned;
        let (node, plan) = (&planned.graph.nodes[id], &planned.nodes[id]);
        let wanted = planned.nodes[node.inputs[0]].wants_grad;
        if !plan.first {
            return self.backward_shared(id);
        }
        match node.op {
            // Given, never computed; or not the first of their slot, which is above.
            Op::Input | Op::Custom(_) | Op::Flatten | Op::Identity => {}
            Op::Conv(_) | Op::ConvTranspose(_) | Op::Linear { .. } => {
                if let Some(geometry) = &plan.geometry {
                    self.backward_conv(id, geometry);
                }
            }
            Op::Activation(activation) => {
                let known = if from_output(activation) { self.value(id) } else { self.by_channel(id) };
                self.backward_pointwise(id, known, |mode| Function::Derivative(activation, mode), wanted);
            }
            Op::Dropout { p, channels } => {
                let function = |mode| Function::Dropout { node: id, p, channels, mode };
                self.backward_pointwise(id, self.grad(id), function, wanted);
            }
            Op::Prelu { per_channel } => self.backward_prelu(id, per_channel, wanted),
            Op::Add | Op::Concat => self.backward_merge(id),
            Op::BatchNorm { eps, .. } => self.backward_norm(id, eps, wanted),
            Op::GroupNorm { groups, eps, affine } => {
                self.backward_group_norm(id, self.group_norm(id, groups, eps, affine), wanted);
            }
            Op::Resample(how) => self.backward_resample(id, how, wanted),
            Op::ChannelPad { before } => self.backward_channel_pad(id, before, wanted),
            Op::Scale => self.backward_scale(id),
            Op::Subsample { size } => {
                self.backward_subsample(id, size);
                self.backward_window(id, self.subsample(id, size), wanted);
            }
            Op::Pool(pool) => self.backward_window(id, Windows::Pool(pool), wanted),
            Op::GlobalPool(_) => self.backward_window(id, self.global(id), wanted),
            Op::AdaptiveAvgPool => self.backward_window(id, Windows::Adaptive, wanted),
            Op::Lrn { size, alpha, beta, k } => {
                self.backward_columns(id, Across::lrn(size, alpha, beta, k), wanted);
            }
            Op::Softmax => self.backward_columns(id, Across::Softmax, wanted),
            Op::LogSoftmax => self.backward_columns(id, Across::LogSoftmax, wanted),
            Op::ChannelPool { kind, size } => self.backward_columns(id, Across::Pool { kind, size }, wanted),
            Op::ChannelShuffle { groups } => self.backward_shuffle(id, Order::Channels(groups), wanted),
            Op::PixelShuffle { factor } => self.backward_shuffle(id, Order::Squares(factor), wanted),
        }
    }

    /// The gradient of a node that shares its input's slot is there already, short of the derivative.
    fn backward_shared(&mut self, id: usize) {
        let planned = self.planned;
        let node = &planned.graph.nodes[id];
        if let Op::Add = node.op {
            self.backward_residual(id);
        }
        let Op::Activation(activation) = node.op else { return };
        let mut readers = planned.nodes.iter().zip(&*planned.graph.nodes);
        let by_pool = readers.any(|(plan, reader)| plan.rectified && *reader.inputs == [id]);
        let by_norm =
            |plan: &NodePlan<'_>| plan.fused == Some(id) && plan.geometry.is_none() && plan.residual.is_none();
        if by_pool || planned.nodes.iter().any(by_norm) {
            return;
        }
        let (function, grad) = (Function::Derivative(activation, GradMode::InPlace), self.grad(id));
        let (known, batch) = (self.value(id), self.batch());
        self.push(Step::Pointwise(Pointwise { function, known, from: grad, out: grad, batch }));
    }

    fn backward_resample(&mut self, id: usize, how: Resample, wanted: bool) {
        if !wanted {
            return;
        }
        let (d_out, batch) = (self.grad(id), self.batch());
        let (out, mode) = self.grad_of(self.planned.graph.nodes[id].inputs[0]);
        let taps = [1, 2].map(|i| how.taps(i - 1, out.chw[i], d_out.chw[i]));
        let mut gather = Gather::new(out, d_out, taps, 0.0, batch).transposed();
        gather.accumulate = mode == GradMode::Add;
        self.push(Step::Gather(gather));
    }

    fn backward_channel_pad(&mut self, id: usize, before: usize, wanted: bool) {
        if !wanted {
            return;
        }
        let (from, batch) = (self.grad(id), self.batch());
        let (to, mode) = self.grad_of(self.planned.graph.nodes[id].inputs[0]);
        let (part, starts) = (to.chw, [before * to.chw[1] * to.chw[2], 0]);
        self.push(Step::Repack(Repack { from, to, part, starts, batch, accumulate: mode == GradMode::Add }));
    }

    fn backward_subsample(&mut self, id: usize, size: usize) {
        let node = &self.planned.graph.nodes[id];
        let (weight, bias) = (self.d_param(node.first_param), self.d_param(node.first_param + 1));
        let (map, d_out, batch) = (self.value(node.inputs[0]), self.grad(id), self.batch());
        self.push(Step::SubsampleGrad(SubsampleGrad { size, map, d_out, weight, bias, batch }));
    }

    fn backward_columns(&mut self, id: usize, across: Across, wanted: bool) {
        if !wanted {
            return;
        }
        let columns = self.columns(id, across);
        let (d_x, mode) = self.channel_grad(id);
        let accumulate = mode == GradMode::Add;
        self.push(Step::ColumnsGrad(ColumnsGrad(Columns { d_y: self.grad(id), d_x, accumulate, ..columns })));
        self.return_repacked(id);
    }

    fn backward_shuffle(&mut self, id: usize, how: Order, wanted: bool) {
        if !wanted {
            return;
        }
        let (to, mode) = self.grad_of(self.planned.graph.nodes[id].inputs[0]);
        let (from, how, accumulate) = (self.grad(id), how.reversed(to.chw[0]), mode == GradMode::Add);
        self.push(Step::Shuffle(Shuffle { from, to, how, accumulate, batch: self.batch() }));
    }

    fn backward_group_norm(&mut self, id: usize, norm: GroupNorm, wanted: bool) {
        let norm = GroupNorm { y: self.grad(id), ..norm };
        if norm.affine != Affine::None {
            self.push(Step::GroupParamGrad(GroupParamGrad(norm)));
        }
        if wanted {
            let (d_x, mode) = self.channel_grad(id);
            self.push(Step::GroupInputGrad(GroupInputGrad(GroupNorm { d_x, mode, ..norm })));
            self.return_repacked(id);
        }
    }

    fn backward_scale(&mut self, id: usize) {
        let (d_out, batch, inputs) = (self.grad(id), self.batch(), &self.planned.graph.nodes[id].inputs);
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
                let (part, accumulate) = (self.planned.graph.nodes[input].shape.chw(), mode == GradMode::Add);
                self.push(Step::Repack(Repack { from: d_out, to: out, part, starts: [start, 0], batch, accumulate }));
            }
            // The same value may come in twice.
            self.end_stage();
        }
    }

    /// A sum that shares its slot with the term that its writer computes: the other one gets a copy of the gradient.
    fn backward_residual(&mut self, id: usize) {
        let writer = self
            .planned
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

    fn backward_window(&mut self, id: usize, windows: Windows, wanted: bool) {
        if !wanted {
            return;
        }
        let window = self.window(id, windows);
        let (map, mode) = self.grad_of(self.planned.graph.nodes[id].inputs[0]);
        let accumulate = mode == GradMode::Add;
        let rectified = self.node(id).rectified.then(|| self.value(id));
        self.push(Step::WindowGrad(WindowGrad(Window { map, out: self.grad(id), rectified, accumulate, ..window })));
    }

    /// Where a layer that works by channel puts its input's gradient.
    pub(super) fn channel_grad(&mut self, id: usize) -> (Layout, GradMode) {
        match self.node(id).extra.repacked {
            Some((layout, _, region)) => (layout.at(self.place(region)), GradMode::Store),
            None => self.grad_of(self.planned.graph.nodes[id].inputs[0]),
        }
    }

    /// Brings the gradient of a repacked input back to where it came from.
    pub(super) fn return_repacked(&mut self, id: usize) {
        if let Some((layout, _, Some(region))) = self.node(id).extra.repacked {
            self.end_stage();
            let (to, mode) = self.grad_of(self.planned.graph.nodes[id].inputs[0]);
            let (from, accumulate) = (layout.at(self.places.of(region)), mode == GradMode::Add);
            self.push(Step::Repack(Repack::whole(from, to, self.batch(), accumulate)));
        }
    }

    /// The gradient of the input of a function of one element, whose derivative is `function` of what is `known`.
    fn backward_pointwise(
        &mut self,
        id: usize,
        known: Layout,
        function: impl FnOnce(GradMode) -> Function,
        wanted: bool,
    ) {
        if !wanted {
            return;
        }
        let (out, mode) = self.channel_grad(id);
        let (function, from, batch) = (function(mode), self.grad(id), self.batch());
        self.push(Step::Pointwise(Pointwise { function, known, from, out, batch }));
        self.return_repacked(id);
    }

    fn backward_prelu(&mut self, id: usize, per_channel: bool, wanted: bool) {
        let first_param = self.planned.graph.nodes[id].first_param;
        let (x, d_out, out, batch) = (self.by_channel(id), self.grad(id), self.d_param(first_param), self.batch());
        self.push(Step::PreluGrad(PreluGrad { x, d_out, per_channel, out, batch }));
        let slope = self.param(first_param);
        self.backward_pointwise(id, x, |mode| Function::PreluDerivative(slope, per_channel as usize, mode), wanted);
    }

    fn backward_norm(&mut self, id: usize, eps: f64, wanted: bool) {
        let partial = self.place(self.node(id).extra.partial[1]);
        let norm = BatchNorm { y: self.grad(id), partial, ..self.batch_norm(id, eps) };
        self.push(Step::NormGradSums(NormGradSums(norm)));
        self.end_stage();
        self.push(Step::NormParamGrad(NormParamGrad(norm)));
        if wanted {
            let (d_x, mode) = self.channel_grad(id);
            self.end_stage();
            self.push(Step::NormInputGrad(NormInputGrad(BatchNorm { d_x, mode, ..norm })));
            self.return_repacked(id);
        }
    }

    fn backward_conv(&mut self, id: usize, geometry: &Geometry<'_>) {
        if geometry.bias {
            let d_out = self.grad(id);
            self.push(Step::BiasGrad(BiasGrad {
                extent: [self.batch(), d_out.chw[1], d_out.chw[2]],
                blocks: (0..d_out.blocks()).map(|block| d_out.row_at(0) + block * d_out.plane()).collect(),
                stride: [d_out.image(), d_out.row(), d_out.block],
                channels: geometry.outs(),
                out: self.d_param(self.planned.graph.nodes[id].first_param + 1),
            }));
        }
        let last = self.weight_grad(id, geometry);
        let input = self.planned.graph.nodes[id].inputs[0];
        let mut correlates = if self.node(input).wants_grad { self.input_grad(id, geometry) } else { Vec::new() };
        self.end_stage();
        self.steps.append(&mut correlates);
        self.push(last);
    }

    /// The gradient of a convolution's weights, short of the step that brings it to where it is wanted: that is for the next
    /// stage.
    fn weight_grad(&mut self, id: usize, geometry: &Geometry<'_>) -> Step {
        let (node, plan) = (&self.planned.graph.nodes[id], &self.planned.nodes[id]);
        let (from, d_out, param) = (self.value(node.inputs[0]), self.grad(id), node.first_param);
        let place = self.place(plan.extra.weight_grad);
        if !plan.tiles.weights {
            let (mut grad, map) = geometry.weight_grad(&from, &d_out);
            grad.out = place;
            let chunks = grad.chunks;
            self.push(Step::WeightGrad(grad));
            return Step::Unpack(Unpack(Pack { map, param, packed: place, chunks, scale: None }));
        }
        let mut grad = geometry.winograd_grad(&from, &d_out, param);
        grad.place = place;
        for round in 0..grad.rounds {
            if round > 0 {
                self.push(Step::WinogradGrad(grad));
                self.end_stage();
            }
            grad.round = round;
            self.push(Step::WinogradTiles(WinogradTiles(grad)));
            self.end_stage();
        }
        Step::WinogradGrad(grad)
    }

    /// Packs the weights for the gradient of a convolution's input; gives the steps that compute it, for the next stage.
    fn input_grad(&mut self, id: usize, geometry: &Geometry<'_>) -> Vec<Step> {
        let (node, plan) = (&self.planned.graph.nodes[id], &self.planned.nodes[id]);
        let (d_out, param) = (self.grad(id), node.first_param);
        let (d_in, mode) = self.grad_of(node.inputs[0]);
        let (mut packed, accumulate) = (self.place(plan.extra.back_weights), mode == GradMode::Add);
        if let Some(tile) = plan.tiles.backward {
            let (winograd, pack) = geometry.winograd_backward(tile, &d_out, &d_in, param);
            if winograd.fresh.is_none() {
                self.push(Step::WinogradPack(WinogradPack { packed, ..pack }));
            }
            return vec![Step::Winograd(Winograd { weights: packed, accumulate, ..winograd })];
        }
        let mut correlates = Vec::new();
        for (mut correlate, map) in geometry.backward(&d_out, &d_in) {
            for block in &mut correlate.blocks {
                block.weights += packed;
            }
            correlate.accumulate = accumulate;
            correlates.push(Step::Correlate(correlate));
            let len = map.packed_len();
            self.push(Step::Pack(Pack { map, param, packed, chunks: 1, scale: None }));
            packed += len;
        }
        correlates
    }
}
