//! A finished model: its bytes, and its weights in a file beside it where they are too many for one.

use super::draft::Draft;
use super::{ExportError, OPSET, Options};
use crate::proto::{
    DataLocation, DataType, Dimension, Entry, Extent, Graph as GraphMessage, Model as Message, OperatorSet, Shape,
    Tensor, TensorType, Type, ValueInfo,
};
use convnet_graph::{Graph, Shape as NodeShape};
use prost::Message as _;

/// The format's version that goes with [`OPSET`].
const IR: i64 = 10;

/// The most bytes of a message, as its readers count in 32 bits with a sign.
pub(super) const MOST: usize = i32::MAX as usize;

/// Tensors of fewer bytes stay in the file: shapes and the like, without which it could not be looked at.
const SMALL: usize = 1024;

/// Where tensors begin in a file of their own, so that it can be mapped into memory.
const ALIGNED: usize = 4096;

/// A network as an ONNX model.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    message: Message,
}

impl Model {
    pub(super) fn new(
        graph: &Graph,
        draft: Draft,
        input: ValueInfo,
        outputs: Vec<(String, NodeShape)>,
        options: &Options,
    ) -> Self {
        let outputs = outputs.into_iter().map(|(name, shape)| value(&name, DataType::Float, batched(shape)));
        let graph = GraphMessage {
            node: draft.nodes,
            name: graph.name.to_string(),
            initializer: draft.constants,
            doc_string: String::new(),
            input: vec![input],
            output: outputs.collect(),
        };
        let entry = |(key, value): (&String, &String)| Entry { key: key.clone(), value: value.clone() };
        let message = Message {
            ir_version: Some(IR),
            producer_name: "convnet".into(),
            producer_version: env!("CARGO_PKG_VERSION").into(),
            doc_string: String::new(),
            graph: Some(graph),
            opset_import: vec![OperatorSet { domain: String::new(), version: Some(OPSET) }],
            metadata_props: options.metadata.iter().map(entry).collect(),
        };
        Model { message }
    }

    /// How many operators it has.
    pub fn operators(&self) -> usize {
        self.message.graph.as_ref().map_or(0, |graph| graph.node.len())
    }

    /// Its input and its output as `name [batch, ...]`.
    pub fn ends(&self) -> [String; 2] {
        let graph = self.message.graph.as_ref();
        let described = |values: Option<&Vec<ValueInfo>>| {
            let all: Vec<String> = values.into_iter().flatten().map(described).collect();
            all.join(", ")
        };
        [described(graph.map(|graph| &graph.input)), described(graph.map(|graph| &graph.output))]
    }

    /// Whether it is too large for one file.
    pub fn needs_two_files(&self) -> bool {
        self.message.encoded_len() > MOST
    }

    /// The bytes of the file, weights included.
    ///
    /// # Errors
    /// When there are more than a file can have.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ExportError> {
        match self.message.encoded_len() {
            bytes if bytes > MOST => Err(ExportError::TooLarge { bytes }),
            _ => Ok(self.message.encode_to_vec()),
        }
    }

    /// The bytes of the file, and those of its weights, which go into a file of this name in the same folder.
    pub fn to_two_files(&self, name: &str) -> [Vec<u8>; 2] {
        let (mut message, mut data) = (self.message.clone(), Vec::new());
        for tensor in message.graph.iter_mut().flat_map(|graph| &mut graph.initializer) {
            put_outside(tensor, name, &mut data);
        }
        [message.encode_to_vec(), data]
    }
}

/// Moves the elements of a tensor that is not small behind `data`.
fn put_outside(tensor: &mut Tensor, name: &str, data: &mut Vec<u8>) {
    let Some(bytes) = tensor.raw_data.take_if(|bytes| bytes.len() >= SMALL) else { return };
    data.resize(data.len().next_multiple_of(ALIGNED), 0);
    let entry = |key: &str, value: String| Entry { key: key.into(), value };
    tensor.external_data = vec![
        entry("location", name.into()),
        entry("offset", data.len().to_string()),
        entry("length", bytes.len().to_string()),
    ];
    tensor.data_location = Some(DataLocation::External.into());
    data.extend_from_slice(&bytes);
}

/// The input of a network that gets its numbers as they are.
pub(super) fn input(name: &str, shape: NodeShape) -> ValueInfo {
    value(name, DataType::Float, batched(shape))
}

/// A value of the model.
pub(super) fn value(name: &str, elements: DataType, dims: Vec<Dimension>) -> ValueInfo {
    let tensor = TensorType { elem_type: Some(elements.into()), shape: Some(Shape { dim: dims }) };
    ValueInfo { name: name.into(), kind: Some(Type { tensor: Some(tensor) }), doc_string: String::new() }
}

/// Any number of images.
fn batched(shape: NodeShape) -> Vec<Dimension> {
    let sizes = match shape {
        NodeShape::Map(chw) => chw.to_vec(),
        NodeShape::Vector(n) => vec![n],
    };
    std::iter::once(symbol("batch")).chain(sizes.into_iter().map(known)).collect()
}

pub(super) fn known(size: usize) -> Dimension {
    Dimension { extent: Some(Extent::Value(size as i64)) }
}

/// A size that is open until the model runs.
pub(super) fn symbol(name: &str) -> Dimension {
    Dimension { extent: Some(Extent::Name(name.into())) }
}

fn described(value: &ValueInfo) -> String {
    let tensor = value.kind.as_ref().and_then(|kind| kind.tensor.as_ref());
    let dims = tensor.and_then(|tensor| tensor.shape.as_ref()).map_or(&[][..], |shape| &shape.dim);
    let extent = |dim: &Dimension| match &dim.extent {
        Some(Extent::Value(size)) => size.to_string(),
        Some(Extent::Name(name)) => name.clone(),
        None => "?".into(),
    };
    let elements = match tensor.and_then(|tensor| tensor.elem_type) {
        Some(kind) if kind == DataType::Uint8 as i32 => "bytes",
        _ => "f32",
    };
    format!("{} [{}] {elements}", value.name, dims.iter().map(extent).collect::<Vec<_>>().join(", "))
}
