//! Networks of others as the language's text, with their weights.
//!
//! ```text
//! bytes --proto--> operators --lower--> layers and sums --tree--> structures --place, item--> modules with names
//!       --blocks--> blocks and repeats --print--> text --the language--> the graph again
//! ```
//!
//! What is printed is read back by the language, which checks every shape, and parameters are matched by its order. Files are not to be
//! trusted: sizes are checked before anything is allocated, nothing recurses deeper than the language itself does, and nothing but files in
//! the model's own folder is read.

mod attributes;
mod blocks;
mod constant;
mod draft;
mod error;
mod fold;
mod form;
mod item;
mod lower;
mod parameters;
mod place;
mod print;
mod tree;

#[cfg(test)]
mod tests;

pub use error::{ImportError, Unsayable};

use crate::proto;
use constant::Beside;
use convnet_graph::Graph;
use convnet_language::Sizes;
use draft::{Draft, Id, Node, Op, Output, Weight};
use lower::{Lowering, Value};
use place::Places;
use print::Source;
use prost::Message as _;
use prost::bytes::Bytes;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

/// How a model is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImportOptions {
    /// What the network is called; else as the file says.
    pub name: Option<String>,
    /// What it is called where the file says nothing.
    pub fallback_name: Option<String>,
    /// The shape of one image, `[C, H, W]` or `[N]`, where the file leaves it open.
    pub input: Option<Vec<usize>>,
    /// Which output the network gives, where the model has several; else it gives all of them, the first one as its own.
    pub output: Option<String>,
}

/// A network that was read.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Imported {
    /// The text of the network, as it stands between the braces of `cnn!`.
    pub source: String,
    /// The network that the language reads there.
    pub graph: Graph,
    /// The numbers of its parameters, in the order of [`Graph::params`].
    pub params: Vec<Vec<f32>>,
    /// What a file that `convnet` wrote says about itself; nothing of others.
    pub metadata: BTreeMap<String, String>,
    /// What was guessed, or left behind.
    pub notes: Vec<String>,
}

/// More operators than this are no network that the language could say.
const MOST: usize = 100_000;
/// And more outputs than this are no tuple that anybody could read.
const MOST_OUTPUTS: usize = 64;

/// Reads an ONNX model. `beside` gives the bytes of a file in the model's folder, where it keeps its weights outside.
///
/// # Errors
/// When the bytes are no model, or one that the language cannot say.
pub fn import(bytes: Bytes, beside: &Beside<'_>, options: &ImportOptions) -> Result<Imported, ImportError> {
    let model = proto::Model::decode(bytes).map_err(|error| ImportError::Format(error.to_string()))?;
    let graph = model.graph.as_ref().ok_or_else(|| ImportError::Format("it has no graph".into()))?;
    if graph.node.len() > MOST {
        return Err(ImportError::Format(format!("it has {} operators; {MOST} are the most", graph.node.len())));
    }
    let own = model.producer_name == "convnet";
    let mut notes = Vec::new();
    let input = input(graph, options, &mut notes)?;
    let draft = lowered(&model, graph, &input, beside, options, &mut notes)?;
    let settled = lower::settle(&draft, own).map_err(|left| ImportError::Unsayable(unsayable(&left, &draft, graph)))?;
    let said = |id: Id| {
        let node = graph.node.get(settled.nodes[id].origin).filter(|_| id > 0);
        node.map_or_else(|| "the input".into(), |node| format!("`{}`", node_name(node)))
    };
    notes.extend(shared(&settled));
    let statements = tree::tree(&settled, &said)?;
    let order = tree::order(&statements);
    if !order.is_sorted() {
        let all: Vec<&str> = [0].iter().chain(&order).map(|number| settled.outputs[*number].name.as_str()).collect();
        notes.push(format!("the outputs come in the order in which they are computed: {}", quoted(&all)));
    }
    let places = Places::of(&settled, &graph.node, own);
    let names = [options.name.as_deref(), Some(graph.name.as_str()), options.fallback_name.as_deref()];
    let name = names.into_iter().flatten().find_map(struct_name).unwrap_or_else(|| "Imported".into());
    let remark = remark(&model);
    let written = Written { draft: &settled, statements: &statements, places: &places, name: &name, remark: &remark };
    let (source, graph, params) = written.read_back(&input.shape, &mut notes)?;
    // In files of others the same keys mean other things.
    let metadata: BTreeMap<String, String> =
        model.metadata_props.iter().map(|entry| (entry.key.clone(), entry.value.clone())).collect();
    if !own && !metadata.is_empty() {
        let keys: Vec<&str> = metadata.keys().take(3).map(String::as_str).collect();
        notes.push(format!("what the file says about itself ({} ...) was left behind", quoted(&keys)));
    }
    let metadata = if own { metadata } else { BTreeMap::new() };
    Ok(Imported { source, graph, params, metadata, notes })
}

// --- what comes in ----------------------------------------------------------------------------------------------------

/// The model's input: one image.
struct Input<'a> {
    name: &'a str,
    shape: Vec<usize>,
    /// The number of images, where it is fixed.
    batch: Option<usize>,
}

fn input<'a>(
    graph: &'a proto::Graph,
    options: &ImportOptions,
    notes: &mut Vec<String>,
) -> Result<Input<'a>, ImportError> {
    let one = sole_input(graph)?;
    let fault = |text: String| ImportError::Input(text);
    let tensor = one.kind.as_ref().and_then(|kind| kind.tensor.as_ref());
    if tensor.is_some_and(|tensor| tensor.elem_type == Some(proto::DataType::Uint8 as i32)) {
        return Err(fault(format!(
            "`{}` takes the bytes of images, and a network what is made of them; export the model without preprocessing",
            one.name
        )));
    }
    let dims = tensor.and_then(|tensor| tensor.shape.as_ref()).map_or(&[][..], |shape| &shape.dim);
    let size = |dim: &proto::Dimension| match &dim.extent {
        Some(proto::Extent::Value(n)) => usize::try_from(*n).ok().filter(|n| *n > 0),
        _ => None,
    };
    let batch = dims.first().and_then(size);
    let known: Option<Vec<usize>> = dims.iter().skip(1).map(size).collect();
    let shape = match (&options.input, known) {
        (Some(given), Some(known)) if *given != known && known.len() == given.len() => {
            notes.push(format!("the file has the input {known:?}, and {given:?} was asked for"));
            given.clone()
        }
        (Some(given), _) if !dims.is_empty() && given.len() + 1 != dims.len() => {
            let (name, described) = (&one.name, described(dims));
            return Err(fault(format!("`{name}` is {described}, and {given:?} has not as many dimensions")));
        }
        (Some(given), _) => given.clone(),
        (None, Some(known)) if !dims.is_empty() => known,
        (None, _) => {
            let (name, described) = (&one.name, described(dims));
            return Err(fault(format!(
                "the file leaves the shape of `{name}` open ({described}); say which one an image has (`--input`)"
            )));
        }
    };
    let fits = matches!(shape.len(), 1 | 3) && !shape.contains(&0) && lower::is_countable(&shape);
    if !fits {
        return Err(fault(format!(
            "`{}` has the shape {shape:?} for one image, and a network takes [C, H, W] or [N]",
            one.name
        )));
    }
    if let Some(batch) = batch {
        notes.push(format!("the file is for batches of {batch}; the network takes any number of images"));
    }
    Ok(Input { name: &one.name, shape, batch })
}

/// The one value that goes in.
fn sole_input(graph: &proto::Graph) -> Result<&proto::ValueInfo, ImportError> {
    // Older files list weights among their inputs, too.
    let weights: std::collections::HashSet<&str> = graph.initializer.iter().map(|one| one.name.as_str()).collect();
    let inputs: Vec<&proto::ValueInfo> =
        graph.input.iter().filter(|one| !weights.contains(one.name.as_str())).collect();
    match inputs.as_slice() {
        [one] => Ok(one),
        [] => Err(ImportError::Input("it has none".into())),
        many => {
            let names: Vec<&str> = many.iter().map(|one| one.name.as_str()).collect();
            let names = quoted(&names);
            Err(ImportError::Input(format!("there are {}, {names}; a network has one", many.len())))
        }
    }
}

/// Names, so that a reader sees where each ends.
fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// A shape as the file has it: `[batch, 3, ?, ?]`.
fn described(dims: &[proto::Dimension]) -> String {
    let one = |dim: &proto::Dimension| match &dim.extent {
        Some(proto::Extent::Value(n)) => n.to_string(),
        Some(proto::Extent::Name(name)) => name.clone(),
        None => "?".into(),
    };
    format!("[{}]", dims.iter().map(one).collect::<Vec<_>>().join(", "))
}

/// All operators as layers and steps, with the outputs.
fn lowered(
    model: &proto::Model,
    graph: &proto::Graph,
    input: &Input<'_>,
    beside: &Beside<'_>,
    options: &ImportOptions,
    notes: &mut Vec<String>,
) -> Result<Draft, ImportError> {
    let opset = model.opset_import.iter().find(|set| matches!(set.domain.as_str(), "" | "ai.onnx"));
    let opset = opset.and_then(|set| set.version).unwrap_or(1);
    let (mut constants, mut numbers) = (HashMap::new(), 0_usize);
    for tensor in &graph.initializer {
        let constant = constant::read(tensor, beside)?;
        numbers = numbers.saturating_add(constant.len());
        constants.insert(tensor.name.as_str(), Value::Constant(Rc::new(constant)));
    }
    // What exporters compute beforehand are shapes, and now and then a weight.
    let budget = numbers.saturating_mul(4).saturating_add(1 << 20);
    let own = model.producer_name == "convnet";
    let mut lowering = Lowering::new(opset, own, input.batch, budget);
    lowering.values = constants;
    let dims = input.shape.clone();
    let first = Node { op: Op::Input, inputs: Vec::new(), dims, weights: Vec::new(), origin: usize::MAX };
    let first = lowering.draft.push(first);
    lowering.values.insert(input.name, Value::Node(first));
    for name in graph.node.iter().flat_map(|node| &node.input).chain(graph.output.iter().map(|output| &output.name)) {
        *lowering.uses.entry(name.as_str()).or_default() += 1;
    }
    for (at, node) in graph.node.iter().enumerate() {
        ordered(node, &lowering)?;
        lowering.node(at, node);
    }
    notes.append(&mut lowering.notes);
    for name in outputs(graph, options)? {
        match lowering.values.get(name) {
            Some(Value::Node(id)) => lowering.draft.outputs.push(Output { name: name.into(), id: *id }),
            Some(Value::Constant(_)) => {
                return Err(ImportError::Output(format!("`{name}` does not depend on the input")));
            }
            None => return Err(ImportError::Output(format!("no operator gives `{name}`"))),
        }
    }
    Ok(lowering.draft)
}

/// Each operator reads what is before it, and gives what is not there yet.
fn ordered(node: &proto::Node, lowering: &Lowering<'_>) -> Result<(), ImportError> {
    let fault = |problem: String| Err(ImportError::Node { node: node_name(node), problem });
    if let Some(name) = node.input.iter().find(|name| !name.is_empty() && !lowering.values.contains_key(name.as_str()))
    {
        // Further outputs of an operator are of training.
        return fault(format!("it reads `{name}`, which nothing before it gives"));
    }
    match node.output.first().filter(|name| lowering.values.contains_key(name.as_str())) {
        Some(name) => fault(format!("it gives `{name}`, which is there already")),
        None => Ok(()),
    }
}

/// The names of the outputs, that of the network's own first.
fn outputs<'a>(graph: &'a proto::Graph, options: &'a ImportOptions) -> Result<Vec<&'a str>, ImportError> {
    if let Some(wanted) = &options.output {
        return Ok(vec![wanted]);
    }
    let mut names: Vec<&str> = Vec::new();
    for output in &graph.output {
        if !names.contains(&output.name.as_str()) {
            names.push(&output.name);
        }
    }
    match names.len() {
        0 => Err(ImportError::Output("it has none".into())),
        n if n > MOST_OUTPUTS => Err(ImportError::Output(format!(
            "there are {n}; {MOST_OUTPUTS} are the most, so say which one the network gives (`--output`)"
        ))),
        _ => Ok(names),
    }
}

/// What is said of weights that several layers share in the file.
fn shared(draft: &Draft) -> Option<String> {
    let names = draft.nodes.iter().flat_map(|node| &node.weights).filter_map(|weight| weight.name.as_deref());
    let mut readers: BTreeMap<&str, usize> = BTreeMap::new();
    names.for_each(|name| *readers.entry(name).or_default() += 1);
    let all: Vec<&str> = readers.into_iter().filter(|(_, count)| *count > 1).map(|(name, _)| name).collect();
    let some = quoted(&all[..all.len().min(3)]);
    (!all.is_empty()).then(|| {
        format!("in the file several layers share {some}; here each layer has weights of its own, with these numbers")
    })
}

// --- what goes out ----------------------------------------------------------------------------------------------------

/// A network that is about to be written.
struct Written<'a> {
    draft: &'a Draft,
    statements: &'a [tree::Statement],
    places: &'a Places,
    name: &'a str,
    remark: &'a str,
}

impl Written<'_> {
    /// The text, and what the language makes of it.
    fn read_back(
        &self,
        input: &[usize],
        notes: &mut Vec<String>,
    ) -> Result<(String, Graph, Vec<Vec<f32>>), ImportError> {
        let items = item::items(self.statements, self.draft, self.places);
        let mut order = Vec::new();
        item::layers(&items, &mut order);
        let weights: Vec<&Weight> = order.iter().flat_map(|id| &self.draft.nodes[*id].weights).collect();
        let output = &self.draft.nodes[self.draft.end()].dims[..];
        let text = |items: &[item::Item], blocks: &[parameters::Block], with_classes: bool| {
            let classes = classes(self.draft).filter(|id| with_classes && item::has_layer(items, *id));
            let (name, remark) = (self.name, self.remark);
            Source { name, remark, input, output, blocks, items, classes }.print()
        };
        // Layer after layer, without anything that is only there to be read well: what all other texts are held against.
        let plain = text(&items, &[], false);
        let whole = read(&plain).and_then(|graph| checked(graph, &weights, output));
        let whole = whole.map_err(|problem| ImportError::ReadsBack(format!("{problem}\n\n{plain}")))?;
        let mut written = items.clone();
        let blocks = blocks::blocks(&mut written, self.draft, &[self.name]);
        let params = weights.iter().map(|weight| weight.values.to_vec()).collect();
        for with_classes in [true, false] {
            let source = text(&written, &blocks, with_classes);
            if let Some(graph) = read(&source).ok().filter(|graph| is_same(graph, &whole)) {
                return Ok((source, graph, params));
            }
        }
        notes.push(WITHOUT_BLOCKS.into());
        let source = text(&items, &[], true);
        match read(&source).ok().filter(|graph| is_same(graph, &whole)) {
            Some(graph) => Ok((source, graph, params)),
            None => Ok((plain, whole, params)),
        }
    }
}

/// What is said where blocks were left out.
const WITHOUT_BLOCKS: &str = "blocks were left out, since with them it would be another network; this is a mistake of `convnet`, please report it";

/// The network that the language reads in a text.
fn read(source: &str) -> Result<Graph, String> {
    let read = convnet_language::read(source, &Sizes::default());
    let mut read = read.map_err(|mistakes| mistakes.draw("network.cnn", source, false))?;
    read.pop().map(|read| read.graph).ok_or_else(|| "there is no network".into())
}

/// The network, if its parameters are those of the file.
fn checked(graph: Graph, weights: &[&Weight], output: &[usize]) -> Result<Graph, String> {
    let same = graph.params.len() == weights.len()
        && graph.params.iter().zip(weights).all(|(param, weight)| *param.shape == weight.shape[..]);
    let gives = graph.output_shape() == shape(output);
    if same && gives { Ok(graph) } else { Err("its parameters are not those of the file".into()) }
}

/// Whether two networks compute the same, layer by layer.
fn is_same(graph: &Graph, other: &Graph) -> bool {
    let same = |(a, b): (&convnet_graph::Node, &convnet_graph::Node)| {
        a.op == b.op && a.inputs == b.inputs && a.shape == b.shape && a.n_params == b.n_params
    };
    let ends = |graph: &Graph| graph.outputs.iter().map(|output| output.node).collect::<Vec<_>>();
    let shapes = |graph: &Graph| graph.params.iter().map(|param| param.shape.clone()).collect::<Vec<_>>();
    graph.nodes.len() == other.nodes.len()
        && graph.nodes.iter().zip(other.nodes.iter()).all(same)
        && shapes(graph) == shapes(other)
        && ends(graph) == ends(other)
}

fn shape(dims: &[usize]) -> convnet_graph::Shape {
    match dims {
        [c, h, w] => convnet_graph::Shape::Map([*c, *h, *w]),
        other => convnet_graph::Shape::Vector(other.iter().product()),
    }
}

/// The layer whose outputs are the classes: the last one with weights, if only what keeps them follows.
fn classes(draft: &Draft) -> Option<Id> {
    let mut at = draft.end();
    let [_] = draft.nodes[at].dims[..] else { return None };
    loop {
        let layer = draft.layer(at)?;
        match layer.word {
            "linear" | "conv" => return Some(at),
            "softmax" | "log_softmax" | "relu" | "global_avg_pool" | "dropout" => {
                at = *draft.nodes[at].inputs.first()?;
            }
            _ => return None,
        }
    }
}

fn unsayable(left: &[lower::Left], draft: &Draft, graph: &proto::Graph) -> Vec<Unsayable> {
    let one = |left: &lower::Left| {
        let (node, input) = (&draft.nodes[left.id], draft.nodes[left.id].inputs.first());
        let dims = input.map_or(&[][..], |input| &draft.nodes[*input].dims);
        let sizes: Vec<String> = dims.iter().map(usize::to_string).collect();
        let shape = if sizes.is_empty() { String::new() } else { format!("[{}]", sizes.join(", ")) };
        let (operator, node) = match graph.node.get(node.origin) {
            Some(node) => (node.op_type.clone(), node_name(node)),
            None => (String::new(), String::new()),
        };
        Unsayable { operator, node, shape, reason: left.reason.clone() }
    };
    left.iter().map(one).collect()
}

/// What an operator is known by.
fn node_name(node: &proto::Node) -> String {
    let name = Some(&node.name).filter(|name| !name.is_empty()).or(node.output.first());
    name.cloned().unwrap_or_default()
}

/// A name as those of types are: `ResNet18` of `resnet-18`.
fn struct_name(name: &str) -> Option<String> {
    let generic = ["", "main_graph", "main", "torch_jit", "torch-jit-export", "graph", "tf2onnx"].contains(&name);
    let mut text = String::new();
    let mut upper = true;
    for letter in name.chars().take(60) {
        if letter.is_ascii_alphanumeric() {
            text.push(if upper { letter.to_ascii_uppercase() } else { letter });
        }
        upper = !letter.is_ascii_alphanumeric();
    }
    let fits = !generic && text.starts_with(|letter: char| letter.is_ascii_alphabetic()) && text != "Self";
    fits.then_some(text)
}

fn remark(model: &proto::Model) -> String {
    let clean = |text: &str| text.chars().filter(|c| !c.is_control()).take(80).collect::<String>();
    let by = clean(&format!("{} {}", model.producer_name, model.producer_version));
    match by.trim() {
        "" => "Imported from an ONNX file.".into(),
        by => format!("Imported from an ONNX file that {by} wrote."),
    }
}
