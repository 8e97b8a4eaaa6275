//! Models by hand: what exporters write in several operators, and files that are not what they say.

mod forms;
mod untrusted;

use super::{ImportError, ImportOptions, Imported, import};
use crate::proto::{
    Attribute, DataType, Dimension, Extent, Graph, Model, Node, OperatorSet, Shape, Tensor, TensorType, Type, ValueInfo,
};
use prost::Message as _;
use prost::bytes::Bytes;

/// A model in the making: its input is `x`, its output what the last operator gives.
struct Draft {
    graph: Graph,
    opset: i64,
}

impl Draft {
    fn new(input: &[i64]) -> Self {
        let first = Dimension { extent: Some(Extent::Name("batch".into())) };
        let rest = input.iter().map(|size| Dimension { extent: Some(Extent::Value(*size)) });
        let shape = Shape { dim: std::iter::once(first).chain(rest).collect() };
        Draft { graph: Graph { input: vec![value("x", shape)], ..Graph::default() }, opset: 18 }
    }

    /// Numbers that are easy to tell apart.
    fn weight(&mut self, name: &str, dims: &[i64]) -> &mut Self {
        let count = dims.iter().product::<i64>();
        self.floats(name, dims, (0..count).map(|i| (i % 7) as f32 * 0.25 - 0.5).collect())
    }

    fn floats(&mut self, name: &str, dims: &[i64], values: Vec<f32>) -> &mut Self {
        let kind = Some(DataType::Float.into());
        self.graph.initializer.push(Tensor {
            name: name.into(),
            dims: dims.to_vec(),
            data_type: kind,
            float_data: values,
            ..Tensor::default()
        });
        self
    }

    fn ints(&mut self, name: &str, values: &[i64]) -> &mut Self {
        let (dims, kind) = (vec![values.len() as i64], Some(DataType::Int64.into()));
        let (name, int64_data) = (name.to_string(), values.to_vec());
        self.graph.initializer.push(Tensor { name, dims, data_type: kind, int64_data, ..Tensor::default() });
        self
    }

    /// An operator: `y = Conv(x, w)`.
    fn node(&mut self, text: &str, attributes: Vec<Attribute>) -> &mut Self {
        let (output, call) = text.split_once(" = ").unwrap();
        let (op, inputs) = call.trim_end_matches(')').split_once('(').unwrap();
        self.graph.node.push(Node {
            op_type: op.into(),
            input: inputs.split(", ").map(str::to_string).collect(),
            output: vec![output.into()],
            attribute: attributes,
            ..Node::default()
        });
        self
    }

    fn bytes(&self) -> Bytes {
        let mut graph = self.graph.clone();
        let last = graph.node.last().map(|node| node.output[0].clone()).unwrap_or_default();
        graph.output = vec![value(&last, Shape::default())];
        let opset_import = vec![OperatorSet { domain: String::new(), version: Some(self.opset) }];
        Bytes::from(Model { graph: Some(graph), opset_import, ..Model::default() }.encode_to_vec())
    }

    fn import(&self) -> Result<Imported, ImportError> {
        import(self.bytes(), &|name| Err(format!("there is no {name}")), &ImportOptions::default())
    }

    /// What stands between the braces of the network.
    fn body(&self) -> String {
        let source = self.import().unwrap_or_else(|error| panic!("{error}")).source;
        let (_, body) = source.rsplit_once("] {\n").unwrap();
        body.trim_end_matches("}\n").split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

fn value(name: &str, shape: Shape) -> ValueInfo {
    let tensor = TensorType { elem_type: Some(DataType::Float.into()), shape: Some(shape) };
    ValueInfo { name: name.into(), kind: Some(Type { tensor: Some(tensor) }), doc_string: String::new() }
}

fn ints(name: &str, values: &[i64]) -> Attribute {
    Attribute { name: name.into(), ints: values.to_vec(), ..Attribute::default() }
}

fn int(name: &str, value: i64) -> Attribute {
    Attribute { name: name.into(), i: Some(value), ..Attribute::default() }
}

fn float(name: &str, value: f32) -> Attribute {
    Attribute { name: name.into(), f: Some(value), ..Attribute::default() }
}

fn word(name: &str, value: &'static str) -> Attribute {
    Attribute { name: name.into(), s: Some(Bytes::from_static(value.as_bytes())), ..Attribute::default() }
}
