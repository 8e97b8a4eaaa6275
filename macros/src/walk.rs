//! Walks over the statements of a network and builds its nodes: layers in order, blocks filled in, repeats unrolled,
//! branches merged.
//!
//! The walk keeps one current value. A residual or a concatenation walks each of its branches from the value before it and
//! makes the merging node the current one. Names are those of the module tree: a sequence or an instance of a block is a
//! level of it, structures are not.

use crate::ast::{Block, Concat, Custom, Head, HeadBody, Layer, Network, Repeat, Residual, Statement};
use crate::catalog;
use crate::check::{self, show, size};
use crate::cost::{Count, Dim};
use crate::graph::{self, Member, MemberKind, Node, Shape};
use crate::layers;
use crate::report::{Errors, did_you_mean, one_of};
use crate::values::{Args, SIZE, Scope, condition, evaluate, number};
use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};

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
            None => self.layer(layer, &path).map(MemberKind::Layer),
        }
    }

    /// An instance of a block: a sequence in which the block's parameters have values.
    fn instance(&mut self, layer: &'a Layer, block: &'a Block, path: String) -> Option<MemberKind> {
        if self.depth >= 16 {
            self.errors.on(&layer.word, format!("`{}` contains itself", block.name));
            return None;
        }
        let Some(values) = self.arguments(layer, block) else {
            self.node(plain_unknown(path, self.at.node));
            return None;
        };
        let shown = values.iter().map(|(name, value)| format!("{name} = {}", size(*value, self.network)));
        let shown = format!("{}({})", block.name, shown.collect::<Vec<_>>().join(", "));
        self.errors.enter(format!("`{path}`, made by `{shown}`"));
        let outer = std::mem::replace(&mut self.locals, values);
        self.depth += 1;
        let members = self.inner(&block.body, path);
        self.depth -= 1;
        self.locals = outer;
        self.errors.leave();
        Some(members)
    }

    /// The values of a block's parameters.
    fn arguments(&mut self, layer: &Layer, block: &Block) -> Option<Vec<(String, Dim)>> {
        let names: Vec<String> = block.params.iter().map(|param| param.name.to_string()).collect();
        let mut values: Vec<Option<Dim>> = vec![None; names.len()];
        let outer = self.locals.clone();
        let scope = Scope { symbols: &self.network.symbols, shape: self.shape(), locals: &outer, largest: SIZE };
        let mut next = 0;
        let mut complete = true;
        for arg in &layer.args {
            let index = match &arg.name {
                Some(name) => names.iter().position(|known| name == known),
                None => {
                    next += 1;
                    Some(next - 1)
                }
            };
            let place = arg.name.as_ref().map_or_else(|| arg.value.to_token_stream(), ToTokens::to_token_stream);
            match index.and_then(|index| values.get_mut(index)) {
                Some(Some(_)) => {
                    self.errors.on(place, format!("this parameter of `{}` is given twice", block.name));
                    complete = false;
                }
                Some(value) => *value = Some(evaluate(&arg.value, &scope, self.errors)),
                None => {
                    let known = one_of(names.iter().map(String::as_str)).replace(" or ", " and ");
                    let hint = arg.name.as_ref().map_or(String::new(), |name| {
                        did_you_mean(&name.to_string(), names.iter().map(String::as_str))
                    });
                    self.errors.on(place, format!("`{}` has the parameters {known}{hint}", block.name));
                    complete = false;
                }
            }
        }
        let mut bound: Vec<(String, Dim)> = Vec::new();
        for ((param, name), value) in block.params.iter().zip(names).zip(values) {
            let value = match (value, &param.default) {
                (Some(value), _) => value,
                // A default may refer to the parameters before it.
                (None, Some(default)) => {
                    let scope =
                        Scope { symbols: &self.network.symbols, shape: self.shape(), locals: &bound, largest: SIZE };
                    evaluate(default, &scope, self.errors)
                }
                (None, None) => {
                    self.errors.on(&layer.word, format!("`{}` needs `{name}`", block.name));
                    complete = false;
                    Dim::Unknown
                }
            };
            bound.push((name, value));
        }
        complete.then_some(bound)
    }

    fn repeat(&mut self, repeat: &'a Repeat, level: &mut Level<'a>) {
        let locals = self.locals.clone();
        let scope = Scope { symbols: &self.network.symbols, shape: self.shape(), locals: &locals, largest: SIZE };
        let Some(count) = number(&repeat.count, &scope, self.errors).known() else { return };
        if repeat.body.is_empty() {
            self.errors.on(&repeat.word, "there is nothing to repeat");
            return;
        }
        for _ in 0..count.min(NODES as u64) {
            self.body(&repeat.body, level);
        }
    }

    /// Walks a branch from `start` and returns where it ends.
    fn branch(&mut self, body: &'a [Statement], start: At, level: &mut Level<'a>) -> At {
        self.at = start;
        self.body(body, level);
        self.at
    }

    fn residual(&mut self, residual: &'a Residual, level: &mut Level<'a>) {
        let start = self.at;
        if residual.body.is_empty() {
            self.errors.on(&residual.word, "this residual has no layers");
            return;
        }
        let taken = residual.shortcut.as_ref().filter(|shortcut| match &shortcut.condition {
            Some(expr) => self.condition(expr) == Some(true),
            None => true,
        });
        let main = self.branch(&residual.body, start, level);
        let other = match taken {
            Some(shortcut) => self.branch(&shortcut.body, start, level),
            None => start,
        };
        self.at = main;
        let [a, b] = [main, other].map(|end| self.nodes.get(end.node).map_or(Shape::Unknown, |node| node.shape));
        let shape = if a.is_unknown() { b } else { a };
        if a != b && !a.is_unknown() && !b.is_unknown() {
            let [main_trace, other_trace] = [main, other].map(|end| self.trace_from(end.node));
            let name = if taken.is_some() { "its shortcut" } else { "the identity beside it" };
            let fix = match (taken.is_some(), a, b) {
                (false, ..) => "\n  fix: add `shortcut { conv(...); }` that makes the same change".to_string(),
                _ => format!("\n  fix: make both give {}", self.show(a)),
            };
            let message = format!(
                "this residual gives {}, but {name} gives {}; a sum needs one shape\n  residual: {main_trace}\n  \
                 shortcut: {other_trace}{fix}",
                self.show(a),
                self.show(b)
            );
            self.errors.on(&residual.word, message);
            if let Some(shortcut) = taken {
                let message = format!("this shortcut gives {}, its residual {}", self.show(b), self.show(a));
                self.errors.on(&shortcut.word, message);
            }
        }
        self.merge(level, "add", quote!(Add), vec![main.node, other.node], shape);
    }

    /// An auxiliary output: walked from the current value, which stays the current one.
    fn head(&mut self, head: &'a Head, level: &mut Level<'a>) {
        let locals = self.locals.clone();
        let scope = Scope { symbols: &self.network.symbols, shape: self.shape(), locals: &locals, largest: SIZE };
        let declared = check::shape(&head.shape, &head.name, &scope, self.errors);
        let start = self.at;
        self.named(Some(&head.name), level, |checker, path| {
            let members = match &head.body {
                HeadBody::One(layer) => checker.one(layer, path.clone()),
                HeadBody::Sequence(body) => Some(checker.inner(body, path.clone())),
            };
            let actual = checker.shape();
            if !declared.is_unknown() && !actual.is_unknown() && declared != actual {
                let what =
                    format!("`{}` is declared to give {}, but its layers give", head.name, checker.show(declared));
                let dims = &head.shape;
                checker.wrong_output(quote!(#(#dims),*), &what, declared, actual);
            }
            checker.heads.push(graph::Head { path, node: checker.at.node, shape: declared });
            members
        });
        self.at = start;
    }

    /// A module from outside, which has the shape that is declared.
    fn custom(&mut self, custom: &'a Custom, level: &mut Level<'a>) {
        let locals = self.locals.clone();
        let scope = Scope { symbols: &self.network.symbols, shape: self.shape(), locals: &locals, largest: SIZE };
        let shape = check::shape(&custom.shape, &custom.name, &scope, self.errors);
        self.named(Some(&custom.name), level, |checker, path| {
            let index = checker.nodes.iter().filter(|node| node.label == "custom").count();
            let index = proc_macro2::Literal::usize_unsuffixed(index);
            let from = checker.nodes.get(checker.at.node);
            let (field, jump) = from.map(|node| (node.receptive_field.clone(), node.jump)).unwrap_or_default();
            let input = vec![checker.at.node];
            let node = checker.node(plain(path, quote!(Custom(#index)), "custom", input, shape, field, jump));
            let [_, height, width] = shape.chw();
            checker.at.spread = [height, width];
            Some(MemberKind::Custom(node, Box::new(custom.module.clone())))
        });
    }

    fn concat(&mut self, concat: &'a Concat, level: &mut Level<'a>) {
        let start = self.at;
        let mut ends = Vec::new();
        for branch in &concat.branches {
            if let Statement::Head(Head { word, .. }) = branch {
                self.errors.on(word, "a head is no branch; put it before or after the `concat`");
                continue;
            }
            ends.push(self.branch(std::slice::from_ref(branch), start, level).node);
        }
        if ends.is_empty() {
            self.errors.on(&concat.word, "this concatenation has no branches");
            return;
        }
        let shapes: Vec<Shape> = ends.iter().filter_map(|end| self.nodes.get(*end)).map(|node| node.shape).collect();
        let shape = self.joined(concat, &ends, &shapes);
        self.merge(level, "concat", quote!(Concat), ends, shape);
    }

    /// The shape of branches side by side, or one error.
    fn joined(&mut self, concat: &Concat, ends: &[usize], shapes: &[Shape]) -> Shape {
        let mut channels = 0_u64;
        let mut extent = None;
        for (shape, end) in shapes.iter().zip(ends) {
            let ([c, h, w], is_map) = (shape.chw(), matches!(shape, Shape::Map(_)));
            if shape.is_unknown() {
                return Shape::Unknown;
            }
            let Dim::Known(c) = c else {
                let message = "the channels of branches are added up, but a const generic has no value when the network is checked";
                self.errors.on(&concat.word, message);
                return Shape::Unknown;
            };
            channels += c;
            let (first, first_end) = *extent.get_or_insert(((h, w, is_map), *end));
            if first != (h, w, is_map) {
                let (a, b) = (self.trace_from(first_end), self.trace_from(*end));
                let message = format!(
                    "the branches differ in height and width, so their channels cannot be joined\n  one: {a}\n  other: {b}\n  \
                     fix: pad the convolutions and pools so that all keep the size"
                );
                self.errors.on(&concat.word, message);
                return Shape::Unknown;
            }
        }
        match shapes.first() {
            Some(Shape::Map([_, h, w])) => Shape::Map([Dim::Known(channels), *h, *w]),
            _ => Shape::Vector(Dim::Known(channels)),
        }
    }

    /// The node where branches meet; it sees what the one that sees most does.
    fn merge(&mut self, level: &Level<'a>, word: &'static str, op: TokenStream, inputs: Vec<usize>, shape: Shape) {
        let path = if level.path.is_empty() { word.to_string() } else { format!("{}.{word}", level.path) };
        let branches: Vec<&Node> = inputs.iter().filter_map(|input| self.nodes.get(*input)).collect();
        let field = [0, 1].map(|dimension| {
            let fields = branches.iter().filter_map(|node| node.receptive_field.get(dimension));
            fields.max_by_key(|field| field.evaluate(|_| Some(1))).cloned().unwrap_or_default()
        });
        let jump = branches.first().map_or([1, 1], |node| node.jump);
        let spread = self.at.spread;
        self.node(plain(path, op, word, inputs, shape, field, jump));
        self.at.spread = spread;
    }

    // --- layers -------------------------------------------------------------------------------------------------------

    /// Appends a node and makes it the current one.
    fn node(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.at.node = self.nodes.len() - 1;
        self.at.node
    }

    /// Appends a layer's node and returns its index; `None` where the word is not known.
    fn layer(&mut self, layer: &'a Layer, path: &str) -> Option<usize> {
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
            jump[dimension] = jump[dimension].saturating_mul(draft.stride[dimension]);
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
