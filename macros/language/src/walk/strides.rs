//! Branches whose sizes differ by a stride: which one, and what to write so that they are alike. Each change is computed through the branch.

use super::{At, Checker};
use crate::chain::{self, Change, is_same_place};
use crate::cost::Dim;
use crate::graph::Node;
use crate::shape::span;
use crate::trace::called;
use convnet_graph::{Extent, Op};

/// A branch that is a chain of layers, with what comes into it.
struct Way<'a> {
    chain: Vec<&'a Node>,
    from: [u64; 2],
    want: [u64; 2],
}

impl Way<'_> {
    /// Whether the branch gives the size that is wanted if a layer is changed, which is there once.
    fn works(&self, node: &Node, change: Change) -> bool {
        let is_once = self.chain.iter().filter(|other| is_same_place(other, node)).count() == 1;
        is_once && chain::out_of(&self.chain, self.from, &[(node, change)]) == Some(self.want)
    }
}

impl Checker<'_, '_> {
    fn way(&self, start: At, end: usize, want: [Dim; 2]) -> Option<Way<'_>> {
        let chain = chain::before(&self.nodes, Some(start.node), end);
        let first = chain.first().and_then(|first| first.inputs.first());
        let [Dim::Known(height), Dim::Known(width)] = want else { return None };
        let from = chain::into(&self.nodes, &chain)?;
        (first == Some(&start.node)).then_some(Way { chain, from, want: [height, width] })
    }

    /// The stride that a layer from `start` to `end` is to do without, so that they give a map of this height and width; `of` is what they are.
    pub(super) fn unstrided(&self, start: At, end: usize, want: [Dim; 2], of: &str) -> Option<String> {
        let way = self.way(start, end, want)?;
        for node in way.chain.iter().rev() {
            let Extent::Windows { kernel, stride: [stride, other], dilation, .. } = node.op.extent() else { continue };
            let is_written = node.written.args.iter().any(|(name, _)| *name == "stride");
            if stride != other || stride == 1 || !is_written {
                continue;
            }
            let place = placed(node, of);
            // Without one, a pool has its kernel for a stride.
            let without = match matches!(node.op, Op::Pool(_)) {
                true => format!("write `stride = 1` in {place}"),
                false => format!("leave out `stride = {stride}` in {place}"),
            };
            if way.works(node, Change::Stride(1)) {
                return Some(without);
            }
            let keeps = span(kernel[0] as u64, dilation[0] as u64)?.saturating_sub(1) / 2;
            if way.works(node, Change::StrideAndPad(1, keeps)) {
                return Some(format!("{without}, and write `pad = {keeps}` there"));
            }
        }
        None
    }

    /// The stride that a convolution from `start` to `end` lacks, so that they give a map of this height and width.
    pub(super) fn strided(&self, start: At, end: usize, want: [Dim; 2], of: &str) -> Option<String> {
        let way = self.way(start, end, want)?;
        let plain = |node: &&&Node| {
            matches!(node.op, Op::Conv(_)) && matches!(node.op.extent(), Extent::Windows { stride: [1, 1], .. })
        };
        way.chain.iter().filter(plain).find_map(|node| {
            let stride = (2..=8).find(|stride| way.works(node, Change::Stride(*stride)))?;
            Some(format!("write `stride = {stride}` in {}", placed(node, of)))
        })
    }
}

/// A layer of a branch, as the end of a fix: "`conv` of the second branch"; the name alone where the layer is the branch.
fn placed(node: &Node, of: &str) -> String {
    let name = called(node);
    match of.is_empty() || of.ends_with(&format!("`{name}`")) {
        true => format!("`{name}`"),
        false => format!("`{name}` of {of}"),
    }
}
