//! Small graphs by hand, for tests of the executors: the macro has tests of its own, and these must not depend on it.
#![allow(dead_code)] // Each test target uses its part.

use convnet::dfdx::prelude::*;
use convnet::dfdx::tensor::CpuError;
use convnet::engine::{Isa, Options, Session};
use convnet::graph::{
    Affine, Connections, Conv, ConvTranspose, Graph, Groups, Init, Node, Op, Output, Pad, Param, Pool, PoolKind,
    Shape as NodeShape, Subgraph,
};
use convnet::net::{Job, Map, Outcome, Pass, Real, Recording};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::sync::Arc;

/// A chain of operations with the shape that each gives; parameters follow from the operations.
pub fn chain(input: NodeShape, ops: &[(Op, NodeShape)]) -> Graph {
    let nodes: Vec<_> = ops.iter().enumerate().map(|(i, (op, shape))| (*op, *shape, vec![i])).collect();
    network(input, &nodes, Vec::new())
}

/// Operations with the shape that each gives and the nodes that each reads; the input is node 0. Convolutions point to
/// `connections`.
pub fn network(input: NodeShape, ops: &[(Op, NodeShape, Vec<usize>)], connections: Vec<Connections>) -> Graph {
    let mut nodes = vec![node("input".into(), Op::Input, vec![], input, 0)];
    let mut params = Vec::new();
    for (i, (op, shape, inputs)) in ops.iter().enumerate() {
        let from = nodes[inputs[0]].shape;
        let mut node = node(format!("{i}"), *op, inputs.clone(), *shape, params.len());
        for (name, dims, trainable) in param_shapes(op, from, *shape, &connections) {
            node.n_params += 1;
            node.params += dims.iter().product::<usize>();
            let (name, shape) = (format!("{i}.{name}").into(), dims.into());
            params.push(Param { name, shape, trainable, init: Init::Zeros });
        }
        nodes.push(node);
    }
    let output = Output { name: "output".into(), node: nodes.len() - 1 };
    Graph {
        name: "Test".into(),
        nodes: nodes.into(),
        params: params.into(),
        connections: connections.into(),
        outputs: vec![output].into(),
        heads: Vec::new().into(),
        peak_activations: 0,
    }
}

fn node(name: String, op: Op, inputs: Vec<usize>, shape: NodeShape, first_param: usize) -> Node {
    let (receptive_field, jump) = ([1, 1], [1, 1]);
    Node {
        name: name.into(),
        op,
        inputs: inputs.into(),
        shape,
        first_param,
        n_params: 0,
        params: 0,
        macs: 0,
        receptive_field,
        jump,
        auxiliary: false,
    }
}

/// A connection table.
pub fn table(rows: Vec<Vec<usize>>) -> Connections {
    rows.into_iter().map(Into::into).collect::<Vec<_>>().into()
}

fn param_shapes(
    op: &Op,
    from: NodeShape,
    to: NodeShape,
    connections: &[Connections],
) -> Vec<(&'static str, Vec<usize>, bool)> {
    let ([in_c, ..], [out_c, ..]) = (from.chw(), to.chw());
    let both = |shape: Vec<usize>| vec![("weight", shape.clone(), true), ("bias", shape, true)];
    let (mut shapes, bias) = match op {
        Op::Conv(Conv { connections: Some(table), kernel: [h, w], bias, .. }) => {
            let n = connections[*table].iter().map(|row| row.len()).sum();
            (vec![("weight", vec![n, *h, *w], true)], *bias)
        }
        Op::Conv(Conv { groups, kernel: [h, w], bias, .. }) => {
            (vec![("weight", vec![out_c, in_c / groups.count(in_c), *h, *w], true)], *bias)
        }
        Op::ConvTranspose(ConvTranspose { groups, kernel: [h, w], bias, .. }) => {
            (vec![("weight", vec![in_c, out_c / groups.count(in_c), *h, *w], true)], *bias)
        }
        Op::Linear { bias } => (vec![("weight", vec![out_c, from.len()], true)], *bias),
        Op::PixelLinear { bias } => (vec![("weight", vec![out_c, in_c], true)], *bias),
        Op::PixelNorm { affine: true, .. } => (both(vec![in_c]), false),
        Op::GroupNorm { affine: Affine::Channel, .. } | Op::Subsample { .. } => (both(vec![in_c]), false),
        Op::GroupNorm { affine: Affine::Element, .. } => (both(from.chw().to_vec()), false),
        Op::BatchNorm { .. } => {
            let buffers = [("running_mean", vec![in_c], false), ("running_var", vec![in_c], false)];
            ([both(vec![in_c]), buffers.to_vec()].concat(), false)
        }
        Op::ChannelScale => (vec![("weight", vec![in_c], true)], false),
        Op::Prelu { per_channel } => (vec![("weight", vec![if *per_channel { in_c } else { 1 }], true)], false),
        _ => (vec![], false),
    };
    if bias {
        shapes.push(("bias", vec![out_c], true));
    }
    shapes
}

/// A tensor of four dimensions filled by `value`.
pub fn tensor<E: Real>(dev: &Cpu, dims: &[usize], mut value: impl FnMut() -> f64) -> Map<E, Cpu>
where
    Cpu: Device<E>,
{
    let mut all = [1; 4];
    all[..dims.len()].copy_from_slice(dims);
    let [a, b, c, d] = all;
    let values = (0..a * b * c * d).map(|_| E::from_f64(value()).unwrap()).collect();
    dev.tensor_from_vec(values, (a, b, c, d))
}

/// Parameters of `graph` and a batch, in `[-1, 1]` with running variances around 1.
pub fn random<E: Real>(graph: &Graph, batch: usize, seed: u64) -> (Vec<Map<E, Cpu>>, Map<E, Cpu>)
where
    Cpu: Device<E>,
{
    let dev = Cpu::default();
    let mut rng = StdRng::seed_from_u64(seed);
    let params = graph.params.iter().map(|param| {
        let fan_in = param.shape.iter().skip(1).product::<usize>().max(1) as f64;
        let is_norm = graph.params.iter().any(|p| p.name == param.name.replace("weight", "running_mean"));
        tensor(&dev, &param.shape, || {
            let u = rng.gen_range(-1.0..1.0);
            match param.name.rsplit('.').next() {
                Some("running_var") => 1.0 + 0.5 * u,
                Some("weight") if param.shape.len() == 1 && is_norm => 1.0 + 0.3 * u,
                Some("weight") => u * (3.0 / fan_in).sqrt(),
                _ => 0.3 * u,
            }
        })
    });
    let params = params.collect();
    let [c, h, w] = graph.input().chw();
    let x = tensor(&dev, &[batch, c, h, w], || rng.gen_range(-1.0..1.0));
    (params, x)
}

/// Everything that a pass gives: output, gradients of parameters (those trained) and input, running statistics.
#[derive(Debug, Clone, PartialEq)]
pub struct Result {
    pub output: Vec<f64>,
    pub d_params: Vec<Vec<f64>>,
    pub d_input: Vec<f64>,
    pub running: Vec<(usize, Vec<f64>)>,
}

/// The weights that turn an output into a scalar loss: not symmetric, so that no gradient cancels.
pub fn loss_weights<E: Real>(n: usize) -> Vec<E> {
    (0..n).map(|i| E::from_f64(((i * 7 + 3) % 11) as f64 / 5.0 - 1.0).unwrap()).collect()
}

/// Runs `executor` on a tape and differentiates `sum(weights * output)`.
pub fn differentiate<E: Real>(
    graph: &Graph,
    params: &[Map<E, Cpu>],
    x: &Map<E, Cpu>,
    pass: Pass,
    executor: impl Fn(Job<'_, E, Cpu>, Recording<E, Cpu>) -> std::result::Result<Outcome<E, Cpu>, CpuError>,
) -> Result
where
    Cpu: Device<E>,
{
    let (given, tape) = x.clone().traced(Gradients::leaky()).split_tape();
    let part = Subgraph::whole(graph, false);
    let job = Job { graph, part: &part, params: params.to_vec(), inputs: vec![given], pass, fixed: &[] };
    let outcome = executor(job, Some(tape)).unwrap().taped::<OwnedTape<E, Cpu>>();
    let (running, output) = (outcome.running, outcome.outputs[0].clone().put_tape(outcome.tape));
    let values = numbers(&output.as_vec());
    let shape = *output.shape();
    let weights = output.device().tensor_from_vec(loss_weights(values.len()), shape);
    let mut grads = (output * weights).sum::<Rank0, _>().backward();
    // Where nothing was recorded the gradient is zero.
    params.iter().chain([x]).for_each(|t| grads.try_alloc_for(t).unwrap());
    let trained = graph.params.iter().zip(params).filter(|(param, _)| param.trainable);
    Result {
        output: values,
        d_params: trained.map(|(_, tensor)| numbers(&grads.get(tensor).as_vec())).collect(),
        d_input: numbers(&grads.get(x).as_vec()),
        running: running.into_iter().map(|(i, values)| (i, numbers(&values))).collect(),
    }
}

pub fn numbers<E: Real>(values: &[E]) -> Vec<f64> {
    values.iter().map(|x| x.to_f64().unwrap()).collect()
}

/// By `portable`.
pub fn portable<E: Real>(graph: &Graph, params: &[Map<E, Cpu>], x: &Map<E, Cpu>, pass: Pass) -> Result
where
    Cpu: Device<E>,
{
    differentiate(graph, params, x, pass, |job, tape| convnet::portable::run(job, None, tape))
}

pub fn conv(kernel: [usize; 2]) -> Conv {
    let (stride, dilation, pad) = ([1, 1], [1, 1], Pad::default());
    Conv { kernel, stride, pad, dilation, groups: Groups::One, bias: true, connections: None }
}

pub fn conv_transpose(kernel: [usize; 2]) -> ConvTranspose {
    ConvTranspose { kernel, stride: [1, 1], pad: Pad::default(), dilation: [1, 1], groups: Groups::One, bias: true }
}

pub fn pool(kind: PoolKind, kernel: [usize; 2], stride: [usize; 2], pad: [usize; 2]) -> Pool {
    let [rows, columns] = pad;
    let pad = Pad { top: rows, bottom: rows, left: columns, right: columns };
    Pool { kind, kernel, stride, pad, dilation: [1, 1] }
}

/// Extent of the output of a window.
pub fn extent(input: usize, kernel: usize, stride: usize, dilation: usize, pad: usize) -> usize {
    (input + pad - dilation * (kernel - 1) - 1) / stride + 1
}

/// A network frozen with the kernels of `isa`, for passes of up to `batch` images.
pub fn freeze(isa: Isa, graph: &Graph, params: &[Map<f32, Cpu>], batch: usize, half: bool) -> Session<Vec<f32>> {
    let params = params.iter().map(Tensor::as_vec).collect();
    Session::new(Arc::new(graph.clone()), params, Options { isa, half, ..Options::new(batch) }).unwrap()
}
