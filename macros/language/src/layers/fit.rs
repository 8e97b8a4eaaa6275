//! Windows that do not fit into what is left of a map: what is wrong, and what to write so that they do. A fix in another layer is computed
//! through all layers up to this one, or not proposed.

use super::{Context, Window};
use crate::chain::{self, Change, is_same_place};
use crate::cost::Dim;
use crate::graph::Node;
use crate::report::Errors;
use crate::shape::{span, windows};
use crate::trace::called;
use convnet_graph::{Extent, Op};
use proc_macro2::TokenStream;
use quote::quote;
use syn::Expr;

/// A layer before this one that leaves too little of a map by itself.
struct Cause<'a> {
    node: &'a Node,
    /// What is said of it.
    what: String,
    fix: Option<String>,
    /// Whether nothing is wrong with the layer whose windows do not fit.
    alone: bool,
}

impl Context<'_> {
    /// The header's input and how to write it, if its channels seem to come last, as in Keras.
    fn channels_last(&self) -> Option<(TokenStream, String)> {
        let number = |expr: &Expr| match expr {
            Expr::Lit(syn::ExprLit { lit: syn::Lit::Int(n), .. }) => n.base10_parse::<u64>().ok(),
            _ => None,
        };
        let dims = &self.network.input;
        match dims.iter().map(number).collect::<Option<Vec<u64>>>()?[..] {
            [h, w, c @ 1..=4] if h > 4 && w > 4 => {
                let message = format!("the input is {h} channels of {w}x{c}; shapes are [C, H, W]");
                Some((quote!(#(#dims),*), format!("{message}\n  fix: write `[{c}, {h}, {w}]`")))
            }
            _ => None,
        }
    }

    /// Reports windows of which not one fits.
    pub(super) fn too_large(&self, errors: &mut Errors, dimension: usize, input: u64, given: &Window) {
        if let Some((place, message)) = self.channels_last() {
            return errors.bare(place, message);
        }
        let (before, after) = given.pad[dimension];
        let (kernel, dilation) = (given.kernel[dimension], given.dilation[dimension]);
        let span = span(kernel, dilation).unwrap_or(u64::MAX);
        let along = ["height", "width"].get(dimension).copied().unwrap_or("size");
        let what = match dilation {
            1 => format!("kernel {kernel}"),
            dilation => format!("kernel {kernel} with dilation {dilation} (covers {span})"),
        };
        let cause = self.cause(given);
        if let Some(Cause { node, what: cause, fix: Some(fix), alone: true }) = &cause {
            let message = format!(
                "{cause}, into which {what} of {} does not fit\n  trace: {}\n  fix: {fix}",
                self.name(),
                self.trace()
            );
            return errors.at(node.written.place(&["kernel"]), message);
        }
        let (because, fix) = match cause {
            Some(Cause { what, fix: Some(fix), .. }) => (format!("\n  {what}"), fix),
            _ => (String::new(), self.fitting(dimension, input, given)),
        };
        let message = format!(
            "{}: {what} does not fit into {along} {input} (pad {before} + {after}): {input} + {before} + {after} - {span} < 0{because}\n  \
             trace: {}\n  fix: {fix}",
            self.name(),
            self.trace(),
        );
        // On the dimension's own number where the kernel was given as (height, width).
        match self.args.expr("kernel") {
            Some(Expr::Tuple(tuple)) if tuple.elems.len() == 2 => {
                errors.on(tuple.elems.iter().nth(dimension), message);
            }
            Some(_) => self.args.fault("kernel", errors, message),
            None => self.args.fault(if dilation > 1 { "dilation" } else { "size" }, errors, message),
        }
    }

    /// What to write in this layer so that its windows fit.
    fn fitting(&self, dimension: usize, input: u64, given: &Window) -> String {
        let [_, height, width] = self.shape.chw();
        let sizes = [height, width];
        // One number is for both dimensions.
        let is_alone = |name: &str| matches!(self.args.expr(name), Some(Expr::Tuple(_)));
        let both = |name: &str| if is_alone(name) { vec![dimension] } else { vec![0, 1] };
        let padded = |dimension: usize| {
            let (before, after) = given.pad[dimension];
            let size = if let Dim::Known(size) = sizes[dimension] { size } else { input };
            size.saturating_add(before).saturating_add(after)
        };
        let most = |dimension: usize| padded(dimension).saturating_sub(1) / given.dilation[dimension].max(1) + 1;
        let most = both("kernel").into_iter().map(most).min().unwrap_or(1);
        if given.pools {
            // A window of one pixel pools nothing.
            return match most {
                1 => format!("leave this pool out, or keep the map larger before it{}", self.unpadded(given)),
                most => format!("use kernel <= {most}"),
            };
        }
        let (before, after) = given.pad[dimension];
        let (stride, dilation) = (given.stride[dimension], given.dilation[dimension]);
        let along = ["height", "width"].get(dimension).copied().unwrap_or("size");
        let left = span(most, dilation).and_then(|span| windows(input, before, after, span, stride).ok()).unwrap_or(1);
        let largest =
            |dimension: usize| padded(dimension).saturating_sub(1) / given.kernel[dimension].saturating_sub(1).max(1);
        let dilation = match both("dilation").into_iter().map(largest).min().unwrap_or(0) {
            largest if given.dilation[dimension] > 1 && largest > 0 => format!(", or dilation <= {largest}"),
            _ => String::new(),
        };
        let span = span(given.kernel[dimension], given.dilation[dimension]).unwrap_or(u64::MAX);
        let missing = span.saturating_sub(padded(dimension));
        let keeps = (span - 1) / 2;
        let pad = match stride == 1 && span % 2 == 1 && before == after {
            true => format!("`pad = {keeps}`, which keeps {input}"),
            false => format!("pad >= {}", before.max(after) + missing.div_ceil(2)),
        };
        // What is left says why a smaller one may be better still.
        format!("use kernel <= {most}, which leaves a {along} of {left}{dilation}, or {pad}")
    }

    /// Whether the windows fit into a map of this height and width.
    fn fits(given: &Window, size: [u64; 2]) -> bool {
        (0..2).all(|dimension| {
            let (before, after) = given.pad[dimension];
            let span = span(given.kernel[dimension], given.dilation[dimension]);
            span.is_some_and(|span| windows(size[dimension], before, after, span, 1).is_ok())
        })
    }

    /// The padding that layers before this one lack, with which it fits, as the end of a fix.
    fn unpadded(&self, given: &Window) -> String {
        let chain = chain::before(self.way.0, None, self.way.1);
        let padded = chain::padded(self.way.0, &chain, |size| Self::fits(given, size));
        padded.map_or(String::new(), |padded| format!(": write {padded}"))
    }

    /// The last layer with windows before this one, if it leaves so little of a map that it was hardly meant.
    fn cause(&self, given: &Window) -> Option<Cause<'_>> {
        let nodes = self.way.0;
        let chain = chain::before(nodes, None, self.way.1);
        let last = chain.iter().rposition(|node| matches!(node.op.extent(), Extent::Windows { .. }))?;
        let (node, chain) = (*chain.get(last)?, chain.get(last..)?);
        let Extent::Windows { kernel, stride, dilation, .. } = node.op.extent() else { return None };
        let from @ [height, width] = chain::into(nodes, chain)?;
        let works = |change: Change| {
            let is_once = chain.iter().filter(|other| is_same_place(other, node)).count() == 1;
            let size = chain::out_of(chain, from, &[(node, change)]);
            is_once && size.is_some_and(|size| Self::fits(given, size))
        };
        let [_, Dim::Known(oh), Dim::Known(ow)] = node.shape.chw() else { return None };
        let name = called(node);
        let covers = span(kernel[0] as u64, dilation[0] as u64)?;
        let is_written = |name: &str| node.written.args.iter().any(|(given, _)| *given == name);
        let stride = stride[0] as u64;
        if is_written("stride") && stride > covers {
            let what = format!(
                "`stride = {stride}` in `{name}` is larger than its kernel, and leaves {oh}x{ow} of {height}x{width}"
            );
            let fix = (1..=covers).rev().find(|stride| works(Change::Stride(*stride)));
            let fix = fix.map(|stride| format!("write `stride = {stride}` in `{name}`, or a smaller one"));
            return Some(Cause { node, what, fix, alone: false });
        }
        let is_pool = matches!(node.op, Op::Pool(_)) && !is_written("stride") && !is_written("pad");
        if is_pool && kernel[0] == kernel[1] && [oh, ow] == [1, 1] && height >= 8 && width >= 8 {
            let what = format!("`{name}`: kernel {} leaves 1x1 of {height}x{width}", kernel[0]);
            let fix = (2..kernel[0] as u64).rev().find(|window| works(Change::Window(*window)));
            let fix = fix.map(|window| format!("use kernel <= {window}"));
            return Some(Cause { node, what, fix, alone: true });
        }
        None
    }
}
