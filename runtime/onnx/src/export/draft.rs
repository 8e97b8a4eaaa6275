//! A graph of ONNX while it is written: nodes, constants, and names that are each given once.

use crate::proto::{Attribute, AttributeKind, DataType, Entry, Node, Tensor};
use prost::bytes::Bytes;
use std::collections::BTreeSet;

/// Nodes and constants so far.
#[derive(Default)]
pub struct Draft {
    pub nodes: Vec<Node>,
    pub constants: Vec<Tensor>,
    taken: BTreeSet<String>,
}

impl Draft {
    /// The name itself, or with a number behind it where it is taken.
    pub fn name(&mut self, wanted: &str) -> String {
        let numbered = (1..).map(|n| format!("{wanted}_{n}"));
        let free = std::iter::once(wanted.to_string()).chain(numbered).find(|name| !self.taken.contains(name));
        let name = free.unwrap_or_default();
        self.taken.insert(name.clone());
        name
    }

    /// Keeps a name for [`Draft::reserved`].
    pub fn reserve(&mut self, name: &str) {
        self.taken.insert(name.into());
    }

    /// A constant of numbers in single precision.
    pub fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) -> String {
        let name = self.name(name);
        self.reserved(&name, shape, values)
    }

    /// A constant under a name that is kept for it.
    pub fn reserved(&mut self, name: &str, shape: &[usize], values: &[f32]) -> String {
        let bytes = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.constant(name, shape, DataType::Float, bytes)
    }

    /// One number in single precision, which has no dimension.
    pub fn scalar(&mut self, name: &str, value: f64) -> String {
        self.floats(name, &[], &[value as f32])
    }

    /// A constant list of whole numbers.
    pub fn ints(&mut self, name: &str, values: &[i64]) -> String {
        let bytes = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        let name = self.name(name);
        self.constant(&name, &[values.len()], DataType::Int64, bytes)
    }

    fn constant(&mut self, name: &str, shape: &[usize], data_type: DataType, bytes: Vec<u8>) -> String {
        self.constants.push(Tensor {
            dims: shape.iter().map(|size| *size as i64).collect(),
            data_type: Some(data_type.into()),
            name: name.into(),
            raw_data: Some(Bytes::from(bytes)),
            ..Tensor::default()
        });
        name.into()
    }

    /// A node with one output, which has the node's name.
    pub fn node(&mut self, name: &str, op: &str, inputs: Vec<String>, attributes: Vec<Attribute>) -> String {
        let name = self.name(name);
        self.nodes.push(Node {
            input: inputs,
            output: vec![name.clone()],
            name: name.clone(),
            op_type: op.into(),
            attribute: attributes,
            domain: String::new(),
            metadata_props: Vec::new(),
        });
        name
    }

    /// Renames the last node, and its value as `output` if it is one of the network's.
    pub fn rename_last(&mut self, wanted: &str, output: Option<&str>) -> Option<String> {
        let old = self.nodes.last()?.name.clone();
        self.taken.remove(&old);
        let (name, value) = match output {
            Some(output) => (wanted.to_string(), self.name(output)),
            None => {
                let name = self.name(wanted);
                (name.clone(), name)
            }
        };
        let last = self.nodes.last_mut()?;
        (last.name, last.output) = (name, vec![value.clone()]);
        Some(value)
    }

    /// Notes something on the last node that its operator cannot say.
    pub fn note_last(&mut self, key: &str, value: &str) {
        if let Some(last) = self.nodes.last_mut() {
            last.metadata_props.push(Entry { key: key.into(), value: value.into() });
        }
    }
}

/// An attribute that is a whole number.
pub fn int(name: &str, value: i64) -> Attribute {
    Attribute { i: Some(value), kind: AttributeKind::Int.into(), ..named(name) }
}

/// An attribute that is a list of whole numbers.
pub fn ints(name: &str, values: &[usize]) -> Attribute {
    let ints = values.iter().map(|value| *value as i64).collect();
    Attribute { ints, kind: AttributeKind::Ints.into(), ..named(name) }
}

/// An attribute that is a number in single precision.
pub fn float(name: &str, value: f64) -> Attribute {
    Attribute { f: Some(value as f32), kind: AttributeKind::Float.into(), ..named(name) }
}

/// An attribute that is a word.
pub fn word(name: &str, value: &'static str) -> Attribute {
    Attribute { s: Some(Bytes::from_static(value.as_bytes())), kind: AttributeKind::String.into(), ..named(name) }
}

fn named(name: &str) -> Attribute {
    Attribute { name: name.into(), ..Attribute::default() }
}
