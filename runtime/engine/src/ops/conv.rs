//! Convolutions, transposed convolutions and linear layers, which are one thing to the kernels: a [`Geometry`].

use super::{Facts, Operation, Reads, Shares, Site, Unit};
use crate::geometry::Geometry;
use crate::kernels::{
    Bias, BiasGrad, ConvPool, Correlate, GradMode, Linear, Pack, Repack, Step, Unpack, WeightMap, Winograd,
    WinogradPack, WinogradTiles,
};
use crate::layout::Layout;
use crate::node::{Buffers, ConvBuffers, ConvPlan};
use crate::plan::PlanKey;
use crate::regions::Regions;
use crate::writer::Writer;
use convnet_graph::{Activation, Conv, ConvTranspose, Graph, Node, Op, Pool, PoolKind};

/// Which of them.
pub enum Convolution {
    /// A convolution.
    Plain(Conv),
    /// A transposed convolution.
    Transposed(ConvTranspose),
    /// A linear layer.
    Linear {
        /// Whether it has a bias.
        bias: bool,
    },
}

impl Operation for Convolution {
    fn facts(&self, _key: &PlanKey) -> Facts {
        let reads_planar = match self {
            Convolution::Plain(_) | Convolution::Linear { .. } => true,
            Convolution::Transposed(_) => false,
        };
        // A linear layer reads all of a map, and the others never follow a flatten.
        Facts { reads: Reads::Input, unit: Unit::Whole, shares: Shares::Never, reads_planar }
    }

    fn geometry<'a>(&self, graph: &'a Graph, node: &Node, input: [usize; 3], key: &PlanKey) -> Option<Geometry<'a>> {
        let (output, batch, lanes) = (node.shape.chw(), key.batch, key.isa.lanes());
        Some(match *self {
            Convolution::Plain(conv) => Geometry::conv(conv, graph.connections_of(&conv), input, output, batch, lanes),
            Convolution::Transposed(conv) => Geometry::transposed(conv, input, output, batch, lanes),
            Convolution::Linear { bias } => Geometry::linear(input, node.shape.len(), bias, batch, lanes),
        })
    }

    fn buffers(&self, site: &Site<'_, '_>, regions: &mut Regions) -> Buffers {
        site.plan().conv.map_or(Buffers::None, |conv| Buffers::Conv(buffers(&conv, site, regions)))
    }

    fn pack(&self, to: &mut Writer<'_>, id: usize) {
        let layer = Layer::new(to, id);
        let has_norm = layer.bias(to);
        if !layer.conv.unpacked {
            layer.weights(to, has_norm);
        }
    }

    fn forward(&self, to: &mut Writer<'_>, id: usize) {
        let planned = to.planned();
        if !planned.pack_first && !planned.key.frozen {
            self.pack(to, id);
            to.end_stage();
        }
        let layer = Layer::new(to, id);
        match layer.conv.tiles.forward {
            _ if layer.conv.unpacked => layer.linear(to),
            Some(tile) => layer.winograd(to, tile),
            None => layer.correlate(to),
        }
    }

    fn backward(&self, to: &mut Writer<'_>, id: usize) {
        let layer = Layer::new(to, id);
        layer.bias_grad(to);
        let last = layer.weight_grad(to);
        let correlates = if to.input_wants_grad(id) { layer.input_grad(to) } else { Vec::new() };
        to.end_stage();
        correlates.into_iter().for_each(|step| to.push(step));
        to.push(last);
    }
}

fn buffers(conv: &ConvPlan<'_>, site: &Site<'_, '_>, regions: &mut Regions) -> ConvBuffers {
    let (geometry, input, own) = (&conv.geometry, site.input_slot(), site.slot());
    let (forward, backward) = (site.forward(), site.backward());
    let (from, to) = match site.key.frozen {
        true => (0, site.time.end()),
        false => (if site.pack_first { 0 } else { forward }, forward),
    };
    let in_order = input.value.chw[1] * input.value.chw[2] == 1 && input.value.halo == [0, 0];
    let flat_len = site.key.batch * input.value.chw.iter().product::<usize>();
    let len = match conv.tiles.forward {
        _ if conv.unpacked => 0,
        Some(tile) => {
            transformed_len(geometry.winograd(tile, &input.value, &own.value, 0, site.key.frozen), geometry.lanes)
        }
        None => packed_len(&geometry.forward(&input.value, &own.value)),
    };
    let padded = geometry.outs().next_multiple_of(geometry.lanes);
    let wants_grad = site.plan().wants_grad;
    ConvBuffers {
        flat: (conv.unpacked && !in_order).then(|| regions.add(flat_len, forward, forward)),
        weights: regions.add(len, from, to),
        bias: regions.add(padded, from, to),
        scale: site.plan().does.norm.map(|_| regions.add(padded, from, to)),
        weight_grad: wants_grad.then(|| regions.add(weight_grad_len(conv, site), backward, backward)),
        back_weights: (wants_grad && site.input().wants_grad)
            .then(|| regions.add(back_weights_len(conv, site), backward, backward)),
    }
}

/// Numbers of packed weight gradients. Chunks of images are never more than there are images or 48; see `kernels::WeightGrad::new`.
fn weight_grad_len(conv: &ConvPlan<'_>, site: &Site<'_, '_>) -> usize {
    let (input, d_out) = (&site.input_slot().value, &site.slot().grad);
    if conv.tiles.weights {
        return conv.geometry.winograd_grad(input, d_out, site.node().first_param).len();
    }
    let (grad, _) = conv.geometry.weight_grad(input, d_out);
    grad.chunks * grad.chunk_len
}

/// Numbers of packed weights for the gradient of the input.
fn back_weights_len(conv: &ConvPlan<'_>, site: &Site<'_, '_>) -> usize {
    let (d_out, d_in) = (&site.slot().grad, &site.input_slot().grad);
    match conv.tiles.backward {
        Some(tile) => transformed_len(conv.geometry.winograd_backward(tile, d_out, d_in, 0), conv.geometry.lanes),
        None => packed_len(&conv.geometry.backward(d_out, d_in)),
    }
}

/// Numbers of packed weights.
fn packed_len(pieces: &[(Correlate, WeightMap)]) -> usize {
    pieces.iter().map(|(_, map)| map.packed_len()).sum()
}

/// Numbers of transformed weights: nothing is kept of those that are transformed where they are read.
fn transformed_len((winograd, pack): (Winograd, WinogradPack), lanes: usize) -> usize {
    if winograd.fresh.is_some() { 0 } else { pack.packed_len(lanes) }
}

/// A layer whose steps are written.
struct Layer<'a> {
    id: usize,
    /// Index of its weight among the parameters; the bias follows.
    param: usize,
    conv: ConvPlan<'a>,
    buffers: ConvBuffers,
    /// Input and output.
    from: Layout,
    out: Layout,
}

impl<'a> Layer<'a> {
    fn new(to: &Writer<'a>, id: usize) -> Self {
        let plan = to.plan(id);
        let (Some(conv), Buffers::Conv(buffers)) = (plan.conv, plan.buffers) else {
            unreachable!("a convolution has a geometry and buffers")
        };
        Layer { id, param: to.node(id).first_param, conv, buffers, from: to.source(id), out: to.value(id) }
    }

    /// Writes the bias, and the factors of a batch normalisation that is folded into the layer; gives whether there is one.
    fn bias(&self, to: &mut Writer<'_>) -> bool {
        let (geometry, graph) = (&self.conv.geometry, to.planned().graph);
        let norm = to.plan(self.id).does.norm.and_then(|norm| {
            let norm = &graph.nodes[norm];
            if let Op::BatchNorm { eps, .. } = norm.op { Some((norm.first_param, eps)) } else { None }
        });
        if geometry.bias || norm.is_some() {
            to.push(Bias {
                bias: geometry.bias.then_some(self.param + 1),
                norm,
                channels: geometry.outs(),
                to: to.place(self.buffers.bias),
                scale: self.scale(to),
                padded: geometry.outs().next_multiple_of(geometry.lanes),
            });
        }
        if norm.is_some() {
            to.end_stage();
        }
        norm.is_some()
    }

    fn scale(&self, to: &Writer<'_>) -> usize {
        self.buffers.scale.map_or(0, |region| to.place(region))
    }

    /// Packs the weights.
    fn weights(&self, to: &mut Writer<'_>, has_norm: bool) {
        let (geometry, param) = (&self.conv.geometry, self.param);
        let mut packed = to.place(self.buffers.weights);
        let scale = has_norm.then(|| self.scale(to));
        if let Some(tile) = self.conv.tiles.forward {
            let (winograd, pack) = geometry.winograd(tile, &self.from, &self.out, param, to.planned().key.frozen);
            if winograd.fresh.is_none() {
                to.push(WinogradPack { packed, scale, ..pack });
            }
            return;
        }
        for (_, map) in geometry.forward(&self.from, &self.out) {
            let len = map.packed_len();
            to.push(Pack { map, param, packed, chunks: 1, scale });
            packed += len;
        }
    }

    fn activation(&self, to: &Writer<'_>) -> Option<Activation> {
        let fused = to.plan(self.id).does.activation?;
        if let Op::Activation(activation) = to.node(fused).op { Some(activation) } else { None }
    }

    fn residual(&self, to: &Writer<'_>) -> Option<Layout> {
        to.plan(self.id).does.residual.map(|other| to.value(other))
    }

    /// A linear layer from weights that are not packed.
    fn linear(&self, to: &mut Writer<'_>) {
        let (from, batch, len) = (self.from, to.batch(), self.from.chw.iter().product());
        let (mut input, mut input_stride) = (from.row_at(0), from.image());
        if let Some(flat) = self.buffers.flat {
            let in_order = Layout::planar(from.chw).at(to.place(flat));
            to.push(Repack::whole(from, in_order, batch, false));
            to.end_stage();
            (input, input_stride) = (in_order.at, len);
        }
        let bias = self.conv.geometry.bias.then(|| to.place(self.buffers.bias));
        let (weight, half, activation) = (self.param, to.planned().key.half, self.activation(to));
        to.push(Linear { weight, half, bias, input, input_stride, len, out: self.out, batch, activation });
    }

    fn winograd(&self, to: &mut Writer<'_>, tile: usize) {
        let (geometry, has_norm) = (&self.conv.geometry, to.plan(self.id).does.norm.is_some());
        let (mut winograd, _) = geometry.winograd(tile, &self.from, &self.out, self.param, to.planned().key.frozen);
        if let Some(pack) = &mut winograd.fresh {
            pack.scale = has_norm.then(|| self.scale(to));
        }
        let bias = (geometry.bias || has_norm).then(|| to.place(self.buffers.bias));
        let (weights, residual) = (to.place(self.buffers.weights), self.residual(to));
        to.push(Winograd { weights, bias, residual, activation: self.activation(to), ..winograd });
    }

    fn correlate(&self, to: &mut Writer<'_>) {
        let (geometry, does) = (&self.conv.geometry, &to.plan(self.id).does);
        let (mut weights, bias) = (to.place(self.buffers.weights), to.place(self.buffers.bias));
        for (mut correlate, map) in geometry.forward(&self.from, &self.out) {
            for block in &mut correlate.blocks {
                block.weights += weights;
                block.bias = block.bias.map(|at| at + bias);
            }
            if does.norm.is_some() {
                for (index, block) in correlate.blocks.iter_mut().enumerate() {
                    block.bias = Some(bias + index * geometry.lanes);
                }
            }
            if let Some(pool) = does.pool {
                return self.conv_pool(to, correlate, pool);
            }
            correlate.factors = does.product.map(|product| to.value(to.node(product).inputs[1]));
            (correlate.residual, correlate.activation) = (self.residual(to), self.activation(to));
            weights += map.packed_len();
            to.push(correlate);
        }
    }

    /// The layer with the pool behind it.
    fn conv_pool(&self, to: &mut Writer<'_>, correlate: Correlate, pool: usize) {
        let average = matches!(to.node(pool).op, Op::Pool(Pool { kind: PoolKind::Avg(_), .. }));
        let (out, rectify) = (to.value(pool), self.activation(to).is_some());
        to.clear_halo(out);
        to.push(ConvPool { correlate, out, rectify, average });
    }

    fn bias_grad(&self, to: &mut Writer<'_>) {
        if !self.conv.geometry.bias {
            return;
        }
        let d_out = to.grad(self.id);
        to.push(BiasGrad {
            extent: [to.batch(), d_out.chw[1], d_out.chw[2]],
            blocks: (0..d_out.blocks()).map(|block| d_out.row_at(0) + block * d_out.plane()).collect(),
            stride: [d_out.image(), d_out.row(), d_out.block],
            channels: self.conv.geometry.outs(),
            out: to.d_param(self.param + 1),
        });
    }

    /// The gradient of the weights, short of the step that brings it to where it is wanted: that is for the next stage.
    fn weight_grad(&self, to: &mut Writer<'_>) -> Step {
        let (geometry, d_out, param) = (&self.conv.geometry, to.grad(self.id), self.param);
        let place = self.buffers.weight_grad.map_or(0, |region| to.place(region));
        if !self.conv.tiles.weights {
            let (mut grad, map) = geometry.weight_grad(&self.from, &d_out);
            grad.out = place;
            let chunks = grad.chunks;
            to.push(grad);
            return Unpack(Pack { map, param, packed: place, chunks, scale: None }).into();
        }
        let mut grad = geometry.winograd_grad(&self.from, &d_out, param);
        grad.place = place;
        for round in 0..grad.rounds {
            if round > 0 {
                to.push(grad);
                to.end_stage();
            }
            grad.round = round;
            to.push(WinogradTiles(grad));
            to.end_stage();
        }
        grad.into()
    }

    /// Packs the weights for the gradient of the input; gives the steps that compute it, for the next stage.
    fn input_grad(&self, to: &mut Writer<'_>) -> Vec<Step> {
        let (geometry, d_out, param) = (&self.conv.geometry, to.grad(self.id), self.param);
        let (d_in, mode) = to.grad_of(to.input(self.id));
        let mut packed = self.buffers.back_weights.map_or(0, |region| to.place(region));
        let accumulate = mode == GradMode::Add;
        if let Some(tile) = self.conv.tiles.backward {
            let (winograd, pack) = geometry.winograd_backward(tile, &d_out, &d_in, param);
            if winograd.fresh.is_none() {
                to.push(WinogradPack { packed, ..pack });
            }
            return vec![Winograd { weights: packed, accumulate, ..winograd }.into()];
        }
        let mut correlates = Vec::new();
        for (mut correlate, map) in geometry.backward(&d_out, &d_in) {
            for block in &mut correlate.blocks {
                block.weights += packed;
            }
            correlate.accumulate = accumulate;
            correlates.push(correlate.into());
            let len = map.packed_len();
            to.push(Pack { map, param, packed, chunks: 1, scale: None });
            packed += len;
        }
        correlates
    }
}
