//! Every operation of a graph from dfdx operations that exist on stable Rust: any device, any dtype.
//!
//! CUDA and `f64` run on it, gradient checks judge it, and the engine is tested against it. Values are matrices
//! `[C * H * W, N]` (`Flat`): with the batch innermost, convolution and pooling windows are a choice of rows (a gather on
//! axis 0 by one index list for the whole batch), a flatten is nothing at all, and a channel is a block of rows. Speed is
//! secondary here; what counts is that each operation reads like its formula.

mod activation;
mod conv;
mod norm;
mod pool;
mod resample;
mod rows;
mod scale;

use crate::backend::{Job, Map, NetTape, Outcome, Pass, Real, Recording};
use crate::graph::{Graph, Node, Op, Pool, PoolKind};
use convnet_engine::random::keep;
use dfdx::prelude::*;
use rows::{Choice, Chosen};
use std::rc::Rc;

pub use rows::Lists;

/// A batch of values `[features, N]`.
type Flat<E, D, T = NoneTape> = Tensor<(usize, usize), E, D, T>;

/// Does the job operation by operation, on the tape if there is one; with the `lists` of this graph that earlier passes have left.
///
/// # Errors
/// When the device runs out of memory.
pub fn run<E: Real, D: Device<E>>(
    job: Job<'_, E, D>,
    lists: Option<&Lists<D>>,
    tape: Recording<E, D>,
) -> Result<Outcome<E, D>, D::Err> {
    match tape {
        None => on_tape(job, lists, NoneTape),
        Some(tape) => on_tape(job, lists, tape),
    }
}

/// [`run`] on a tape, or on none; who knows which needs only one of the two compiled.
///
/// # Errors
/// When the device runs out of memory.
pub fn on_tape<E: Real, D: Device<E>, T: NetTape<E, D>>(
    job: Job<'_, E, D>,
    lists: Option<&Lists<D>>,
    mut tape: T,
) -> Result<Outcome<E, D>, D::Err> {
    let Job { graph, part, params, inputs, pass, fixed } = job;
    // Values without their tape, and one tape that visits the operations in order: so a value may have many readers.
    let mut values: Vec<Option<Flat<E, D>>> = vec![None; graph.nodes.len()];
    for (id, x) in part.inputs.iter().zip(inputs) {
        let (batch, len) = (x.shape().0, graph.nodes[*id].shape.len());
        let x = x.put_tape(tape).try_contiguous()?.try_reshape_like(&(batch, len))?;
        let (x, rest) = x.try_permute::<_, Axes2<1, 0>>()?.try_contiguous()?.split_tape();
        values[*id] = Some(x);
        tape = rest;
    }
    let mut running = Vec::new();
    let covered = part.covered(graph);
    for (id, node) in graph.nodes.iter().enumerate().filter(|(id, _)| covered[*id]) {
        let value =
            |id: usize| values[id].clone().unwrap_or_else(|| unreachable!("node {id} is computed before it is read"));
        let x = value(node.inputs[0]).put_tape(tape);
        let own = &params[node.param_ids()];
        let input = graph.nodes[node.inputs[0]].shape.chw();
        let takes_statistics = pass.training && !fixed.contains(&id);
        let context = Context { graph, node, id, input, params: own, pass, takes_statistics, lists };
        let others = node.inputs.get(1..).unwrap_or_default();
        let others = others.iter().map(|other| (value(*other), *other == node.inputs[0]));
        let y = context.apply(x, others.collect(), &mut running)?;
        let (y, rest) = y.split_tape();
        values[id] = Some(y);
        tape = rest;
    }
    let mut outputs = Vec::new();
    for id in &part.outputs {
        let Some(value) = values[*id].clone() else { unreachable!("node {id} is covered or given") };
        let (batch, [c, h, w]) = (value.shape().1, graph.nodes[*id].shape.chw());
        let output = value.put_tape(tape).try_permute::<_, Axes2<1, 0>>()?.try_contiguous()?;
        let (output, rest) = output.try_reshape_like(&(batch, c, h, w))?.split_tape();
        outputs.push(output);
        tape = rest;
    }
    Ok(Outcome { outputs, tape: tape.into_recording(), running })
}

/// What an operation knows beside its input.
struct Context<'a, E: Dtype, D: Storage<E> + Storage<usize>> {
    graph: &'a Graph,
    node: &'a Node,
    id: usize,
    /// `[C, H, W]` of the input.
    input: [usize; 3],
    params: &'a [Map<E, D>],
    pass: Pass,
    /// Whether a batch normalisation takes the statistics of the batch.
    takes_statistics: bool,
    lists: Option<&'a Lists<D>>,
}

impl<E: Real, D: Device<E>> Context<'_, E, D> {
    /// What the operation makes of its first input and, where it has several, of the `others`: each with whether it is the first
    /// one again.
    fn apply<T: NetTape<E, D>>(
        &self,
        x: Flat<E, D, T>,
        others: Vec<(Flat<E, D>, bool)>,
        running: &mut Vec<(usize, Vec<E>)>,
    ) -> Result<Flat<E, D, T>, D::Err> {
        match self.node.op {
            Op::Input | Op::Flatten | Op::Identity => Ok(x),
            Op::Add => others.into_iter().try_fold(x, |sum, (other, same)| {
                let (sum, other) = distinct(sum, other, same)?;
                sum.try_add(other)
            }),
            // Channels are blocks of rows.
            Op::Concat => others.into_iter().try_fold(x, |joined, (other, same)| {
                let (joined, other) = distinct(joined, other, same)?;
                (joined, other).try_concat_along(Axis::<0>)
            }),
            Op::Scale => others.into_iter().try_fold(x, |x, (factors, same)| {
                let (x, factors) = distinct(x, factors, same)?;
                self.scale(x, factors)
            }),
            Op::ChannelScale => self.channel_scale(x),
            Op::Custom(_) => unreachable!("custom modules are cut out before an executor runs"),
            Op::ConvTranspose(conv) => self.conv_transpose(&conv, x),
            Op::Resample(how) => self.resample(how, x),
            Op::ChannelPad { before } => self.channel_pad(before, x),
            Op::ChannelCrop { before } => self.channel_crop(before, x),
            Op::ChannelShuffle { groups } => self.channel_shuffle(groups, x),
            Op::PixelShuffle { factor } => self.pixel_shuffle(factor, x),
            Op::PixelUnshuffle { factor } => self.pixel_unshuffle(factor, x),
            Op::Permute { order } => self.permute(order, x),
            Op::GroupNorm { groups, eps, affine } => self.group_norm(groups.count(self.input[0]), eps, affine, x),
            Op::PixelNorm { eps, affine } => self.pixel_norm(eps, affine, x),
            Op::Conv(conv) => self.conv(&conv, x),
            Op::Linear { bias } => self.linear(bias, x),
            Op::PixelLinear { bias } => self.pixel_linear(bias, x),
            Op::Pool(pool) => self.pool(&pool, x),
            Op::AdaptiveAvgPool | Op::GlobalPool(PoolKind::Avg(_)) => self.adaptive_avg_pool(x),
            Op::GlobalPool(kind @ (PoolKind::Max | PoolKind::Min)) => self.pool(&Pool::whole(kind, self.input), x),
            Op::ChannelPool { kind, size } => self.channel_pool(kind, size, x),
            Op::Subsample { size } => self.subsample(size, x),
            Op::BatchNorm { eps, momentum } => self.batch_norm(eps, momentum, x, running),
            Op::Lrn { size, alpha, beta, k } => self.lrn(size, alpha, beta, k, x),
            Op::Dropout { p, channels: false } => self.dropout(p, 1, x),
            Op::Dropout { p, channels: true } => self.dropout(p, self.input[1] * self.input[2], x),
            Op::StochasticDepth { p } => self.dropout(p, x.shape().0, x),
            Op::Activation(activation) => activation::apply(activation, x),
            Op::Prelu { .. } => self.prelu(x),
            Op::Softmax => self.by_channel(self.by_channel_log_softmax(x)?.try_exp()?),
            Op::LogSoftmax => self.by_channel(self.by_channel_log_softmax(x)?),
        }
    }

    /// What this node chooses: what is kept, or what `count` finds.
    fn chosen(&self, device: &D, count: impl FnOnce() -> Choice) -> Result<Rc<Chosen<D>>, D::Err> {
        let count = || Chosen::new(count(), device);
        match self.lists {
            Some(lists) => lists.of(self.id, count),
            None => count().map(Rc::new),
        }
    }

    /// `[C, H * W * N]`: a row for each channel.
    fn channels<T: NetTape<E, D>>(&self, x: Flat<E, D, T>) -> Result<Flat<E, D, T>, D::Err> {
        let (features, batch) = *x.shape();
        let channels = self.input[0];
        x.try_reshape_like(&(channels, features / channels * batch))
    }

    /// Back from a row for each channel to `[C * H * W, N]`.
    fn by_channel<T: NetTape<E, D>>(&self, x: Flat<E, D, T>) -> Result<Flat<E, D, T>, D::Err> {
        let features = self.node.shape.len();
        let batch = x.shape().0 * x.shape().1 / features;
        x.try_reshape_like(&(features, batch))
    }

    /// A parameter `[C]` as a matrix like `like`, whose rows are channels.
    fn spread<T: NetTape<E, D>>(&self, param: usize, like: (usize, usize)) -> Result<Flat<E, D, T>, D::Err> {
        let vector = self.params[param].retaped::<T>().try_reshape_like(&(self.params[param].shape().0,))?;
        vector.try_broadcast_like::<_, Axis<1>>(&like)
    }

    fn linear<T: NetTape<E, D>>(&self, bias: bool, x: Flat<E, D, T>) -> Result<Flat<E, D, T>, D::Err> {
        let (outputs, inputs) = (self.node.shape.len(), x.shape().0);
        let weight = self.params[0].retaped::<T>().try_reshape_like(&(outputs, inputs))?;
        let y = weight.try_matmul(x)?;
        if !bias {
            return Ok(y);
        }
        let shape = *y.shape();
        y.try_add(self.spread::<T>(1, shape)?)
    }

    /// A row for each channel, of all pixels and images, is a batch to a linear layer.
    fn pixel_linear<T: NetTape<E, D>>(&self, bias: bool, x: Flat<E, D, T>) -> Result<Flat<E, D, T>, D::Err> {
        let x = self.channels(x)?;
        let (outputs, inputs) = (self.node.shape.chw()[0], x.shape().0);
        let weight = self.params[0].retaped::<T>().try_reshape_like(&(outputs, inputs))?;
        let y = weight.try_matmul(x)?;
        let shape = *y.shape();
        self.by_channel(if bias { y.try_add(self.spread::<T>(1, shape)?)? } else { y })
    }

    fn prelu<T: NetTape<E, D>>(&self, x: Flat<E, D, T>) -> Result<Flat<E, D, T>, D::Err> {
        let x = self.channels(x)?;
        let shape = *x.shape();
        let slope: Flat<E, D, T> = match self.params[0].shape().0 {
            1 => self.params[0].retaped::<T>().try_reshape_like(&())?.try_broadcast_like(&shape)?,
            _ => self.spread(0, shape)?,
        };
        let positive = x.try_gt(E::zero())?;
        let scaled = slope.try_mul(x.with_empty_tape())?;
        self.by_channel(positive.try_choose(x, scaled)?)
    }

    fn by_channel_log_softmax<T: NetTape<E, D>>(&self, x: Flat<E, D, T>) -> Result<Flat<E, D, T>, D::Err> {
        self.channels(x)?.try_log_softmax::<Axis<0>>()
    }

    /// Drops `group` elements at a time, in `[C, H, W]` order.
    fn dropout<T: NetTape<E, D>>(&self, p: f64, group: usize, x: Flat<E, D, T>) -> Result<Flat<E, D, T>, D::Err> {
        let Some(seed) = self.pass.dropout.filter(|_| self.pass.training && p > 0.0) else { return Ok(x) };
        let (features, batch) = *x.shape();
        let scale: E = number(1.0 / (1.0 - p));
        // Counted in `[N, C, H, W]` order, as the engine does, whatever the order here.
        let mask = (0..features * batch).map(|i| {
            let index = ((i % batch * features + i / batch) / group) as u64;
            if keep(seed, self.id, index, p) { scale } else { E::zero() }
        });
        let mask = x.device().try_tensor_from_vec(mask.collect(), (features, batch))?;
        x.try_mul(mask)
    }
}

/// A constant in the dtype at hand; every `f64` has a nearest value in it.
fn number<E: Real>(value: f64) -> E {
    E::from_f64(value).unwrap_or(E::nan())
}

/// `other` beside `x`; if they are the same value, as a tensor of its own, since dfdx refuses an operation of a tensor with
/// itself.
fn distinct<E: Real, D: Device<E>, T: NetTape<E, D>>(
    x: Flat<E, D, T>,
    other: Flat<E, D>,
    same: bool,
) -> Result<(Flat<E, D, T>, Flat<E, D>), D::Err> {
    if !same {
        return Ok((x, other));
    }
    let (x, tape) = x.split_tape();
    let (copy, tape) = other.put_tape(tape).try_add(E::zero())?.split_tape();
    Ok((x.put_tape(tape), copy))
}
