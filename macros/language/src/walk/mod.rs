//! Walks over the statements of a network and builds its nodes: layers in order, blocks filled in, repeats unrolled,
//! branches merged.
//!
//! The walk keeps one current value. A residual or a concatenation walks each of its branches from the value before it and
//! makes the merging node the current one. Names are those of the module tree: a sequence or an instance of a block is a
//! level of it, structures are not.

mod blocks;
mod branches;
mod foreign_word;
mod limits;
mod meant;
mod outside;
mod sizes;
mod strides;
mod unreached;

use crate::args::Args;
use crate::ast::{Allowed, Block, If, Layer, Name, Network, Sequence, Statement};
use crate::cost::{Count, Dim};
use crate::graph::{self, Connections, Member, MemberKind, Node, Shape, Written, show};
use crate::layers;
use crate::lint::Lints;
use crate::report::Errors;
use crate::trace;
use crate::values::{SIZE, Scope, condition};
use crate::words::{self, Meaning, Word};
use convnet_graph::Op;
use limits::Limits;
use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;

pub use unreached::unreached;

/// A network in the making.
pub struct Checker<'a, 'e> {
    pub network: &'a Network,
    blocks: &'a [Block],
    pub errors: &'e mut Errors,
    pub nodes: Vec<Node>,
    pub outputs: Vec<graph::Head>,
    pub heads: Vec<graph::Head>,
    pub connections: Vec<Connections>,
    at: At,
    /// The parameters of the block that is being filled in, and the `index` of a repeat in it.
    locals: Vec<(String, Dim)>,
    /// Whether `index` among them is that of a repeat, and no parameter of that name.
    indexed: bool,
    /// Blocks that are being filled in.
    depth: usize,
    /// The outermost of them, where it is asked for.
    called: Option<&'a Ident>,
    limits: Limits<'a>,
    /// The lints that are off here.
    allowed: Lints,
    /// No size is known and every branch is taken once: see [`unreached`].
    dry: bool,
    /// The layer that is tried with another number of outputs, by its place, and that number.
    tried: Option<(String, u64)>,
}

/// The value that the next layer reads.
#[derive(Clone, Copy)]
struct At {
    node: usize,
    /// Height and width of the map that the value comes from, until a layer that sees all of it.
    source_extent: [Dim; 2],
}

/// The members of one level of the module tree.
#[derive(Default)]
struct Level {
    path: String,
    members: Vec<Member>,
    /// Keys and fields that are taken, and where.
    taken: Vec<[String; 3]>,
    /// How many members came before under the same path, in a sequence that this one goes on with.
    before: usize,
}

impl Level {
    /// What a sequence called `name` goes on with: sequences of the same key, if its field is none of this level's. A level without members
    /// yet, in which the names of theirs are taken.
    fn earlier(&self, name: &Name) -> Option<Level> {
        let field = |member: &Member| member.name.as_ref().map(ToString::to_string).unwrap_or_default();
        let path = if self.path.is_empty() { name.key.clone() } else { format!("{}.{}", self.path, name.key) };
        let (mut earlier, mut is_there) = (Level { path, ..Level::default() }, false);
        for member in self.members.iter().filter(|member| member.key == name.key) {
            is_there = true;
            let MemberKind::Sequence(members, _) = &member.kind else { return None };
            earlier.before += members.len();
            earlier.taken.extend(members.iter().map(|member| [member.key.clone(), field(member), String::new()]));
        }
        let is_free = self.members.iter().all(|member| name.field != field(member));
        (is_there && is_free).then_some(earlier)
    }
}

impl<'a, 'e> Checker<'a, 'e> {
    pub fn new(network: &'a Network, blocks: &'a [Block], errors: &'e mut Errors) -> Self {
        let at = At { node: 0, source_extent: [Dim::Known(1); 2] };
        let (nodes, outputs, heads, connections) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (locals, limits) = (Vec::new(), Limits::default());
        let (depth, called, dry, allowed) = (0, None, false, network.allowed.iter().collect());
        let (tried, indexed) = (None, false);
        Checker {
            network,
            blocks,
            errors,
            nodes,
            outputs,
            heads,
            connections,
            at,
            locals,
            indexed,
            depth,
            called,
            limits,
            allowed,
            dry,
            tried,
        }
    }

    /// The same network walked once more, where the layer at `place` has so many outputs.
    pub fn again<'f>(&self, place: Span, out: u64, input: Shape, errors: &'f mut Errors) -> Checker<'a, 'f> {
        let mut checker = Checker::new(self.network, self.blocks, errors);
        checker.tried = Some((format!("{place:?}"), out));
        checker.input(input);
        checker.root(&self.network.body);
        checker
    }

    pub fn input(&mut self, shape: Shape) {
        let [_, height, width] = shape.chw();
        self.at.source_extent = [height, width];
        let field = [Count::number(1), Count::number(1)];
        self.nodes.push(parameterless("input".into(), Op::Input, "input", Vec::new(), shape, field, [1, 1]));
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
        if self.limits.stopped {
            // What there is says nothing, and emitting it would take the compiler long.
            self.nodes.truncate(1);
            self.outputs.clear();
            self.heads.clear();
            self.at.node = 0;
            return Vec::new();
        }
        level.members
    }

    /// Whether all statements were walked.
    pub fn is_whole(&self) -> bool {
        !self.limits.stopped
    }

    fn body(&mut self, body: &'a [Statement], level: &mut Level) {
        for statement in body {
            self.statement(statement, level);
        }
    }

    fn statement(&mut self, statement: &'a Statement, level: &mut Level) {
        if !self.step() {
            return;
        }
        match statement {
            Statement::Layer(layer) => {
                self.named(layer.name.as_ref(), &layer.word, level, |checker, path| checker.one(layer, path))
            }
            Statement::Sequence(Sequence { name, body }) => match level.earlier(name) {
                Some(earlier) => self.going_on(name, body, earlier, level),
                None => self.named(Some(name), name, level, |checker, path| Some(checker.inner(body, path))),
            },
            Statement::Repeat(repeat) => self.repeat(repeat, level),
            Statement::If(choice) => self.choice(choice, level),
            Statement::Residual(residual) => self.residual(residual, level),
            Statement::Concat(concat) => self.concat(concat, level),
            Statement::Group(group) => {
                self.errors.at(group.brace, "a sequence needs a name: `name: { ... }`");
                self.body(&group.body, level);
            }
            Statement::Head(head) => self.head(head, level),
            Statement::Custom(custom) => self.custom(custom, level),
            Statement::Allowed(Allowed { lints, statement }) => {
                self.allowing(lints, |checker| checker.statement(statement, level));
            }
            Statement::Unknown(name) => self.nothing(name.as_ref(), level),
            Statement::Assert(budgets) => {
                if let Some(budget) = budgets.first().filter(|_| !level.path.is_empty() || self.depth > 0) {
                    let message = "`assert` is about the whole network; put it beside its layers, not into a sequence";
                    self.errors.on(&budget.what, message);
                }
            }
        }
    }

    /// Walks on with these lints off, too.
    fn allowing<T>(&mut self, lints: &[Ident], walk: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.allowed;
        self.allowed = outer | lints.iter().collect();
        let found = walk(self);
        self.allowed = outer;
        found
    }

    /// A level of its own.
    fn inner(&mut self, body: &'a [Statement], path: String) -> MemberKind {
        let mut level = Level { path, ..Level::default() };
        self.body(body, &mut level);
        MemberKind::Sequence(level.members, self.at.node)
    }

    /// A sequence with the key of an earlier one, which it goes on with: `rest as "backbone": { ... }`, for what stands between the two without
    /// that key.
    fn going_on(&mut self, name: &'a Name, body: &'a [Statement], earlier: Level, level: &mut Level) {
        let mut inner = earlier;
        self.body(body, &mut inner);
        let kind = MemberKind::Sequence(inner.members, self.at.node);
        level.taken.push([name.key.clone(), name.field.to_string(), String::new()]);
        level.members.push(Member { key: name.key.clone(), name: Some(name.field.clone()), kind });
    }

    /// Adds a member with its name, or its index where it has none; `place` is where it is written.
    fn named(
        &mut self,
        name: Option<&'a Name>,
        place: impl ToTokens,
        level: &mut Level,
        make: impl FnOnce(&mut Self, String) -> Option<MemberKind>,
    ) {
        let key = name.map_or_else(|| (level.before + level.members.len()).to_string(), |name| name.key.clone());
        let field = name.map_or_else(String::new, |name| name.field.to_string());
        // Two without names have numbers of their own; without sizes the numbers are not known.
        let written = name.map_or_else(String::new, |name| format!("{:?}", name.field.span()));
        let clash = level.taken.iter().find(|[other, other_field, _]| {
            let (named, other_named) = (name.is_some(), !other_field.is_empty());
            let counts = if self.dry { named && other_named } else { named || other_named };
            counts && (*other == key || (named && *other_field == field))
        });
        if let Some([_, _, first]) = clash {
            let place = place.to_token_stream();
            let message = match name {
                Some(name) if *first == written && !self.limits.repeats.is_empty() => repeated(name, &place),
                _ => format!("`{key}` is used twice; parameters need names of their own"),
            };
            self.errors.on(name.map_or(place, ToTokens::to_token_stream), message);
        }
        let clash = clash.is_some();
        let path = if level.path.is_empty() { key.clone() } else { format!("{}.{key}", level.path) };
        level.taken.push([key.clone(), field, written]);
        if let Some(kind) = make(self, path).filter(|_| !clash) {
            level.members.push(Member { key, name: name.map(|name| name.field.clone()), kind });
        }
    }

    // --- blocks and structures ----------------------------------------------------------------------------------------

    fn condition(&mut self, expr: &syn::Expr) -> Option<bool> {
        let locals = self.locals.clone();
        let scope = Scope { network: self.network, shape: Some(self.shape()), locals: &locals, largest: SIZE };
        condition(expr, &scope, self.errors)
    }

    fn choice(&mut self, choice: &'a If, level: &mut Level) {
        match self.condition(&choice.condition) {
            _ if self.dry => self.either(choice, level),
            Some(true) => self.body(&choice.then, level),
            Some(false) => self.body(&choice.otherwise, level),
            None => {}
        }
    }

    /// A layer or an instance of a block.
    fn one(&mut self, layer: &'a Layer, path: String) -> Option<MemberKind> {
        if let Some(block) = self.blocks.iter().find(|block| block.name == layer.word) {
            return self.instance(layer, block, path);
        }
        let Some(word) = words::find(&layer.word.to_string()) else {
            let meant = self.unknown_word(layer);
            return self.meant(layer, meant.as_deref(), path);
        };
        match word.meaning {
            _ if layer.broken || self.foreign_options(layer, word) => self.meant(layer, Some(word.name()), path),
            Meaning::Layer(check) => {
                let before = self.errors.count();
                let node = self.layer(layer, word, check, &path);
                if self.errors.count() > before {
                    self.complete(node, word);
                }
                Some(MemberKind::Layer(node))
            }
            Meaning::SqueezeExcite => self.squeeze_excite(layer, word, path),
        }
    }

    // --- layers -------------------------------------------------------------------------------------------------------

    /// Appends a node and makes it the current one.
    fn node(&mut self, mut node: Node) -> usize {
        node.written.allowed = self.allowed;
        self.nodes.push(node);
        self.at.node = self.nodes.len() - 1;
        self.at.node
    }

    /// Appends a layer's node and returns its index.
    fn layer(&mut self, layer: &Layer, word: &'static Word, check: layers::Check, path: &str) -> usize {
        let shape = self.shape();
        let locals = self.locals.clone();
        let scope = Scope { network: self.network, shape: Some(shape), locals: &locals, largest: SIZE };
        let mut args = Args::new(layer, &word.signature, &scope, self.errors);
        let tried = self.tried.as_ref().filter(|(place, _)| *place == format!("{:?}", layer.word.span()));
        args.tried = tried.map(|(_, out)| *out);
        let (network, source_extent, way) =
            (self.network, self.at.source_extent, (self.nodes.as_slice(), self.at.node));
        let context = layers::Context { layer, args: &args, shape, network, locals: &locals, way, source_extent };
        let mut made = layers::made(check, &context, self.errors);
        let what = layer.name.as_ref().map_or_else(|| format!("`{}`", layer.word), |name| format!("`{name}`"));
        let shape = self.bounded(made.shape, &what, |checker, message| {
            args.fault(word.enlarges, checker.errors, message);
        });
        let (mut field, mut jump) = match self.nodes.get(self.at.node) {
            Some(node) => (node.receptive_field.clone(), node.jump),
            None => Default::default(),
        };
        for dimension in 0..2 {
            // A window of `span` elements reaches `span - 1` steps of the old jump further.
            let steps = made.span[dimension].plus(&Count::number(-1));
            field[dimension] = field[dimension].plus(&steps.times(&Count::number(i128::from(jump[dimension]))));
            let stretched = jump[dimension].saturating_mul(made.stride[dimension]);
            // Enlarging brings elements closer together; below a pixel they count as one apart.
            jump[dimension] = (stretched / made.up[dimension].max(1)).max(1);
        }
        self.at.source_extent = made.source_extent;
        if let (Op::Conv(conv), Some(table)) = (&mut made.op, made.connections) {
            conv.connections = Some(self.connections.len());
            self.connected(table.iter().map(Vec::len).sum(), &layer.word);
            self.connections.push(table);
        }
        let node = Node {
            name: path.to_string(),
            word: Some(layer.word.clone()),
            op: made.op,
            label: made.label,
            inputs: vec![self.at.node],
            shape,
            params: made.params,
            macs: made.macs,
            receptive_field: field,
            jump,
            written: args.written(),
        };
        self.count(&node);
        self.node(node)
    }

    /// The last shapes with the layers that made them.
    pub fn trace(&self) -> String {
        trace::trace(&self.nodes, self.at.node, self.network)
    }

    /// The shapes of a branch with the layers that made them.
    fn branch_trace(&self, start: At, end: usize) -> String {
        trace::branch(&self.nodes, start.node, end, self.network)
    }
}

/// What is wrong with a name in a `repeat`; sequences and heads, whose place is their name, need one.
fn repeated(name: &Name, place: &TokenStream) -> String {
    if name.field == place.to_string() {
        return format!("in a `repeat`, `{name}` would be there more than once\n  a use of a `block` needs no name");
    }
    "in a `repeat`, a layer with a name would be there more than once\n  fix: leave the name out".into()
}

/// A node without parameters.
fn parameterless(
    name: String,
    op: Op,
    label: &str,
    inputs: Vec<usize>,
    shape: Shape,
    receptive_field: [Count; 2],
    jump: [u64; 2],
) -> Node {
    let (params, macs, label) = (Vec::new(), Count::default(), label.to_string());
    let written = Written::at(Span::call_site());
    Node { name, word: None, op, label, inputs, shape, params, macs, receptive_field, jump, written }
}

/// What stands for a layer after an error.
fn unknown(name: String, input: usize) -> Node {
    let field = [Count::number(1), Count::number(1)];
    parameterless(name, Op::Identity, "?", vec![input], Shape::Unknown, field, [1, 1])
}
