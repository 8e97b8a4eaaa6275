//! Whether an embedded file is the network's: what `weights::load` finds when it is run, found by rustc.
//!
//! All of it is `const fn`, with loops and borrowed lists in place of iterators and memory.

use super::header::{Header, Stored, name, params, same, shape, text};
use super::message::Message;
use crate::format_version::CURRENT;
use crate::graph::{Graph, Op, Param};
use crate::net::Network;
use crate::weights::DType;
use dfdx::prelude::Cpu;

/// So many keys are listed of each kind of what does not fit.
const LISTED: usize = 5;

/// The graph of a network. To name the constant of a type that is no network would be an error for each trait that a network has.
pub const fn graph_of<N: Network<f32, Cpu>>() -> &'static Graph {
    N::GRAPH
}

/// Compares the header of an embedded file with the network. `taken` has an element for each tensor of the file.
///
/// # Panics
/// When the file cannot be loaded into the network: in a constant, which makes it an error of the compiler.
#[track_caller]
pub const fn fits(graph: &Graph, header: &Header, taken: &mut [bool]) {
    if let Some(message) = problem(graph, header, taken) {
        panic!("{}", message.as_str());
    }
}

/// What is wrong, in sentences.
pub(super) const fn problem(graph: &Graph, header: &Header, taken: &mut [bool]) -> Option<Message> {
    if let Some(message) = unusable(graph, header) {
        return Some(message);
    }
    let (params, prefix) = (params(graph), header.prefix(graph));
    let (mut right, mut matched, mut i) = (0, 0, 0);
    while i < params.len() {
        if let Some(index) = header.find(prefix, name(&params[i])) {
            taken[index] = true;
            matched += 1;
            right += Fault::of(&params[i], Some(&header.tensors[index])).is_none() as usize;
        }
        i += 1;
    }
    let mut extra = 0;
    i = 0;
    while i < header.tensors.len() {
        taken[i] = taken[i] || ends_with(header.tensors[i].name, "num_batches_tracked");
        extra += !taken[i] as usize;
        i += 1;
    }
    if right == params.len() && extra == 0 {
        return None;
    }
    let mut message = Message::new();
    message.name(header.file);
    if matched == 0 {
        nothing_known(&mut message, graph, header);
    } else {
        message.add(" does not fit ");
        message.name(text(&graph.name));
        message.add(":");
        faults(&mut message, graph, header, prefix, Kind::Missing);
        extras(&mut message, header, taken, extra);
        faults(&mut message, graph, header, prefix, Kind::Shape);
        faults(&mut message, graph, header, prefix, Kind::Type);
    }
    advice(&mut message, graph, header, right == params.len());
    Some(message)
}

/// What forbids to embed the file before its tensors are looked at.
const fn unusable(graph: &Graph, header: &Header) -> Option<Message> {
    let mut message = Message::new();
    if let (Some(format), Some(version)) = (header.says("format"), header.says("format_version")) {
        let mut known = Message::new();
        known.number(CURRENT as usize);
        if same(format, "convnet") && !same(version, known.as_str()) {
            message.name(header.file);
            message.add(": its format version is `");
            message.name(version);
            message.add("`, but this convnet reads version ");
            message.add(known.as_str());
            message.add("\n  fix: use a newer convnet, or another copy of the file");
            return Some(message);
        }
    }
    let (nodes, mut i) = (graph.nodes(), 0);
    while i < nodes.len() {
        if let Op::Custom(_) = nodes[i].op {
            message.name(text(&graph.name));
            message.add(" has the custom module `");
            message.name(text(&nodes[i].name));
            message.add("`, which is Rust, and cannot be frozen into a predictor");
            message.add("\n  fix: `weights::load` the file when the program runs, and evaluate with `forward`");
            return Some(message);
        }
        i += 1;
    }
    None
}

/// In what way a tensor is not the network's.
enum Fault<'a> {
    Missing,
    Shape(&'a [usize]),
    Type(DType),
}

#[derive(Clone, Copy)]
enum Kind {
    Missing,
    Shape,
    Type,
}

impl<'a> Fault<'a> {
    const fn of(param: &Param, stored: Option<&'a Stored>) -> Option<Self> {
        match stored {
            None => Some(Fault::Missing),
            Some(stored) if !equal(stored.shape, shape(param)) => Some(Fault::Shape(stored.shape)),
            Some(stored) if !stored.dtype.is_float() => Some(Fault::Type(stored.dtype)),
            Some(_) => None,
        }
    }
}

/// A line for the faults of one kind, or nothing.
const fn faults(message: &mut Message, graph: &Graph, header: &Header, prefix: &str, kind: Kind) {
    let (params, mut count, mut i) = (params(graph), 0, 0);
    while i < params.len() {
        let stored = match header.find(prefix, name(&params[i])) {
            Some(index) => Some(&header.tensors[index]),
            None => None,
        };
        let fault = Fault::of(&params[i], stored);
        let title = match (kind, &fault) {
            (Kind::Missing, Some(Fault::Missing)) => "missing",
            (Kind::Shape, Some(Fault::Shape(_))) => "wrong shape",
            (Kind::Type, Some(Fault::Type(_))) => "wrong type",
            _ => "",
        };
        if !title.is_empty() {
            if begins(message, title, count) {
                message.name(name(&params[i]));
                described(message, &params[i], &fault);
            }
            count += 1;
        }
        i += 1;
    }
    ends(message, count);
}

/// What is expected of a tensor, and what is found.
const fn described(message: &mut Message, param: &Param, fault: &Option<Fault<'_>>) {
    match fault {
        Some(Fault::Missing) => {
            message.add(" ");
            message.shape(shape(param));
        }
        Some(Fault::Shape(found)) => {
            message.add(" (expected ");
            message.shape(shape(param));
            message.add(", found ");
            message.shape(found);
            message.add(")");
        }
        Some(Fault::Type(found)) => {
            message.add(" (expected floating-point numbers, found ");
            message.add(found.name());
            message.add(")");
        }
        None => {}
    }
}

/// A line for what the network does not have, or nothing.
const fn extras(message: &mut Message, header: &Header, taken: &[bool], extra: usize) {
    let (mut count, mut i) = (0, 0);
    while i < header.tensors.len() && count < extra {
        if !taken[i] {
            if begins(message, "not in the network", count) {
                message.name(header.tensors[i].name);
            }
            count += 1;
        }
        i += 1;
    }
    ends(message, count);
}

/// Begins an entry of a list, if it is one of the first.
const fn begins(message: &mut Message, title: &str, count: usize) -> bool {
    if count == 0 {
        message.add("\n  ");
        message.add(title);
        message.add(": ");
    } else if count < LISTED {
        message.add(", ");
    }
    count < LISTED
}

/// How many more there are than are listed.
const fn ends(message: &mut Message, count: usize) {
    if count > LISTED {
        message.add(" and ");
        message.number(count - LISTED);
        message.add(" more");
    }
}

/// The rest of a sentence about a file of something else.
const fn nothing_known(message: &mut Message, graph: &Graph, header: &Header) {
    message.add(" holds nothing of ");
    message.name(text(&graph.name));
    message.add(if header.tensors.is_empty() { ": it has no tensors" } else { ": its first keys are " });
    let mut i = 0;
    while i < header.tensors.len() && i < LISTED {
        message.add(if i == 0 { "" } else { ", " });
        message.name(header.tensors[i].name);
        i += 1;
    }
}

/// What to do. `complete` says that the file has all that is wanted, and more.
const fn advice(message: &mut Message, graph: &Graph, header: &Header, complete: bool) {
    let known = text(&graph.name);
    if let Some(network) = header.says("network")
        && !same(network, known)
    {
        message.add("\n  the file says that it is of ");
        message.name(network);
    }
    if let Some(outputs) = other_outputs(graph, header) {
        message.add("\n  fix: the file is of a network with ");
        message.number(outputs);
        message.add(" outputs: give this one as many");
    } else if complete {
        message
            .add("\n  fix: `convnet convert` with `--model` and `--allow-extra` leaves out what is not in the network");
    } else {
        message.add("\n  fix: embed a file of ");
        message.name(known);
        message.add(" as it is declared in this program, or declare the network that the file is of");
    }
}

/// The outputs of the network that the file is of, if that is all in which the two differ.
const fn other_outputs(graph: &Graph, header: &Header) -> Option<usize> {
    let (params, prefix) = (params(graph), header.prefix(graph));
    let (mut outputs, mut i) = (None, 0);
    while i < params.len() {
        let Some(index) = header.find(prefix, name(&params[i])) else { return None };
        match (Fault::of(&params[i], Some(&header.tensors[index])), shape(&params[i])) {
            (None, _) => {}
            (Some(Fault::Shape([found, found_rest @ ..])), [wanted, rest @ ..])
                if *wanted == graph.output_shape().len() && equal(found_rest, rest) =>
            {
                match outputs {
                    Some(known) if known != *found => return None,
                    _ => outputs = Some(*found),
                }
            }
            _ => return None,
        }
        i += 1;
    }
    outputs
}

const fn equal(a: &[usize], b: &[usize]) -> bool {
    let mut i = 0;
    while i < a.len() && i < b.len() && a[i] == b[i] {
        i += 1;
    }
    i == a.len() && i == b.len()
}

const fn ends_with(text: &str, end: &str) -> bool {
    let (text, end) = (text.as_bytes(), end.as_bytes());
    let (len, wanted, mut i) = (text.len(), end.len(), 0);
    // From the last character, in which most differ.
    while i < len && i < wanted && text[len - 1 - i] == end[wanted - 1 - i] {
        i += 1;
    }
    i == wanted
}
