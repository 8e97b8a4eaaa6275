//! A builder of graphs.

use crate::{Activation, Conv, Graph, Groups, Node, Op, Output, Pad, Pool, PoolKind, Shape};
use std::borrow::Cow;

/// A graph in the making.
pub struct Net {
    name: &'static str,
    nodes: Vec<Node>,
}

impl Net {
    pub fn new(name: &'static str, shape: [usize; 3]) -> Self {
        let mut net = Net { name, nodes: Vec::new() };
        net.node("input", Op::Input, &[], Shape::Map(shape));
        net
    }

    pub fn node(&mut self, name: &str, op: Op, inputs: &[usize], shape: Shape) -> usize {
        let weights = match (op, inputs) {
            (Op::Conv(conv), [from, ..]) => {
                let [c, ..] = self.nodes[*from].shape.chw();
                shape.chw()[0] * c / conv.groups.count(c) * conv.kernel[0] * conv.kernel[1]
            }
            (Op::Linear { .. }, [from, ..]) => shape.len() * self.nodes[*from].shape.len(),
            (Op::BatchNorm { .. }, _) => 2 * shape.chw()[0],
            _ => 0,
        };
        let [_, h, w] = shape.chw();
        self.nodes.push(Node {
            name: Cow::Owned(name.to_string()),
            op,
            inputs: Cow::Owned(inputs.to_vec()),
            shape,
            first_param: 0,
            n_params: 0,
            params: weights,
            macs: if matches!(op, Op::BatchNorm { .. }) { 0 } else { (weights * h * w) as u64 },
            receptive_field: [1, 1],
            jump: [1, 1],
            auxiliary: false,
        });
        self.nodes.len() - 1
    }

    pub fn last(&self) -> usize {
        self.nodes.len() - 1
    }

    pub fn chw(&self, from: usize) -> [usize; 3] {
        self.nodes[from].shape.chw()
    }

    pub fn conv(&mut self, name: &str, from: usize, out: usize, kernel: usize, stride: usize) -> usize {
        let [_, h, w] = self.chw(from);
        self.node(name, conv_op(kernel, stride), &[from], Shape::Map([out, h.div_ceil(stride), w.div_ceil(stride)]))
    }

    pub fn same(&mut self, name: &str, op: Op, from: usize) -> usize {
        self.node(name, op, &[from], self.nodes[from].shape)
    }

    pub fn bn(&mut self, name: &str, from: usize) -> usize {
        self.same(name, Op::BatchNorm { eps: 1e-5, momentum: 0.1 }, from)
    }

    pub fn relu(&mut self, name: &str, from: usize) -> usize {
        self.same(name, Op::Activation(Activation::Relu), from)
    }

    pub fn pool(&mut self, name: &str, from: usize, kernel: usize, stride: usize, kind: PoolKind) -> usize {
        let [c, h, w] = self.chw(from);
        let pool = Pool { kind, kernel: [kernel; 2], stride: [stride; 2], pad: Pad::default(), dilation: [1, 1] };
        self.node(name, Op::Pool(pool), &[from], Shape::Map([c, h.div_ceil(stride), w.div_ceil(stride)]))
    }

    pub fn max_pool(&mut self, name: &str, from: usize, kernel: usize, stride: usize) -> usize {
        self.pool(name, from, kernel, stride, PoolKind::Max)
    }

    pub fn global(&mut self, name: &str, from: usize) -> usize {
        let [c, ..] = self.chw(from);
        self.node(name, Op::AdaptiveAvgPool, &[from], Shape::Map([c, 1, 1]))
    }

    pub fn flatten(&mut self, name: &str, from: usize) -> usize {
        self.node(name, Op::Flatten, &[from], Shape::Vector(self.nodes[from].shape.len()))
    }

    pub fn linear(&mut self, name: &str, from: usize, out: usize) -> usize {
        self.node(name, Op::Linear { bias: true }, &[from], Shape::Vector(out))
    }

    pub fn dropout(&mut self, name: &str, from: usize, p: f64) -> usize {
        self.same(name, Op::Dropout { p, channels: false }, from)
    }

    pub fn add(&mut self, name: &str, a: usize, b: usize) -> usize {
        self.node(name, Op::Add, &[a, b], self.nodes[a].shape)
    }

    pub fn concat(&mut self, name: &str, inputs: &[usize]) -> usize {
        let [_, h, w] = self.chw(inputs[0]);
        let c = inputs.iter().map(|input| self.chw(*input)[0]).sum();
        self.node(name, Op::Concat, inputs, Shape::Map([c, h, w]))
    }

    /// conv, bn, relu in a module.
    pub fn basic(&mut self, name: &str, from: usize, out: usize, kernel: usize, stride: usize) -> usize {
        let x = self.conv(&format!("{name}.conv"), from, out, kernel, stride);
        let x = self.bn(&format!("{name}.bn"), x);
        self.relu(&format!("{name}.2"), x)
    }

    pub fn done(self) -> Graph {
        let output = self.last();
        self.with_output(output)
    }

    pub fn with_output(self, output: usize) -> Graph {
        Graph {
            name: Cow::Borrowed(self.name),
            nodes: Cow::Owned(self.nodes),
            params: Cow::Borrowed(&[]),
            connections: Cow::Borrowed(&[]),
            outputs: Cow::Owned(vec![Output { name: Cow::Borrowed("output"), node: output }]),
            heads: Cow::Borrowed(&[]),
            peak_activations: 0,
        }
    }
}

pub fn conv_op(kernel: usize, stride: usize) -> Op {
    Op::Conv(Conv {
        kernel: [kernel; 2],
        stride: [stride; 2],
        pad: Pad::default(),
        dilation: [1, 1],
        groups: Groups::One,
        bias: false,
        connections: None,
    })
}
