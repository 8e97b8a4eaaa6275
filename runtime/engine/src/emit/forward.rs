//! The forward pass, node by node.

use super::Emitter;
use crate::geometry::Geometry;
use crate::kernels::*;
use crate::layout::Layout;
use crate::regions::Region;
use convnet_graph::{Op, Pool, PoolKind, Resample};

impl Emitter<'_> {
    pub(super) fn forward(&mut self) {
        let planned = self.planned;
        for (id, region) in planned.key.part.inputs.iter().zip(&planned.inputs) {
            let staging = self.outside(*id, *region);
            let input = self.value(*id);
            self.clear_halo(input);
            self.push(Step::Repack(Repack::whole(staging, input, self.batch(), false)));
        }
        if planned.pack_first {
            planned.order.iter().for_each(|id| self.pack(*id));
        }
        self.end_stage();
        for id in &planned.order {
            self.forward_node(*id);
            self.end_stage();
        }
        for (id, region) in planned.key.part.outputs.iter().zip(&planned.outputs) {
            let to = self.outside(*id, *region);
            self.push(Step::Repack(Repack::whole(self.value(*id), to, self.batch(), false)));
        }
    }

    /// The value of a node as the outside world lays it out.
    pub(super) fn outside(&self, id: usize, region: Region) -> Layout {
        Layout::planar(self.planned.graph.nodes[id].shape.chw()).at(self.places.of(region))
    }

    /// Packs the weights of a convolution or linear layer.
    pub(super) fn pack(&mut self, id: usize) {
        let (node, plan) = (&self.planned.graph.nodes[id], self.node(id).clone());
        let Some(geometry) = plan.geometry else { return };
        let outs = geometry.outs();
        let norm = plan.norm.and_then(|norm| {
            let norm = &self.planned.graph.nodes[norm];
            if let Op::BatchNorm { eps, .. } = norm.op { Some((norm.first_param, eps)) } else { None }
        });
        let scale = self.place(plan.extra.scale);
        if geometry.bias || norm.is_some() {
            self.push(Step::Bias(Bias {
                bias: geometry.bias.then_some(node.first_param + 1),
                norm,
                channels: outs,
                to: self.place(plan.extra.bias),
                scale,
                padded: outs.next_multiple_of(geometry.lanes),
            }));
        }
        if norm.is_some() {
            self.end_stage();
        }
        if plan.unpacked {
            return;
        }
        let mut packed = self.place(plan.extra.weights);
        let scale = norm.map(|_| scale);
        if let Some(tile) = plan.tiles.forward {
            let (from, to) = (self.value(node.inputs[0]), self.value(id));
            let (winograd, pack) = geometry.winograd(tile, &from, &to, node.first_param, self.planned.key.frozen);
            if winograd.fresh.is_none() {
                self.push(Step::WinogradPack(WinogradPack { packed, scale, ..pack }));
            }
            return;
        }
        for (_, map) in geometry.forward(&self.value(node.inputs[0]), &self.value(id)) {
            let len = map.packed_len();
            self.push(Step::Pack(Pack { map, param: node.first_param, packed, chunks: 1, scale }));
            packed += len;
        }
    }

    pub(super) fn forward_node(&mut self, id: usize) {
        let planned = self.planned;
        let (node, plan) = (&planned.graph.nodes[id], &planned.nodes[id]);
        let (out, batch) = (self.value(id), self.batch());
        if plan.first && plan.pooled.is_none() {
            self.clear_halo(out);
        }
        if planned.nodes.iter().any(|conv| conv.pooled == Some(id)) {
            return;
        }
        let from = self.input_of(id);
        let pointwise = |function| Step::Pointwise(Pointwise { function, known: from, from, out, batch });
        match node.op {
            // Given, never computed: plans are not made of other graphs.
            Op::Input | Op::Custom(_) => {}
            // The same value, looked at differently.
            Op::Flatten | Op::Identity => {}
            // Folded or added by the convolution or normalisation that writes this slot.
            Op::BatchNorm { .. } | Op::Add if !plan.first => {}
            Op::Conv(_) | Op::ConvTranspose(_) | Op::Linear { .. } => {
                if let Some(geometry) = &plan.geometry {
                    self.forward_conv(id, geometry, from, out);
                }
            }
            Op::Activation(activation) => {
                if !planned.nodes.iter().any(|writer| writer.fused == Some(id)) {
                    self.push(pointwise(Function::Activate(activation)));
                }
            }
            Op::Dropout { p, channels } => {
                // One that drops nothing shares its input's slot.
                if plan.first {
                    self.push(pointwise(Function::Dropout { node: id, p, channels, mode: GradMode::Store }));
                }
            }
            Op::GroupNorm { groups, eps, affine } => self.forward_group_norm(self.group_norm(id, groups, eps, affine)),
            Op::Resample(how) => self.forward_resample(id, how),
            Op::ChannelPad { before } => self.forward_channel_pad(id, before),
            Op::Scale => {
                let factors = self.value(node.inputs[1]);
                self.push(Step::Scale(Scale { x: from, factors, out, mode: GradMode::Store, batch }));
            }
            Op::Add | Op::Concat => self.forward_merge(id),
            Op::Prelu { per_channel } => {
                self.push(pointwise(Function::Prelu(self.param(node.first_param), per_channel as usize)));
            }
            Op::BatchNorm { eps, .. } => self.forward_batch_norm(self.batch_norm(id, eps)),
            Op::Pool(pool) => self.forward_window(id, Windows::Pool(pool)),
            Op::GlobalPool(_) => self.forward_window(id, self.global(id)),
            Op::AdaptiveAvgPool => self.forward_window(id, Windows::Adaptive),
            Op::Subsample { size } => self.forward_window(id, self.subsample(id, size)),
            Op::Lrn { size, alpha, beta, k } => self.forward_columns(id, Across::lrn(size, alpha, beta, k)),
            Op::Softmax => self.forward_columns(id, Across::Softmax),
            Op::LogSoftmax => self.forward_columns(id, Across::LogSoftmax),
            Op::ChannelPool { kind, size } => self.forward_columns(id, Across::Pool { kind, size }),
            Op::ChannelShuffle { groups } => self.forward_shuffle(id, Order::Channels(groups)),
            Op::PixelShuffle { factor } => self.forward_shuffle(id, Order::Squares(factor)),
        }
    }

    /// Where the first input of a node lies, once it has been repacked where that has to be.
    fn input_of(&mut self, id: usize) -> Layout {
        if self.node(id).extra.repacked.is_some() {
            let from = self.value(self.planned.graph.nodes[id].inputs[0]);
            self.push(Step::Repack(Repack::whole(from, self.by_channel(id), self.batch(), false)));
            self.end_stage();
        }
        self.by_channel(id)
    }

    fn forward_group_norm(&mut self, norm: GroupNorm) {
        self.push(Step::GroupStatistics(GroupStatistics(norm)));
        self.end_stage();
        self.push(Step::GroupNormalise(GroupNormalise(norm)));
    }

    fn forward_batch_norm(&mut self, norm: BatchNorm) {
        if norm.training {
            self.push(Step::Statistics(Statistics(norm)));
            self.end_stage();
        }
        self.push(Step::MergeStatistics(MergeStatistics(norm)));
        self.end_stage();
        self.push(Step::Normalise(Normalise(norm)));
    }

    fn forward_resample(&mut self, id: usize, how: Resample) {
        let (from, out) = (self.value(self.planned.graph.nodes[id].inputs[0]), self.value(id));
        let taps = [1, 2].map(|i| how.taps(i - 1, from.chw[i], out.chw[i]));
        self.push(Step::Gather(Gather::new(from, out, taps, how.outside(), self.batch())));
    }

    fn forward_channel_pad(&mut self, id: usize, before: usize) {
        let input = self.planned.graph.nodes[id].inputs[0];
        let (from, to, batch) = (self.value(input), self.value(id), self.batch());
        self.push(Step::Clear(Clear { layout: to, batch, whole: true }));
        self.end_stage();
        let (part, starts) = (self.planned.graph.nodes[input].shape.chw(), [0, before * to.chw[1] * to.chw[2]]);
        self.push(Step::Repack(Repack { from, to, part, starts, batch, accumulate: false }));
    }

    fn forward_window(&mut self, id: usize, windows: Windows) {
        self.push(Step::Window(self.window(id, windows)));
    }

    fn forward_columns(&mut self, id: usize, across: Across) {
        self.push(Step::Columns(self.columns(id, across)));
    }

    fn forward_shuffle(&mut self, id: usize, how: Order) {
        let (from, to) = (self.value(self.planned.graph.nodes[id].inputs[0]), self.value(id));
        self.push(Step::Shuffle(Shuffle { from, to, how, accumulate: false, batch: self.batch() }));
    }

    pub(super) fn forward_conv(&mut self, id: usize, geometry: &Geometry<'_>, from: Layout, out: Layout) {
        let plan = self.node(id).clone();
        if !self.planned.pack_first && !self.planned.key.frozen {
            self.pack(id);
            self.end_stage();
        }
        let (mut weights, bias) = (self.place(plan.extra.weights), self.place(plan.extra.bias));
        let residual = plan.residual.map(|other| self.value(other));
        let activation = plan.fused.and_then(|fused| {
            if let Op::Activation(activation) = self.planned.graph.nodes[fused].op { Some(activation) } else { None }
        });
        let weight = self.planned.graph.nodes[id].first_param;
        if plan.unpacked {
            let len = from.chw.iter().product();
            let (mut input, mut input_stride) = (from.row_at(0), from.image());
            if let Some(flat) = plan.extra.flat {
                let to = Layout::planar(from.chw).at(self.places.of(flat));
                self.push(Step::Repack(Repack::whole(from, to, self.batch(), false)));
                self.end_stage();
                (input, input_stride) = (to.at, len);
            }
            let (bias, half) = (geometry.bias.then_some(bias), self.planned.key.half);
            let batch = self.batch();
            self.push(Step::Linear(Linear { weight, half, bias, input, input_stride, len, out, batch, activation }));
            return;
        }
        if let Some(tile) = plan.tiles.forward {
            let (mut winograd, _) = geometry.winograd(tile, &from, &out, weight, self.planned.key.frozen);
            if let Some(pack) = &mut winograd.fresh {
                pack.scale = plan.norm.map(|_| self.place(plan.extra.scale));
            }
            let bias = (geometry.bias || plan.norm.is_some()).then_some(bias);
            self.push(Step::Winograd(Winograd { weights, bias, residual, activation, ..winograd }));
            return;
        }
        for (mut correlate, map) in geometry.forward(&from, &out) {
            for block in &mut correlate.blocks {
                block.weights += weights;
                block.bias = block.bias.map(|at| at + bias);
            }
            if plan.norm.is_some() {
                for (index, block) in correlate.blocks.iter_mut().enumerate() {
                    block.bias = Some(bias + index * geometry.lanes);
                }
            }
            if let Some(pool) = plan.pooled {
                let average =
                    matches!(self.planned.graph.nodes[pool].op, Op::Pool(Pool { kind: PoolKind::Avg(_), .. }));
                let (out, rectify) = (self.value(pool), activation.is_some());
                self.clear_halo(out);
                self.push(Step::ConvPool(ConvPool { correlate, out, rectify, average }));
                return;
            }
            (correlate.residual, correlate.activation) = (residual, activation);
            weights += map.packed_len();
            self.push(Step::Correlate(correlate));
        }
    }

    /// Whether the inputs of a sum lie as its output does, so that it can be taken row by row.
    pub(super) fn side_by_side(&self, id: usize) -> bool {
        let out = self.value(id);
        let node = &self.planned.graph.nodes[id];
        matches!(node.op, Op::Add)
            && node.inputs.iter().all(|input| {
                let value = self.value(*input);
                value.chw == out.chw && value.block == out.block
            })
    }

    /// For each input of a merging node: where its elements start in the output.
    pub(super) fn starts(&self, id: usize) -> Vec<(usize, usize)> {
        let node = &self.planned.graph.nodes[id];
        let mut next = 0;
        let place = |input: &usize| {
            let start = next;
            if matches!(node.op, Op::Concat) {
                next += self.planned.graph.nodes[*input].shape.len();
            }
            (*input, start)
        };
        node.inputs.iter().map(place).collect()
    }

    pub(super) fn forward_merge(&mut self, id: usize) {
        let (node, out, batch) = (&self.planned.graph.nodes[id], self.value(id), self.batch());
        if let ([a, b], true) = (&*node.inputs, self.side_by_side(id)) {
            let (from, known) = (self.value(*a), self.value(*b));
            self.push(Step::Pointwise(Pointwise { function: Function::Sum, known, from, out, batch }));
            return;
        }
        for (i, (input, start)) in self.starts(id).into_iter().enumerate() {
            let (part, whole) = (&self.planned.slots[self.node(input).slot], &self.planned.slots[self.node(id).slot]);
            let first = whole.first_block + start / (out.block * out.chw[1] * out.chw[2]);
            if matches!(node.op, Op::Concat) && part.region == whole.region && part.first_block == first {
                // It was written there.
                continue;
            }
            let part = self.planned.graph.nodes[input].shape.chw();
            // The first term of a sum is copied, the others are added to it.
            let accumulate = matches!(node.op, Op::Add) && i > 0;
            let from = self.value(input);
            self.push(Step::Repack(Repack { from, to: out, part, starts: [0, start], batch, accumulate }));
            if matches!(node.op, Op::Add) {
                self.end_stage();
            }
        }
    }
}
