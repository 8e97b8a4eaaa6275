//! From a checked network whose sizes are all numbers to the graph that executors read.

use crate::cost::{Count, Dim, product};
use crate::graph::{Connections, Graph, Head, Init, Node, OUTPUT, Param, Shape, leads_to, peak};
use convnet_graph as plain;
use std::borrow::Cow;

/// The graph of a network called `name`; nothing where a size is not a number.
pub fn graph(name: &str, graph: &Graph) -> Option<plain::Graph> {
    let main = leads_to(&graph.nodes, &graph.ends());
    let (mut nodes, mut params) = (Vec::new(), Vec::new());
    for (node, main) in graph.nodes.iter().zip(main) {
        let first_param = params.len();
        for one in &node.params {
            params.push(param(node, one)?);
        }
        nodes.push(self::node(node, first_param, !main)?);
    }
    let peak = peak(&graph.nodes, &graph.ends());
    let peak: Option<Vec<usize>> = peak.iter().map(count).collect();
    let named = |list: &[Head]| list.iter().map(|Head { path, node, .. }| output(path, *node)).collect::<Vec<_>>();
    let outputs = [vec![output(OUTPUT, graph.output_node)], named(&graph.outputs)].concat();
    Some(plain::Graph {
        name: Cow::Owned(name.to_string()),
        nodes: nodes.into(),
        params: params.into(),
        connections: graph.connections.iter().map(table).collect::<Vec<_>>().into(),
        outputs: outputs.into(),
        heads: named(&graph.heads).into(),
        peak_activations: plain::largest(&peak?),
    })
}

fn output(name: &str, node: usize) -> plain::Output {
    plain::Output { name: Cow::Owned(name.to_string()), node }
}

fn table(rows: &Connections) -> plain::Connections {
    rows.iter().map(|row| Cow::Owned(row.clone())).collect::<Vec<_>>().into()
}

fn node(node: &Node, first_param: usize, auxiliary: bool) -> Option<plain::Node> {
    let [field_h, field_w] = &node.receptive_field;
    let [down, across] = node.jump;
    Some(plain::Node {
        name: Cow::Owned(node.name.clone()),
        op: node.op,
        inputs: node.inputs.clone().into(),
        shape: shape(node.shape)?,
        first_param,
        n_params: node.params.len(),
        params: count(&node.param_count())?,
        macs: u64::try_from(node.macs.evaluate(|_| None)?).ok()?,
        receptive_field: [count(field_h)?, count(field_w)?],
        jump: [usize::try_from(down).ok()?, usize::try_from(across).ok()?],
        auxiliary,
    })
}

fn param(node: &Node, param: &Param) -> Option<plain::Param> {
    let shape: Option<Vec<usize>> = param.shape.iter().map(|size| dim(*size)).collect();
    let init = match &param.init {
        Init::Zeros => plain::Init::Zeros,
        Init::Ones => plain::Init::Ones,
        Init::Constant(value) => plain::Init::Constant(*value),
        Init::Uniform { fan_in, closed } => plain::Init::Uniform { fan_in: count(fan_in)?, closed: *closed },
    };
    let name = Cow::Owned(format!("{}.{}", node.name, param.name));
    Some(plain::Param { name, shape: shape?.into(), trainable: param.trainable, init })
}

fn shape(shape: Shape) -> Option<plain::Shape> {
    match shape {
        Shape::Map([c, h, w]) => Some(plain::Shape::Map([dim(c)?, dim(h)?, dim(w)?])),
        Shape::Vector(n) => Some(plain::Shape::Vector(dim(n)?)),
        Shape::Unknown => None,
    }
}

fn dim(dim: Dim) -> Option<usize> {
    count(&product(&[dim])).filter(|_| dim != Dim::Unknown)
}

fn count(count: &Count) -> Option<usize> {
    usize::try_from(count.evaluate(|_| None)?).ok()
}
