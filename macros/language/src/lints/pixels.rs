//! Pixels that no window reads.
//!
//! A value is read by whoever comes to it through layers that work pixel by pixel: behind `relu`, a row that a pool leaves out is one of
//! the convolution before. What at least one of its readers sees is read, so the 1x1 shortcut of a residual is no mistake where the
//! branch beside it sees all.

use super::Rules;
use super::reading::{Sees, sees};
use crate::cost::Dim;
use crate::graph::Node;
use crate::lint;
use crate::shape::{self, DoesNotFit, Taps, both, unread};
use convnet_graph::{Extent, Op, Pad};
use std::ops::Range;

/// So many steps are spent on windows with gaps; what would take longer is left alone.
const WORK: u64 = 1 << 24;

/// Rows and columns that are not read.
type Unread = [Vec<Range<u64>>; 2];

impl Rules<'_> {
    pub(super) fn windows(&mut self) {
        let mut work = WORK;
        for id in 0..self.graph.nodes.len() {
            // What works pixel by pixel was seen with the value that it works on.
            let begins = self.graph.nodes.get(id).is_some_and(|node| !matches!(sees(node), Sees::Pixels));
            let Some(windows) = self.windows_on(id).filter(|_| begins) else { continue };
            if windows.iter().any(|reader| self.is_allowed(*reader)) {
                continue;
            }
            let Some((first, unread)) = self.unread(id, &windows, &mut work) else { continue };
            self.unread_pixels(first, &unread);
        }
    }

    fn is_allowed(&self, id: usize) -> bool {
        self.graph.nodes.get(id).is_some_and(|node| node.written.allowed.has(&lint::UNREAD_PIXELS))
    }

    /// The nodes with windows that a value comes to; nothing where something sees all of it.
    fn windows_on(&self, id: usize) -> Option<Vec<usize>> {
        let (mut open, mut windows) = (vec![id], Vec::new());
        while let Some(at) = open.pop() {
            if self.reading.is_end(at) {
                return None;
            }
            for reader in self.reading.readers(at) {
                match sees(self.graph.nodes.get(*reader)?) {
                    Sees::Pixels => open.push(*reader),
                    Sees::Windows => windows.push(*reader),
                    Sees::All => return None,
                }
            }
        }
        windows.sort_unstable();
        Some(windows)
    }

    /// What all of these windows leave out, and the first of them; nothing where they leave out nothing, or that cannot be told.
    fn unread(&self, id: usize, windows: &[usize], work: &mut u64) -> Option<(usize, Unread)> {
        let [_, height, width] = self.graph.nodes.get(id)?.shape.chw();
        let mut rest: Option<Unread> = None;
        for reader in windows {
            let [rows, columns] = left_out([height, width], self.graph.nodes.get(*reader)?, work)?;
            rest = Some(match rest {
                Some([a, b]) => [both(&a, &rows), both(&b, &columns)],
                None => [rows, columns],
            });
            if rest.as_ref()?.iter().all(Vec::is_empty) {
                return None;
            }
        }
        Some((*windows.first()?, rest?))
    }

    fn unread_pixels(&mut self, id: usize, [rows, columns]: &Unread) {
        let Some(node) = self.graph.nodes.get(id) else { return };
        let Some(from) = node.inputs.first().and_then(|input| self.graph.nodes.get(*input)) else { return };
        let Extent::Windows { kernel, stride, .. } = node.op.extent() else { return };
        let [_, height, width] = from.shape.chw();
        let Some(sizes) = known([height, width]) else { return };
        let what: Vec<String> = [(rows, "row", sizes[0]), (columns, "column", sizes[1])]
            .into_iter()
            .filter_map(|(ranges, word, size)| described(ranges, word, size))
            .collect();
        let text = format!(
            "{} and {} leave {} of {}x{} unread",
            pair("kernel", kernel),
            pair("stride", stride),
            what.join(" and "),
            sizes[0],
            sizes[1]
        );
        let fix = fix(node, sizes);
        self.report(&lint::UNREAD_PIXELS, id, &["stride", "kernel", "size"], text, fix);
    }
}

fn pair(word: &str, [h, w]: [usize; 2]) -> String {
    if h == w { format!("{word} {h}") } else { format!("{word} ({h}, {w})") }
}

fn known(dims: [Dim; 2]) -> Option<[u64; 2]> {
    Some([dims[0].known()?, dims[1].known()?])
}

/// `the last row`, `the last 2 columns`, `14 of 28 rows (1, 3, 5, ...)`.
fn described(ranges: &[Range<u64>], word: &str, size: u64) -> Option<String> {
    let count: u64 = ranges.iter().map(|range| range.end - range.start).sum();
    match ranges {
        [] => None,
        [one] if one.end == size && count == 1 => Some(format!("the last {word}")),
        [one] if one.end == size => Some(format!("the last {count} {word}s")),
        ranges => {
            let mut places = ranges.iter().cloned().flatten();
            let shown: Vec<String> = places.by_ref().take(3).map(|place| place.to_string()).collect();
            let dots = if places.next().is_some() { ", ..." } else { "" };
            Some(format!("{count} {word}s ({}{dots})", shown.join(", ")))
        }
    }
}

/// The rows and columns of a map that the windows of a node leave out.
fn left_out(map: [Dim; 2], node: &Node, work: &mut u64) -> Option<Unread> {
    let Extent::Windows { kernel, stride, pad, dilation } = node.op.extent() else { return None };
    let [_, height, width] = node.shape.chw();
    let outputs = known([height, width])?;
    let map = known(map)?;
    let before = [pad.top, pad.left];
    let side = |i: usize, work: &mut u64| {
        let taps = Taps { kernel: large(kernel[i]), stride: large(stride[i]), dilation: large(dilation[i]) };
        unread(map[i], large(before[i]), taps, outputs[i], work)
    };
    Some([side(0, work)?, side(1, work)?])
}

fn large(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// What makes a layer read all of its map, which is tried.
fn fix(node: &Node, map: [u64; 2]) -> String {
    let Extent::Windows { kernel, stride, pad, dilation } = node.op.extent() else { return String::new() };
    let spans = [0, 1].map(|i| shape::span(large(kernel[i]), large(dilation[i])).unwrap_or(0));
    let reads_all = |outputs: &dyn Fn(usize) -> Result<u64, DoesNotFit>, before: [usize; 2]| {
        (0..2).all(|i| {
            let taps = Taps { kernel: large(kernel[i]), stride: large(stride[i]), dilation: large(dilation[i]) };
            let rest = outputs(i).ok().and_then(|n| unread(map[i], large(before[i]), taps, n, &mut WORK.clone()));
            rest.is_some_and(|rest| rest.is_empty())
        })
    };
    let (before, after) = ([pad.top, pad.left], [pad.bottom, pad.right]);
    let is_pool = matches!(node.op, Op::Pool(_));
    let rounded = |i: usize| shape::windows_ceil(map[i], large(before[i]), large(after[i]), spans[i], large(stride[i]));
    if is_pool && reads_all(&rounded, before) {
        return "add `ceil`, for windows that reach over the edge".into();
    }
    // What other layers are padded by stands before them.
    let is_even = pad == Pad { top: pad.top, bottom: pad.top, left: pad.top, right: pad.top };
    let most = match (is_pool, matches!(node.op, Op::Conv(_)) && is_even) {
        (true, _) => kernel[0].min(kernel[1]) / 2,
        (_, true) => pad.top + 16,
        (false, false) => 0,
    };
    let padded = |pad: usize| {
        let outputs = |i: usize| shape::windows(map[i], large(pad), large(pad), spans[i], large(stride[i]));
        reads_all(&outputs, [pad, pad])
    };
    if let Some(pad) = (pad.top + 1..=most).find(|pad| padded(*pad)) {
        return format!("use `pad = {pad}`");
    }
    match (0..2).find(|i| kernel[*i] < stride[*i]) {
        Some(i) => format!("use kernel >= {}, as large as the stride", stride[i]),
        None if dilation != [1, 1] => "use `dilation = 1`, or another stride".into(),
        None => {
            let [rows, columns] = [0, 1].map(|i| missing(map[i] + large(before[i]), spans[i], large(stride[i])));
            format!("put `pad((0, {rows}, 0, {columns}));` before it, or use an input of another size")
        }
    }
}

/// So many pixels more, and the last window would fit once more.
fn missing(padded: u64, span: u64, stride: u64) -> u64 {
    (stride - padded.saturating_sub(span) % stride) % stride
}
