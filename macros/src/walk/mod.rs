//! Walks over the statements of a network and builds its nodes: layers in order, blocks filled in, repeats unrolled,
//! branches merged.
//!
//! The walk keeps one current value. A residual or a concatenation walks each of its branches from the value before it and
//! makes the merging node the current one. Names are those of the module tree: a sequence or an instance of a block is a
//! level of it, structures are not.

mod blocks;
mod branches;
mod outside;

use crate::ast::{Block, Layer, Network, Statement};
use crate::catalog;
use crate::check::show;
use crate::cost::{Count, Dim};
use crate::graph::{self, Member, MemberKind, Node, Shape};
use crate::layers;
use crate::report::{Errors, did_you_mean};
use crate::values::{Args, SIZE, Scope, condition};
use proc_macro2::{Ident, TokenStream};
use quote::quote;

/// A network in the making.
pub struct Checker<'a, 'e> {
    pub network: &'a Network,
    blocks: &'a [Block],
    pub errors: &'e mut Errors,
    pub nodes: Vec<Node>,
    pub heads: Vec<graph::Head>,
    at: At,
    /// The parameters of the block that is being filled in.
    locals: Vec<(String, Dim)>,
    /// Blocks that are being filled in.
    depth: usize,
}

/// The value that the next layer reads.
#[derive(Clone, Copy)]
struct At {
    node: usize,
    /// Height and width of the map that the value comes from, until a layer that sees all of it.
    spread: [Dim; 2],
}

/// The members of one level of the module tree.
#[derive(Default)]
struct Level<'a> {
    path: String,
    members: Vec<Member>,
    names: Vec<&'a Ident>,
}

/// More nodes than this are a mistake in a count.
const NODES: usize = 20_000;

impl<'a, 'e> Checker<'a, 'e> {
    pub fn new(network: &'a Network, blocks: &'a [Block], errors: &'e mut Errors) -> Self {
        let at = At { node: 0, spread: [Dim::Known(1); 2] };
        let (nodes, heads, locals) = (Vec::new(), Vec::new(), Vec::new());
        Checker { network, blocks, errors, nodes, heads, at, locals, depth: 0 }
    }

    pub fn input(&mut self, shape: Shape) {
        let [_, height, width] = shape.chw();
        self.at.spread = [height, width];
        let field = [Count::number(1), Count::number(1)];
        self.nodes.push(plain("input".into(), quote!(Input), "input", Vec::new(), shape, field, [1, 1]));
    }

    /// The node of the current value.
    pub fn current(&self) -> usize {
        self.at.node
    }

    /// The shape of the current value.
    pub fn shape(&self) -> Shape {
        self.nodes.get(self.at.node).map_or(Shape::Unknown, |node| node.shape)
    }

    /// A shape in words: `[16, 5, 5]`.
    pub fn show(&self, shape: Shape) -> String {
        show(shape, self.network)
    }

    /// Walks the body of the struct.
    pub fn root(&mut self, body: &'a [Statement]) -> Vec<Member> {
        let mut level = Level::default();
        self.body(body, &mut level);
        level.members
    }

    fn body(&mut self, body: &'a [Statement], level: &mut Level<'a>) {
        for statement in body {
            self.statement(statement, level);
        }
    }

    fn statement(&mut self, statement: &'a Statement, level: &mut Level<'a>) {
        if self.nodes.len() > NODES {
            if self.nodes.len() == NODES + 1 {
                self.errors.on(&self.network.name, format!("more than {NODES} layers; is a `repeat` too large?"));
                self.node(plain_unknown("...".into(), self.at.node));
            }
            return;
        }
        match statement {
            Statement::Layer(layer) => self.named(layer.name.as_ref(), level, |checker, path| checker.one(layer, path)),
            Statement::Sequence(sequence) => {
                self.named(Some(&sequence.name), level, |checker, path| Some(checker.inner(&sequence.body, path)))
            }
            Statement::Repeat(repeat) => self.repeat(repeat, level),
            Statement::If(choice) => match self.condition(&choice.condition) {
                Some(true) => self.body(&choice.then, level),
                Some(false) => self.body(&choice.otherwise, level),
                None => {}
            },
            Statement::Residual(residual) => self.residual(residual, level),
            Statement::Concat(concat) => self.concat(concat, level),
            Statement::Group(group) => {
                self.errors.at(group.brace, "a sequence needs a name: `name: { ... }`");
                self.body(&group.body, level);
            }
            Statement::Head(head) => self.head(head, level),
            Statement::Custom(custom) => self.custom(custom, level),
            Statement::Assert(budgets) => {
                if let Some(budget) = budgets.first().filter(|_| !level.path.is_empty() || self.depth > 0) {
                    let message = "`assert` is about the whole network; put it beside its layers, not into a sequence";
                    self.errors.on(&budget.what, message);
                }
            }
        }
    }

    /// A level of its own.
    fn inner(&mut self, body: &'a [Statement], path: String) -> MemberKind {
        let mut level = Level { path, ..Level::default() };
        self.body(body, &mut level);
        MemberKind::Sequence(level.members, self.at.node)
    }

    /// Adds a member with its name, or its index where it has none.
    fn named(
        &mut self,
        name: Option<&'a Ident>,
        level: &mut Level<'a>,
        make: impl FnOnce(&mut Self, String) -> Option<MemberKind>,
    ) {
        let mut clash = false;
        if let Some(name) = name {
            clash = level.names.contains(&name);
            if clash {
                self.errors.on(name, format!("`{name}` is used twice; parameters need names of their own"));
            }
            level.names.push(name);
        }
        let key = name.map_or_else(|| level.members.len().to_string(), ToString::to_string);
        let path = if level.path.is_empty() { key.clone() } else { format!("{}.{key}", level.path) };
        if let Some(kind) = make(self, path).filter(|_| !clash) {
            level.members.push(Member { key, name: name.cloned(), kind });
        }
    }

    // --- blocks and structures ----------------------------------------------------------------------------------------

    fn condition(&mut self, expr: &syn::Expr) -> Option<bool> {
        let locals = self.locals.clone();
        let scope = Scope { symbols: &self.network.symbols, shape: self.shape(), locals: &locals, largest: SIZE };
        condition(expr, &scope, self.errors)
    }

    /// A layer or an instance of a block.
    fn one(&mut self, layer: &'a Layer, path: String) -> Option<MemberKind> {
        match self.blocks.iter().find(|block| block.name == layer.word) {
            Some(block) => self.instance(layer, block, path),
            None if layer.word == "squeeze_excite" => self.squeeze_excite(layer, path),
            None => self.layer(layer, &path).map(MemberKind::Layer),
        }
    }

    // --- layers -------------------------------------------------------------------------------------------------------

    /// Appends a node and makes it the current one.
    fn node(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.at.node = self.nodes.len() - 1;
        self.at.node
    }

    /// Appends a layer's node and returns its index; `None` where the word is not known.
    fn layer(&mut self, layer: &Layer, path: &str) -> Option<usize> {
        let Some(word) = catalog::find(&layer.word.to_string()) else {
            self.unknown_word(layer);
            // After a layer that is not known, nothing is.
            self.node(plain_unknown(path.to_string(), self.at.node));
            return None;
        };
        let shape = self.shape();
        let locals = self.locals.clone();
        let scope = Scope { symbols: &self.network.symbols, shape, locals: &locals, largest: SIZE };
        let trace = self.trace();
        let args = Args::new(layer, word, &scope, self.errors);
        let (network, spread) = (self.network, self.at.spread);
        let context = layers::Context { layer, args: &args, shape, network, locals: &locals, trace, spread };
        let draft = layers::draft(word.name, &context, self.errors);
        let (mut field, mut jump) = match self.nodes.get(self.at.node) {
            Some(node) => (node.receptive_field.clone(), node.jump),
            None => Default::default(),
        };
        for dimension in 0..2 {
            // A window of `span` elements reaches `span - 1` steps of the old jump further.
            let steps = draft.span[dimension].plus(&Count::number(-1));
            field[dimension] = field[dimension].plus(&steps.times(&Count::number(i128::from(jump[dimension]))));
            let stretched = jump[dimension].saturating_mul(draft.stride[dimension]);
            // Enlarging brings elements closer together; below a pixel they count as one apart.
            jump[dimension] = (stretched / draft.up[dimension].max(1)).max(1);
        }
        self.at.spread = draft.spread;
        Some(self.node(Node {
            name: path.to_string(),
            word: Some(layer.word.clone()),
            op: draft.op,
            label: draft.label,
            inputs: vec![self.at.node],
            shape: draft.shape,
            params: draft.params,
            macs: draft.macs,
            receptive_field: field,
            jump,
            module: draft.module,
        }))
    }

    fn unknown_word(&mut self, layer: &Layer) {
        let word = layer.word.to_string();
        let blocks: Vec<String> = self.blocks.iter().map(|block| block.name.to_string()).collect();
        let known: Vec<&str> =
            catalog::WORDS.iter().map(|word| word.name).chain(blocks.iter().map(String::as_str)).collect();
        let hint = did_you_mean(&word, known.iter().copied());
        let hint = if hint.is_empty() { format!("\n  layers: {}", known.join(", ")) } else { hint };
        self.errors.on(&layer.word, format!("no layer is called `{word}`{hint}"));
    }

    /// The last shapes with the layers that made them.
    pub fn trace(&self) -> String {
        self.trace_from(self.at.node)
    }

    fn trace_from(&self, end: usize) -> String {
        let mut path = vec![end];
        while let Some(before) = path.last().and_then(|id| self.nodes.get(*id)).and_then(|node| node.inputs.first()) {
            path.push(*before);
        }
        let mut steps: Vec<String> = Vec::new();
        let mut last = None;
        for node in path.iter().rev().filter_map(|id| self.nodes.get(*id)) {
            if last != Some(node.shape) {
                let word = node.word.as_ref().map_or_else(|| node.label.clone(), ToString::to_string);
                // An index says nothing to someone who looks for the line.
                let unnamed =
                    node.name.rsplit('.').next().is_some_and(|key| key.starts_with(|c: char| c.is_ascii_digit()));
                let name = if unnamed { word } else { node.name.clone() };
                steps.push(format!("{name} {}", self.show(node.shape)));
            }
            last = Some(node.shape);
        }
        let skipped = steps.len().saturating_sub(4);
        let dots = if skipped > 0 { "... -> " } else { "" };
        let shown: Vec<String> = steps.into_iter().skip(skipped).collect();
        format!("{dots}{}", shown.join(" -> "))
    }
}

/// A node without parameters.
fn plain(
    name: String,
    op: TokenStream,
    label: &str,
    inputs: Vec<usize>,
    shape: Shape,
    receptive_field: [Count; 2],
    jump: [u64; 2],
) -> Node {
    let (params, macs, label) = (Vec::new(), Count::default(), label.to_string());
    Node { name, word: None, op, label, inputs, shape, params, macs, receptive_field, jump, module: None }
}

/// What stands for a layer after an error.
fn plain_unknown(name: String, input: usize) -> Node {
    let field = [Count::number(1), Count::number(1)];
    plain(name, quote!(Flatten), "?", vec![input], Shape::Unknown, field, [1, 1])
}
