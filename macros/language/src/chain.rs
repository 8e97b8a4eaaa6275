//! A chain of layers, computed again with a change in one of them: a fix is proposed only where it was seen to work.

use crate::graph::Node;
use crate::shape::{lacking, same, span, windows, windows_ceil};
use crate::trace::called;
use convnet_graph::{Extent, Op};
use std::collections::BTreeSet;

/// What is changed in a layer.
#[derive(Clone, Copy)]
pub enum Change {
    /// A pad at all sides.
    Pad(u64),
    /// A stride in both dimensions.
    Stride(u64),
    /// Both.
    StrideAndPad(u64, u64),
    /// A kernel in both dimensions, which is the stride, too.
    Window(u64),
}

/// The layers up to `end` that come one after the other, the first one first: back to `start`, or to where the sizes come from one that no
/// change before it would change.
pub fn before(nodes: &[Node], start: Option<usize>, end: usize) -> Vec<&Node> {
    let mut chain = Vec::new();
    let mut at = end;
    while let (Some(node), true) = (nodes.get(at), Some(at) != start) {
        let [input] = node.inputs[..] else { break };
        if !matches!(node.op.extent(), Extent::Pixel | Extent::Normalised | Extent::Windows { .. }) {
            break;
        }
        chain.push(node);
        at = input;
    }
    chain.reverse();
    chain
}

/// What comes into a chain, if it is known: height and width.
pub fn into(nodes: &[Node], chain: &[&Node]) -> Option<[u64; 2]> {
    let [_, height, width] = nodes.get(*chain.first()?.inputs.first()?)?.shape.chw();
    Some([height.known()?, width.known()?])
}

/// Whether two nodes are written at one place, as those of a `repeat` are.
pub fn is_same_place(one: &Node, other: &Node) -> bool {
    format!("{:?}", one.written.word) == format!("{:?}", other.written.word)
}

/// What comes out of a chain, where the layers that are written at the place of one of `changed` have its change.
pub fn out_of(chain: &[&Node], from: [u64; 2], changed: &[(&Node, Change)]) -> Option<[u64; 2]> {
    chain.iter().try_fold(from, |size, node| {
        let change = changed.iter().find(|(other, _)| is_same_place(node, other)).map(|(_, change)| *change);
        through(node, size, change)
    })
}

/// Height and width behind a layer, with a change in it.
fn through(node: &Node, from: [u64; 2], change: Option<Change>) -> Option<[u64; 2]> {
    let Extent::Windows { kernel, stride, pad, dilation } = node.op.extent() else { return Some(from) };
    let number = |n: usize| n as u64;
    let sides = [(pad.top, pad.bottom), (pad.left, pad.right)];
    let mut sizes = [0; 2];
    for (dimension, size) in sizes.iter_mut().enumerate() {
        let mut kernel = number(*kernel.get(dimension)?);
        let mut stride = number(*stride.get(dimension)?);
        let (before, after) = sides.get(dimension)?;
        let (mut before, mut after, mut keeps) = (number(*before), number(*after), node.written.same);
        let dilation = number(*dilation.get(dimension)?);
        let input = *from.get(dimension)?;
        match change {
            Some(Change::Pad(pad)) => (before, after, keeps) = (pad, pad, false),
            Some(Change::Stride(to)) => stride = to,
            Some(Change::StrideAndPad(to, pad)) => (stride, before, after, keeps) = (to, pad, pad, false),
            Some(Change::Window(to)) => (kernel, stride) = (to, to),
            None => {}
        }
        let span = span(kernel, dilation)?;
        if keeps {
            (before, after) = same(input, span, stride);
        }
        *size = match node.written.ceil {
            true => windows_ceil(input, before, after, span, stride).ok()?,
            false => windows(input, before, after, span, stride).ok()?,
        };
    }
    Some(sizes)
}

/// The padding that convolutions of a chain lack, with which `fits` what comes out of it: of the last one that does, or of all together.
pub fn padded(nodes: &[Node], chain: &[&Node], fits: impl Fn([u64; 2]) -> bool) -> Option<String> {
    let from = into(nodes, chain)?;
    let mut lacks: Vec<(&Node, (usize, usize))> = Vec::new();
    for node in chain.iter().filter(|node| matches!(node.op, Op::Conv(_))) {
        lacks.extend(lacking(node.op.extent()).map(|lack| (*node, lack)));
    }
    let works = |lacks: &[(&Node, (usize, usize))]| {
        let changes: Vec<(&Node, Change)> =
            lacks.iter().map(|(node, (pad, _))| (*node, Change::Pad(*pad as u64))).collect();
        out_of(chain, from, &changes).is_some_and(&fits)
    };
    let is_alone = |node: &Node| lacks.iter().filter(|(other, _)| called(other) == called(node)).count() == 1;
    let one = lacks.iter().rev().find(|one| is_alone(one.0) && works(std::slice::from_ref(one)));
    match one {
        Some(one) => Some(paddings(std::slice::from_ref(one))),
        None => (!lacks.is_empty() && works(&lacks)).then(|| paddings(&lacks)),
    }
}

/// `pad = 1` in `a` and in `b`, and `pad = 2` in `c`.
pub fn paddings(lacks: &[(&Node, (usize, usize))]) -> String {
    let mut parts: Vec<(usize, Vec<String>)> = Vec::new();
    for (node, (pad, _)) in lacks {
        let name = called(node);
        match parts.iter_mut().find(|(known, _)| known == pad) {
            Some((_, names)) => names.push(name),
            None => parts.push((*pad, vec![name])),
        }
    }
    let shown = parts.into_iter().map(|(pad, names)| {
        let mut told = BTreeSet::new();
        let mut layers: Vec<String> = Vec::new();
        for name in names.iter().filter(|name| told.insert(*name)) {
            layers.push(match names.iter().filter(|other| *other == name).count() {
                1 => format!("in `{name}`"),
                _ => format!("in each `{name}`"),
            });
        }
        format!("`pad = {pad}` {}", layers.join(" and "))
    });
    shown.collect::<Vec<_>>().join(", and ")
}
