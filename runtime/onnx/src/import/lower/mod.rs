//! From operators to layers: one walk over the nodes of the file, each of which becomes a layer, or a step that a later one completes.
//!
//! The shape of a layer's value is what the language says, and never computed here a second time.

mod activation;
mod arithmetic;
mod conv;
mod norm;
mod pool;
mod reduce;
mod reshape;
mod settle;
mod spatial;

pub use settle::{Left, settle};

use super::attributes::Attributes;
use super::constant::{Constant, Whole};
use super::draft::{Draft, Id, Layer, Node, Op, Step, Value as Argument, Weight};
use super::fold::fold;
use crate::proto;
use std::collections::HashMap;
use std::rc::Rc;

/// What a name of the file stands for.
#[derive(Clone)]
pub enum Value {
    Constant(Rc<Constant>),
    Node(Id),
}

/// The walk.
pub struct Lowering<'a> {
    pub draft: Draft,
    pub values: HashMap<&'a str, Value>,
    /// How many nodes and outputs read a value.
    pub uses: HashMap<&'a str, usize>,
    /// The version of the operators.
    pub opset: i64,
    /// Whether the file is one of ours, in which padding before a convolution is a layer of its own.
    pub own: bool,
    /// What was guessed or left behind, a sentence each.
    pub notes: Vec<String>,
    /// The number of images, where the file has it fixed.
    pub batch: Option<usize>,
    /// How many more numbers may be computed before the network runs.
    pub budget: usize,
    /// The operator that is read.
    at: usize,
    /// Whether its inputs are read with their channels first, which are last in the file.
    turned: bool,
    shapes: HashMap<(String, Vec<usize>), Result<Vec<usize>, String>>,
}

/// Why an operator is no layer: what follows from one that was told has no reason of its own.
type Reason = String;

impl<'a> Lowering<'a> {
    pub fn new(opset: i64, own: bool, batch: Option<usize>, budget: usize) -> Self {
        let (values, uses, shapes) = Default::default();
        let (draft, notes) = Default::default();
        Lowering { draft, values, uses, opset, own, notes, batch, budget, at: 0, turned: false, shapes }
    }

    /// Reads the operator at a place of the file.
    pub fn node(&mut self, at: usize, node: &'a proto::Node) {
        self.at = at;
        let Some(output) = node.output.first().filter(|name| !name.is_empty()) else { return };
        if node.op_type == "Split" && self.known(node).is_none() {
            return self.parts(node);
        }
        let value = match self.known(node) {
            Some(constant) => Value::Constant(Rc::new(constant)),
            None => Value::Node(self.lowered(node)),
        };
        self.further(node, &value);
        self.values.insert(output, value);
    }

    /// The parts of a value, which are one for each output.
    fn parts(&mut self, node: &'a proto::Node) {
        let lost = |reason: &str| Op::Step(Step::Unsayable(reason.into()));
        let found = match self.given(node, 0) {
            Ok(id) if matches!(self.draft.nodes[id].op, Op::Step(Step::Unsayable(_))) => Err(String::new()),
            _ => self.split(node, Attributes(node)),
        };
        let (ids, reason) = match found {
            Ok(ids) => (ids, String::new()),
            Err(reason) => (Vec::new(), reason),
        };
        for (i, name) in node.output.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            let id = ids.get(i).copied().unwrap_or_else(|| {
                // The first one says why.
                let op = lost(if i == 0 { &reason } else { "" });
                let inputs = self.given(node, 0).into_iter().collect();
                self.draft.push(Node { op, inputs, dims: Vec::new(), weights: Vec::new(), origin: self.at })
            });
            self.values.insert(name, Value::Node(id));
        }
    }

    /// What an operator gives besides its first output, which no layer does.
    fn further(&mut self, node: &'a proto::Node, first: &Value) {
        let is_lost =
            matches!(first, Value::Node(id) if matches!(self.draft.nodes[*id].op, Op::Step(Step::Unsayable(_))));
        for name in node.output.iter().skip(1).filter(|name| !name.is_empty()) {
            let reason = if is_lost { "" } else { "a layer gives one value, and another one of it is read" };
            let id = self.step(Step::Unsayable(reason.into()), Vec::new(), Vec::new());
            self.values.entry(name).or_insert(Value::Node(id));
        }
    }

    /// What is known before the network runs.
    fn known(&mut self, node: &'a proto::Node) -> Option<Constant> {
        let attributes = Attributes(node);
        match node.op_type.as_str() {
            "Constant" => return literal(attributes),
            "Shape" => return self.shape_of(node),
            _ => {}
        }
        let inputs: Vec<Option<Rc<Constant>>> = (0..node.input.len()).map(|i| self.constant(node, i)).collect();
        if node.input.iter().zip(&inputs).any(|(name, input)| !name.is_empty() && input.is_none()) {
            return None;
        }
        let largest = inputs.iter().flatten().map(|input| input.len()).max().unwrap_or(0);
        self.budget = self.budget.checked_sub(largest)?;
        let inputs: Vec<Option<&Constant>> = inputs.iter().map(Option::as_deref).collect();
        fold(&node.op_type, attributes, &inputs)
    }

    fn shape_of(&self, node: &'a proto::Node) -> Option<Constant> {
        let attributes = Attributes(node);
        let whole: Vec<Whole> = match self.value(node, 0)? {
            Value::Constant(constant) => constant.shape.iter().map(|size| Whole::Number(*size as i64)).collect(),
            Value::Node(id) => {
                let sizes = self.draft.nodes[id].dims.iter().map(|size| Whole::Number(*size as i64));
                let batch = self.batch.map_or(Whole::Batch, |n| Whole::Number(n as i64));
                std::iter::once(batch).chain(sizes).collect()
            }
        };
        let rank = whole.len() as i64;
        let place = |at: i64| (if at < 0 { at.saturating_add(rank) } else { at }).clamp(0, rank) as usize;
        let (start, end) = (place(attributes.int("start").unwrap_or(0)), place(attributes.int("end").unwrap_or(rank)));
        let part = whole.get(start..end.max(start))?.to_vec();
        Some(Constant::whole(vec![part.len()], part))
    }

    /// The value of an operator; one that is no layer is a step with the reason.
    fn lowered(&mut self, node: &'a proto::Node) -> Id {
        let read: Vec<Id> = (0..node.input.len()).filter_map(|i| self.given(node, i).ok()).collect();
        let lost = read.iter().any(|id| matches!(self.draft.nodes[*id].op, Op::Step(Step::Unsayable(_))));
        let found = match lost {
            true => Err(String::new()),
            false => self.operator(node, Attributes(node)).and_then(|id| self.bounded(id)),
        };
        found.unwrap_or_else(|reason| self.step(Step::Unsayable(reason), read, Vec::new()))
    }

    /// A value that can be counted.
    fn bounded(&self, id: Id) -> Result<Id, Reason> {
        match is_countable(self.dims(id)) {
            true => Ok(id),
            false => Err(format!("its value has the shape {:?}, which is too large", self.dims(id))),
        }
    }

    fn operator(&mut self, node: &'a proto::Node, attributes: Attributes<'a>) -> Result<Id, Reason> {
        if !matches!(node.domain.as_str(), "" | "ai.onnx") {
            return Err(format!("its operators are those of `{}`", node.domain));
        }
        match node.op_type.as_str() {
            _ if self.is_turned(node) => self.elementwise(node, attributes),
            "Identity" => self.given(node, 0),
            "Cast" | "CastLike" => self.cast(node, attributes),
            "Expand" => self.expand(node),
            "Conv" => self.conv(node, attributes),
            "ConvTranspose" => self.conv_transpose(node, attributes),
            "Gemm" => self.gemm(node, attributes),
            "MatMul" => self.matmul(node),
            "MaxPool" | "AveragePool" => self.pool(node, attributes),
            "GlobalAveragePool" | "GlobalMaxPool" => self.global_pool(node),
            "ReduceMean" | "ReduceMax" | "ReduceMin" => self.reduce(node, attributes),
            "BatchNormalization" => self.batch_norm(node, attributes),
            "InstanceNormalization" => self.instance_norm(node, attributes),
            "GroupNormalization" => self.group_norm(node, attributes),
            "LayerNormalization" => self.layer_norm(node, attributes),
            "LRN" => self.lrn(node, attributes),
            "Dropout" => self.dropout(node, attributes),
            "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze" => self.reshape(node, attributes),
            "Transpose" => self.transpose(node, attributes),
            "Pad" => self.pad(node, attributes),
            "Slice" => self.slice(node, attributes),
            "Resize" | "Upsample" => self.resize(node, attributes),
            "DepthToSpace" => self.depth_to_space(node, attributes),
            "SpaceToDepth" => self.space_to_depth(node, attributes),
            "Concat" => self.concat(node, attributes),
            "Add" | "Sum" | "Sub" | "Mul" | "Div" | "Pow" | "Neg" | "Erf" => self.arithmetic(node),
            _ => self.activation(node, attributes),
        }
    }

    // --- channels that are last for a while ---------------------------------------------------------------------------

    /// The map of which a value is the same with the channels last.
    fn channels_first(&self, id: Id) -> Option<Id> {
        let (step, inner) = self.draft.step(id)?;
        let is_pixel = |dims: &[usize]| matches!(dims, [_, 1, 1]);
        let is = match step {
            Step::Transpose(order) => order.as_slice() == [1, 2, 0],
            // Of one pixel it is another shape and no other order.
            Step::Reshape => is_pixel(self.dims(inner)) && self.dims(id) == [1, 1, self.dims(inner)[0]],
            _ => false,
        };
        is.then_some(inner)
    }

    /// A map with its channels last.
    fn channels_last(&mut self, map: Id) -> Result<Id, Reason> {
        let [channels, height, width] = self.map(map)?;
        match (height, width) {
            (1, 1) => self.reshaped(map, &[1, 1, channels]),
            _ => Ok(self.step(Step::Transpose(vec![1, 2, 0]), vec![map], vec![height, width, channels])),
        }
    }

    /// Whether an operator works element by element on values that all have their channels last.
    fn is_turned(&self, node: &proto::Node) -> bool {
        const OPS: [&str; 23] = [
            "Identity",
            "Dropout",
            "Add",
            "Sum",
            "Sub",
            "Mul",
            "Div",
            "Pow",
            "Neg",
            "Erf",
            "Relu",
            "Sigmoid",
            "Tanh",
            "Softplus",
            "HardSwish",
            "Mish",
            "LeakyRelu",
            "Elu",
            "Selu",
            "Gelu",
            "Swish",
            "HardSigmoid",
            "Clip",
        ];
        let mut maps = 0;
        let all = node.input.iter().all(|name| match self.values.get(name.as_str()) {
            Some(Value::Node(id)) => {
                maps += 1;
                self.channels_first(*id).is_some()
            }
            _ => true,
        });
        !self.turned && all && maps > 0 && OPS.contains(&node.op_type.as_str())
    }

    /// Such an operator on the maps, whose result has its channels last again.
    fn elementwise(&mut self, node: &'a proto::Node, attributes: Attributes<'a>) -> Result<Id, Reason> {
        self.turned = true;
        let found = self.operator(node, attributes);
        self.turned = false;
        found.and_then(|map| self.channels_last(map))
    }

    /// Numbers of single precision stay what they are; others lose what makes them whole or short.
    fn cast(&mut self, node: &'a proto::Node, attributes: Attributes<'a>) -> Result<Id, Reason> {
        let value = self.given(node, 0)?;
        let to = match node.op_type.as_str() {
            "Cast" => attributes.int("to"),
            // What it is to be like is a value of the network, or a constant.
            _ => Some(if self.constant(node, 1).is_some_and(|like| like.as_whole().is_some()) { 7 } else { 1 }),
        };
        match to {
            Some(1 | 11) => {}
            Some(10 | 16) => {
                let note = "the file computes some values in half precision, and the network in single precision";
                if !self.notes.iter().any(|known| known == note) {
                    self.notes.push(note.into());
                }
            }
            _ => return Err("it makes whole numbers, or true and false, of values that the network computes".into()),
        }
        Ok(value)
    }

    /// A factor for each channel in the size of a map, for what multiplies by it.
    fn expand(&mut self, node: &'a proto::Node) -> Result<Id, Reason> {
        let value = self.given(node, 0)?;
        let to = self.constant(node, 1).and_then(|to| to.as_whole().map(<[Whole]>::to_vec));
        let to = to.ok_or("its shape depends on what the network computes")?;
        let dims = self.dims(value).to_vec();
        let rest = to.get(to.len().saturating_sub(dims.len())..).unwrap_or_default();
        let sizes: Option<Vec<usize>> = rest.iter().map(|size| usize::try_from(size.number()?).ok()).collect();
        let sizes = sizes.filter(|sizes| sizes.len() == dims.len()).ok_or("it mixes images with what is in them")?;
        let larger: Vec<usize> = dims.iter().zip(&sizes).map(|(size, to)| *size.max(to)).collect();
        match larger == dims {
            true => Ok(value),
            false => Ok(self.step(Step::Expand, vec![value], larger)),
        }
    }

    // --- what a node reads --------------------------------------------------------------------------------------------

    pub(super) fn value(&self, node: &'a proto::Node, i: usize) -> Option<Value> {
        let name = node.input.get(i).filter(|name| !name.is_empty())?;
        Some(match self.values.get(name.as_str())? {
            Value::Node(id) if self.turned => Value::Node(self.channels_first(*id).unwrap_or(*id)),
            Value::Constant(constant) if self.turned && constant.len() > 1 => {
                // One number for each of the last dimension is one for each channel.
                let last = constant.shape.last().copied().unwrap_or(1);
                let shape = if last == constant.len() { vec![last, 1, 1] } else { constant.shape.clone() };
                Value::Constant(Rc::new(Constant { shape, data: constant.data.clone() }))
            }
            value => value.clone(),
        })
    }

    /// A value that the network computes.
    fn given(&self, node: &'a proto::Node, i: usize) -> Result<Id, Reason> {
        match self.value(node, i) {
            Some(Value::Node(id)) => Ok(id),
            Some(Value::Constant(_)) => {
                Err("it works on known numbers in a way that is not followed here; programs such as `onnxsim` \
                                             compute them beforehand, and so does PyTorch's newer exporter"
                    .into())
            }
            None => Err(format!("its input {i} is missing")),
        }
    }

    /// A value that is known before.
    fn constant(&self, node: &'a proto::Node, i: usize) -> Option<Rc<Constant>> {
        match self.value(node, i)? {
            Value::Constant(constant) => Some(constant),
            Value::Node(_) => None,
        }
    }

    /// Whether an input is there.
    fn has(&self, node: &'a proto::Node, i: usize) -> bool {
        node.input.get(i).is_some_and(|name| !name.is_empty())
    }

    /// A weight as it is in the file, in the shape that the language has it.
    fn weight(&self, node: &'a proto::Node, i: usize, shape: &[usize]) -> Result<Weight, Reason> {
        let constant = self.constant(node, i).ok_or_else(|| format!("its input {i} is computed, not a weight"))?;
        let name = node.input.get(i).cloned();
        weight(&constant, shape, name)
    }

    /// Whether nobody else reads an input.
    fn is_alone(&self, node: &'a proto::Node, i: usize) -> bool {
        node.input.get(i).is_some_and(|name| self.uses.get(name.as_str()) == Some(&1))
    }

    fn dims(&self, id: Id) -> &[usize] {
        &self.draft.nodes[id].dims
    }

    /// `[C, H, W]` of a value.
    fn map(&self, id: Id) -> Result<[usize; 3], Reason> {
        self.dims(id).try_into().map_err(|_| {
            let rank = self.dims(id).len() + 1;
            format!("it reads a value of {rank} dimensions, and layers of maps read [N, C, H, W]")
        })
    }

    // --- what it becomes ----------------------------------------------------------------------------------------------

    fn layer(&mut self, layer: Layer, input: Id, weights: Vec<Weight>) -> Result<Id, Reason> {
        let dims = self.dims(input).to_vec();
        if !matches!(dims.len(), 1 | 3) {
            return Err(format!("it reads a value of {} dimensions", dims.len() + 1));
        }
        let key = (layer.written(), dims);
        let found = self.shapes.entry(key).or_insert_with_key(|(text, dims)| convnet_language::shape(text, dims));
        let dims = found.clone()?;
        Ok(self.draft.push(Node { op: Op::Layer(layer), inputs: vec![input], dims, weights, origin: self.at }))
    }

    /// A layer without arguments.
    fn plain(&mut self, word: &'static str, input: Id) -> Result<Id, Reason> {
        self.layer(Layer::new(word, Vec::new()), input, Vec::new())
    }

    fn step(&mut self, step: Step, inputs: Vec<Id>, dims: Vec<usize>) -> Id {
        self.draft.push(Node { op: Op::Step(step), inputs, dims, weights: Vec::new(), origin: self.at })
    }
}

/// The most elements of a value for one image.
const LARGEST: usize = 1 << 31;

/// Whether there are no more elements than a value can have.
pub fn is_countable(dims: &[usize]) -> bool {
    dims.iter().try_fold(1_usize, |product, size| product.checked_mul(*size)).is_some_and(|count| count <= LARGEST)
}

/// Whether a node of ours notes this word of the language, which its operator does not say.
fn said_by_us(node: &proto::Node, word: &str) -> bool {
    node.metadata_props.iter().any(|entry| entry.key == "convnet.word" && entry.value == word)
}

/// The elements of a constant, in another shape of as many.
fn weight(constant: &Constant, shape: &[usize], name: Option<String>) -> Result<Weight, Reason> {
    let wanted = shape.iter().try_fold(1_usize, |product, size| product.checked_mul(*size));
    let values = constant.as_floats().filter(|values| Some(values.len()) == wanted);
    let values = values.ok_or_else(|| format!("its weights have the shape {:?}, not {shape:?}", constant.shape))?;
    Ok(Weight { shape: shape.to_vec(), values, name })
}

/// What a `Constant` holds.
fn literal(attributes: Attributes<'_>) -> Option<Constant> {
    if let Some(tensor) = attributes.tensor("value") {
        return super::constant::read(tensor, &|_| Err(String::new())).ok();
    }
    let whole = |values: &[i64]| values.iter().map(|value| Whole::Number(*value)).collect::<Vec<_>>();
    if let Some(value) = attributes.float("value_float") {
        return Some(Constant::floats(Vec::new(), vec![value]));
    }
    if let Some(value) = attributes.int("value_int") {
        return Some(Constant::whole(Vec::new(), vec![Whole::Number(value)]));
    }
    if let Some(values) = attributes.ints("value_ints") {
        return Some(Constant::whole(vec![values.len()], whole(values)));
    }
    let values = attributes.floats("value_floats")?;
    Some(Constant::floats(vec![values.len()], values.to_vec()))
}

/// An argument that is a number of single precision, or the short one that it is within its rounding: 1e-5 of 1.0000001e-5.
fn decimal(value: impl Into<f64>) -> Argument {
    let value = value.into();
    let short = (0..6).filter_map(|digits| format!("{value:.digits$e}").parse::<f64>().ok());
    let near = short.into_iter().find(|short| (short - value).abs() <= f64::from(f32::EPSILON) * value.abs());
    Argument::Decimal(near.unwrap_or(value))
}
