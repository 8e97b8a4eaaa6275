//! What is allowed in a network and is seldom meant: the rules of the table in [`crate::lint`].
//!
//! They look at a checked network of the language and not at the graph that executors read. Which lints are off, where a layer is
//! written, and that a padding is `same`, is of the declaration, and a graph with all of that would be another one for each comment in it.
//! What is found is text, for rustc, for drawings and for the table. A size that is a const generic is not known here, and nothing is
//! said about it.
//!
//! A layer is *right before* another one where that is the only one that reads it.

mod pixels;
mod reading;

use crate::ast::Network;
use crate::cost::{Count, Dim};
use crate::graph::{Graph, Node, Shape};
use crate::lint::{self, Lint, Lints};
use crate::trace::{called, trace};
use crate::words;
use convnet_graph::{Category, Extent, Op};
use proc_macro2::Span;
use reading::Reading;
use std::collections::BTreeMap;
use syn::spanned::Spanned;

/// Something that a lint has found.
pub struct Finding {
    /// What has found it.
    pub lint: &'static Lint,
    /// The token at fault.
    pub place: Span,
    /// Path of the layer.
    pub layer: String,
    /// What it is called where it can be seen.
    called: String,
    /// What is found, in numbers.
    text: String,
    /// The way to it, where sizes matter.
    trace: Option<String>,
    fix: String,
    /// How many more layers are written at that place and have it, too.
    more: usize,
}

impl Finding {
    /// All that there is to say, a line each.
    fn message(&self, fix: &str, place: &str) -> String {
        let Finding { called, text, lint: Lint { name, .. }, .. } = self;
        let trace = self.trace.as_ref().map_or(String::new(), |trace| format!("\n  trace: {trace}"));
        let more = match self.more {
            0 => String::new(),
            1 => "\n  another layer that is written here has it, too".into(),
            more => format!("\n  {more} more layers that are written here have it, too"),
        };
        format!("`{called}`: {text}{more}{trace}\n  fix: {fix}\n  off: write `#[allow({name})]` before the {place}")
    }

    /// The message of a layer that the reader has written.
    pub fn on_layer(&self) -> String {
        let is_header = self.lint == &lint::CHANNELS_LAST;
        self.message(&self.fix, if is_header { "struct" } else { "layer" })
    }

    /// The message of a network whose layers another one has written.
    pub fn on_struct(&self) -> String {
        self.message("use an input of another size", "struct")
    }

    /// One line for the table of layers.
    pub fn note(&self) -> String {
        let more = if self.more > 0 { format!(" (and {} more)", self.more) } else { String::new() };
        format!("{}{more}: {} ({})", self.layer, self.text, self.lint.name)
    }
}

/// What the lints find in a network without errors, one for each place that is written.
pub fn find(graph: &Graph, network: &Network) -> Vec<Finding> {
    let mut rules = Rules { reading: Reading::of(graph), graph, network, found: BTreeMap::new(), list: Vec::new() };
    rules.order();
    rules.windows();
    (0..graph.nodes.len()).for_each(|id| rules.node(id));
    rules.output();
    rules.list
}

struct Rules<'a> {
    graph: &'a Graph,
    network: &'a Network,
    reading: Reading,
    /// Where each place of a lint is in the list.
    found: BTreeMap<(&'static str, String), usize>,
    list: Vec<Finding>,
}

impl Rules<'_> {
    fn node(&mut self, id: usize) {
        let Some(node) = self.graph.nodes.get(id) else { return };
        self.activations(id, node);
        self.bias(id, node);
        self.even_same(id, node);
        self.named(id, node);
        self.momentum(id, node);
        self.branches(node);
        if matches!(node.op, Op::Dropout { p, .. } if p > 0.0)
            && let Some(norm) = self.norm_after(id)
        {
            let text = format!(
                "dropout before the batch normalisation `{}`, whose running variance will not be that of evaluation",
                called(norm)
            );
            self.report(&lint::DROPOUT_BEFORE_NORM, id, &[], text, "put dropout after the last `batch_norm`".into());
        }
    }

    /// An activation of an activation.
    fn activations(&mut self, id: usize, node: &Node) {
        let before = node.inputs.first().filter(|input| self.reading.only(**input) == Some(id));
        let Some(before) = before.and_then(|input| self.graph.nodes.get(*input)) else { return };
        if [before, node].into_iter().all(|node| node.op.category() == Category::Activation) {
            let text = format!("a second activation, right after `{}`", before.op.word());
            self.report(&lint::STACKED_ACTIVATIONS, id, &[], text, lint::STACKED_ACTIVATIONS.fix.into());
        }
    }

    /// A bias that a batch normalisation takes away.
    fn bias(&mut self, id: usize, node: &Node) {
        let weighted = matches!(node.op.category(), Category::Conv | Category::Linear);
        if !weighted || !node.params.iter().any(|param| param.name == "bias") {
            return;
        }
        let mut next = self.reading.only(id).and_then(|next| self.graph.nodes.get(next).map(|node| (next, node)));
        while let Some((at, Node { op: Op::Flatten | Op::Identity, .. })) = next {
            next = self.reading.only(at).and_then(|next| self.graph.nodes.get(next).map(|node| (next, node)));
        }
        if let Some((_, norm @ Node { op: Op::BatchNorm { .. }, .. })) = next {
            let text = format!("its bias does nothing: `{}` subtracts the mean, and the bias with it", called(norm));
            self.report(&lint::BIAS_BEFORE_NORM, id, &["bias"], text, "write `bias = false`".into());
        }
    }

    /// A name that is the word of another layer.
    fn named(&mut self, id: usize, node: &Node) {
        let name = node.name.rsplit('.').next().unwrap_or_default();
        let word = node.op.word();
        if words::find(name).is_some() && name != word && node.written.named {
            let text = format!("a `{word}` that is called `{name}`, which is the word of another layer");
            let fix = format!("write `;` for the `:` if both are meant: `{name}; {word}...;`");
            self.report(&lint::NAMED_LIKE_A_LAYER, id, &[], text, fix);
        }
    }

    /// The weight of the old statistics for that of the new batch.
    fn momentum(&mut self, id: usize, node: &Node) {
        if let Op::BatchNorm { momentum, .. } = node.op
            && momentum > 0.5
            && momentum < 1.0
        {
            let text = format!("momentum {momentum} is the weight of the new batch, and not of the old statistics");
            let fix = format!("write `momentum = {}`", ((1.0 - momentum) * 1e6).round() / 1e6);
            self.report(&lint::OLD_MOMENTUM, id, &["momentum"], text, fix);
        }
    }

    /// The first branch of a concatenation that was to be a part of the one before it.
    fn branches(&mut self, node: &Node) {
        if !matches!(node.op, Op::Concat) {
            return;
        }
        let is_lone = |id: &usize| {
            self.graph.nodes.get(*id).is_some_and(|node| {
                let category = node.op.category();
                node.written.bare_branch && matches!(category, Category::Activation | Category::Norm)
            })
        };
        if let Some(id) = node.inputs.iter().copied().find(is_lone) {
            let text = "a branch of its own: it gets what goes into the layer before it, and not what comes out".into();
            let fix = "write `{ conv(...); relu; }` for a branch of several layers".into();
            self.report(&lint::LONE_BRANCH, id, &[], text, fix);
        }
    }

    /// `[H, W, C]`
    fn order(&mut self) {
        // No layer has it, so that it is switched off at the struct.
        let allowed: Lints = self.network.allowed.iter().collect();
        let input = self.graph.nodes.first().map(|node| node.shape).filter(|_| !allowed.has(&lint::CHANNELS_LAST));
        let Some(Shape::Map([Dim::Known(first), Dim::Known(second), Dim::Known(third)])) = input else { return };
        if first == second && first >= 8 && matches!(third, 1 | 3 | 4) {
            let text = format!("an input of {first} channels of {second}x{third} pixels; shapes are [C, H, W]");
            let fix = format!("write `[{third}, {first}, {second}]` for the input");
            self.report_at(&lint::CHANNELS_LAST, 0, header(self.network), text, fix);
        }
    }

    /// `same` with more padding after the map than before it.
    fn even_same(&mut self, id: usize, node: &Node) {
        let (true, Extent::Windows { kernel: [kh, kw], pad, .. }) = (node.written.same, node.op.extent()) else {
            return;
        };
        let uneven = [(kh, pad.top, pad.bottom), (kw, pad.left, pad.right)]
            .into_iter()
            .find(|(kernel, before, after)| kernel % 2 == 0 && before != after);
        if let Some((kernel, before, after)) = uneven {
            let text = format!("kernel {kernel} with `same` pads {before} before and {after} after, half a pixel off");
            let fix = format!("use `kernel = {}`", kernel + 1);
            self.report(&lint::EVEN_KERNEL_SAME, id, &["kernel"], text, fix);
        }
    }

    /// The batch normalisation that a dropout's values come to, through layers that nobody else reads.
    fn norm_after(&self, id: usize) -> Option<&Node> {
        let mut at = id;
        loop {
            at = self.reading.only(at)?;
            let node = self.graph.nodes.get(at)?;
            match node.op.category() {
                Category::Norm if matches!(node.op, Op::BatchNorm { .. }) => return Some(node),
                // Another normalisation makes the variance the same again.
                Category::Norm | Category::Merge => return None,
                Category::Other if node.is_custom() => return None,
                Category::Conv | Category::Pool | Category::Activation | Category::Linear | Category::Other => {}
            }
        }
    }

    /// What the network ends with.
    fn output(&mut self) {
        let end = self.graph.output_node;
        let (Some(node), Some(input)) = (self.graph.nodes.get(end), self.graph.nodes.first()) else { return };
        if matches!(node.op, Op::Softmax | Op::LogSoftmax) && matches!(node.shape, Shape::Vector(_)) {
            let text = match matches!(node.op, Op::LogSoftmax) {
                true => "the trainer's loss applies `log_softmax` itself; a second one changes nothing",
                false => "the trainer's loss applies a softmax itself; with a second one the gradients become small",
            };
            let fix = "end with the layer before it: `convnet predict` gives probabilities all the same".into();
            self.report(&lint::SOFTMAX_BEFORE_LOSS, end, &[], text.into(), fix);
        }
        let Shape::Map([_, height, width]) = input.shape else { return };
        let [field_h, field_w] = node.receptive_field.each_ref().map(number);
        let (Some(field_h), Some(field_w), Dim::Known(height), Dim::Known(width)) = (field_h, field_w, height, width)
        else {
            return;
        };
        // One window alone is a filter, which is meant to see a neighbourhood.
        let is_window = |node: &&Node| matches!(node.op.extent(), Extent::Windows { kernel, .. } if kernel != [1, 1]);
        let is_filter = self.graph.nodes.iter().filter(is_window).count() < 2;
        if (field_h < height || field_w < width) && !is_filter && !self.reading.sees_all(self.graph, end) {
            let text = format!(
                "an output sees {field_h}x{field_w} pixels of an input of {height}x{width}, and no layer sees the whole map"
            );
            let fix = "add layers, strides, pools or dilation, or end with `global_avg_pool`".into();
            self.report(&lint::NARROW_RECEPTIVE_FIELD, end, &[], text, fix);
        }
    }

    /// Keeps what was found, unless it is allowed, or has been found at the same place; `args` are where it is best shown.
    fn report(&mut self, lint: &'static Lint, id: usize, args: &[&str], text: String, fix: String) {
        if let Some(place) = self.graph.nodes.get(id).map(|node| node.written.place(args)) {
            self.report_at(lint, id, place, text, fix);
        }
    }

    fn report_at(&mut self, lint: &'static Lint, id: usize, place: Span, text: String, fix: String) {
        let Some(node) = self.graph.nodes.get(id).filter(|node| !node.written.allowed.has(lint)) else { return };
        if let Some(known) = self.found.get(&(lint.name, format!("{place:?}"))) {
            if let Some(finding) = self.list.get_mut(*known) {
                finding.more += 1;
            }
            return;
        }
        self.found.insert((lint.name, format!("{place:?}")), self.list.len());
        let from = node.inputs.first().filter(|_| lint.by_size);
        let trace = from.map(|from| trace(&self.graph.nodes, *from, self.network));
        let (layer, called) = (node.name.clone(), called(node));
        self.list.push(Finding { lint, place, layer, called, text, trace, fix, more: 0 });
    }
}

/// A count that does not depend on a const generic.
fn number(count: &Count) -> Option<u64> {
    u64::try_from(count.evaluate(|_| None)?).ok()
}

/// The place of a network's input in its header, for what follows from its size.
pub fn header(network: &Network) -> Span {
    network.input.first().map_or_else(|| network.name.span(), Spanned::span)
}
