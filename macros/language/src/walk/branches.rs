//! Where values part and meet: residuals, concatenations, factors for channels.

use super::sizes::Branch;
use super::{At, Checker, Level, parameterless};
use crate::args::Args;
use crate::ast::{Allowed, Arg, Concat, Layer, Residual, Statement};
use crate::cost::Dim;
use crate::graph::{Member, MemberKind, Node, Shape, Written, size};
use crate::report::one;
use crate::values::{SIZE, Scope};
use crate::words::{self, Meaning, Word};
use convnet_graph::{Category, Op};
use proc_macro2::Ident;

impl<'a> Checker<'a, '_> {
    /// Walks a branch from `start` and returns where it ends.
    pub(super) fn branch(&mut self, body: &'a [Statement], start: At, level: &mut Level) -> At {
        self.at = start;
        self.body(body, level);
        self.at
    }

    pub(super) fn residual(&mut self, residual: &'a Residual, level: &mut Level) {
        let start = self.at;
        if residual.body.is_empty() {
            self.errors.on(&residual.word, format!("this {} has no layers", named(residual)));
            return;
        }
        let taken = residual.shortcut.as_ref().filter(|shortcut| match &shortcut.condition {
            Some(expr) => self.condition(expr) == Some(true) || self.dry,
            None => true,
        });
        let main = self.branch(&residual.body, start, level);
        let other = match taken {
            Some(shortcut) => self.branch(&shortcut.body, start, level),
            None => start,
        };
        self.at = main;
        let [a, b] = [main, other].map(|end| self.nodes.get(end.node).map_or(Shape::Unknown, |node| node.shape));
        if residual.is_gate {
            return self.gate(residual, start, [(main, a), (other, b)], taken.is_some(), level);
        }
        let mut shape = if a.is_unknown() { b } else { a };
        if a != b && !a.is_unknown() && !b.is_unknown() {
            // Which of them was meant nobody knows.
            shape = Shape::Unknown;
            let [main_trace, other_trace] = [main, other].map(|end| self.branch_trace(start, end.node));
            let (name, label) = match taken {
                Some(_) => ("its shortcut", "shortcut"),
                None => ("the identity beside it", "input"),
            };
            let fix = self.made_alike(start, [(main, a), (other, b)], taken.is_some());
            let message = format!(
                "this residual gives {}, but {name} gives {}; a sum needs one shape\n  residual: {main_trace}\n  \
                 {label}: {other_trace}\n  fix: {fix}",
                self.show(a),
                self.show(b)
            );
            self.errors.on(&residual.word, message);
        }
        self.merge(level, &residual.word, Op::Add, vec![main.node, other.node], shape);
    }

    /// The product of two ways: the one with the map comes first, then what it is multiplied by.
    fn gate(
        &mut self,
        gate: &Residual,
        start: At,
        [main, other]: [(At, Shape); 2],
        has_shortcut: bool,
        level: &mut Level,
    ) {
        let is_factors = |shape: Shape, of: Shape| {
            let ([channels, height, width], [others, ..]) = (shape.chw(), of.chw());
            let is_map = matches!((shape, of), (Shape::Map(_), Shape::Map(_)));
            is_map && channels == others && [height, width] == [Dim::Known(1); 2]
        };
        let ((_, a), (_, b)) = (main, other);
        // What the gate gives is the factors, where both could be.
        let (map, factors) = if is_factors(b, a) && !is_factors(a, b) { (main, other) } else { (other, main) };
        let known = !a.is_unknown() && !b.is_unknown();
        let is_told = known && a != b && !is_factors(factors.1, map.1);
        if is_told {
            let (name, label) = if has_shortcut { ("its shortcut", "shortcut") } else { ("what comes in is", "input") };
            let verb = if has_shortcut { " gives" } else { "" };
            let traces = [main, other].map(|(end, _)| self.branch_trace(start, end.node));
            let padded = match (a, b) {
                (Shape::Map([same, ..]), Shape::Map([channels, height, width])) if same == channels => {
                    let unstrided = || self.unstrided(start, main.0.node, [height, width], "");
                    self.resized(start, main.0.node, [height, width]).or_else(unstrided)
                }
                _ => None,
            };
            let fix = match (a, b) {
                _ if padded.is_some() => padded.unwrap_or_default(),
                (Shape::Vector(_), Shape::Map([channels, ..])) => {
                    let channels = size(channels, self.network);
                    format!(
                        "keep a map of 1x1: `adaptive_avg_pool(1)` for a global pool, `conv({channels}, kernel = 1)` for `linear`"
                    )
                }
                (_, Shape::Map([channels, ..])) => {
                    let channels = size(channels, self.network);
                    format!("end the gate with {channels} channels, of 1x1 or of the size of the map")
                }
                (_, Shape::Vector(n)) => {
                    format!("end the gate with `linear({})` and an activation", size(n, self.network))
                }
                (_, Shape::Unknown) => "make both of one shape".into(),
            };
            let message = format!(
                "this gate gives {}, and {name}{verb} {}; a product needs one shape, or a factor for each channel, [C, 1, 1]\n  \
                 gate: {}\n  {label}: {}\n  fix: {fix}",
                self.show(a),
                self.show(b),
                traces[0],
                traces[1]
            );
            self.errors.on(&gate.word, message);
        }
        let shape = if known && !is_told { map.1 } else { Shape::Unknown };
        self.at = map.0;
        self.merge(level, &gate.word, Op::Scale, vec![map.0.node, factors.0.node], shape);
    }

    pub(super) fn concat(&mut self, concat: &'a Concat, level: &mut Level) {
        let start = self.at;
        let share = if concat.is_split { self.share(concat) } else { None };
        let mut branches: Vec<Branch> = Vec::new();
        for branch in &concat.branches {
            let from = match concat.is_split {
                true => self.part(concat, start, share, branches.len(), level),
                false => start,
            };
            if let Statement::Head(head) = branch.bare() {
                let what = one(&head.word);
                self.errors
                    .on(&head.word, format!("{what} is no branch; put it before or after the `{}`", concat.word));
                // What the network gives is known all the same, and nothing that uses it is an error of its own.
                self.at = from;
                self.head(head, level);
                continue;
            }
            let end = self.side(branch, from, level).node;
            let before =
                branches.len().checked_sub(1).and_then(|at| Some((concat.branches.get(at)?, branches.get(at)?)));
            self.bare_branch(before.map(|(before, known)| (before, known.end())), branch, end);
            let shape = self.nodes.get(end).map_or(Shape::Unknown, |node| node.shape);
            branches.push(Branch::new(branch, branches.len(), end, shape));
        }
        if branches.is_empty() {
            let what = if concat.is_split { "split" } else { "concatenation" };
            self.errors.on(&concat.word, format!("this {what} has no branches"));
            return;
        }
        let shape = self.joined(concat, &branches, start);
        let shape = self
            .bounded(shape, &format!("`{}`", concat.word), |checker, message| checker.errors.on(&concat.word, message));
        self.merge(level, &concat.word, Op::Concat, branches.iter().map(Branch::end).collect(), shape);
    }

    /// The channels that each branch of a split gets, if they are known and of one number; otherwise reports why not.
    fn share(&mut self, split: &Concat) -> Option<u64> {
        let (shape, parts) = (self.shape(), split.branches.len() as u64);
        let message = match shape {
            Shape::Map([Dim::Known(channels), ..]) => match channels.checked_rem(parts) {
                Some(0) => return channels.checked_div(parts),
                // Nothing to share out to is told elsewhere.
                None => return None,
                Some(rest) => format!(
                    "`split` gives each branch the same number of channels, but {channels} % {parts} = {rest}\n  trace: {}\n  fix: use \
                     `concat`, and begin each branch with `channel_crop((before, after));`",
                    self.trace()
                ),
            },
            Shape::Map([Dim::Symbol(_), ..]) => {
                "`split` divides the channels, but a const generic has no value when the network is checked".into()
            }
            Shape::Vector(_) => format!(
                "`split` needs a feature map [C, H, W], but gets the vector {}\n  trace: {}",
                self.show(shape),
                self.trace()
            ),
            Shape::Map([Dim::Unknown, ..]) | Shape::Unknown => return None,
        };
        self.errors.on(&split.word, message);
        None
    }

    /// The channels of the branch of a split with this number.
    fn part(&mut self, split: &Concat, start: At, share: Option<u64>, index: usize, level: &Level) -> At {
        let Some(from) = self.nodes.get(start.node) else { return start };
        let (field, jump) = (from.receptive_field.clone(), from.jump);
        let shape = match (from.shape, share) {
            (Shape::Map([_, height, width]), Some(share)) => Shape::Map([Dim::Known(share), height, width]),
            _ => Shape::Unknown,
        };
        let before = usize::try_from(share.unwrap_or(0)).unwrap_or(usize::MAX).saturating_mul(index);
        let path = if level.path.is_empty() { "split".to_string() } else { format!("{}.split", level.path) };
        let node = parameterless(path, Op::ChannelCrop { before }, "split", vec![start.node], shape, field, jump);
        let node = self.node(Node { written: Written::at(split.word.span()), ..node });
        At { node, ..start }
    }

    /// Notes a branch that is one layer without braces after another one that computes more than it: an activation or a normalisation is
    /// hardly meant to be a branch then.
    fn bare_branch(&mut self, before: Option<(&Statement, usize)>, branch: &Statement, end: usize) {
        let is_alone = matches!(branch.bare(), Statement::Layer(layer) if layer.name.is_none());
        let is_after = before.is_some_and(|(before, end)| {
            let computes = |node: &Node| !matches!(node.op.category(), Category::Activation | Category::Norm);
            matches!(before.bare(), Statement::Layer(_)) && self.nodes.get(end).is_some_and(computes)
        });
        if let Some(node) = self.nodes.get_mut(end).filter(|_| is_alone && is_after) {
            node.written.bare_branch = true;
        }
    }

    /// A branch of a concatenation.
    fn side(&mut self, branch: &'a Statement, start: At, level: &mut Level) -> At {
        match branch {
            Statement::Allowed(Allowed { lints, statement }) => {
                self.allowing(lints, |checker| checker.side(statement, start, level))
            }
            Statement::Group(group) => {
                if group.body.is_empty() {
                    self.errors.at(group.brace, "this branch is empty; the input itself is `identity;`");
                }
                self.branch(&group.body, start, level)
            }
            one => self.branch(std::slice::from_ref(one), start, level),
        }
    }

    /// The shape of branches side by side, or one error.
    fn joined(&mut self, concat: &Concat, branches: &[Branch], start: At) -> Shape {
        let shapes: Vec<Shape> = branches.iter().map(Branch::shape).collect();
        if shapes.iter().any(|shape| shape.is_unknown()) || self.unlike(branches, start) {
            return Shape::Unknown;
        }
        let mut channels = 0_u64;
        for shape in &shapes {
            let Dim::Known(c) = shape.chw()[0] else {
                let message = "the channels of branches are added up, but a const generic has no value when the network is checked";
                self.errors.on(&concat.word, message);
                return Shape::Unknown;
            };
            channels = channels.saturating_add(c);
        }
        match shapes.first() {
            Some(Shape::Map([_, h, w])) => Shape::Map([Dim::Known(channels), *h, *w]),
            _ => Shape::Vector(Dim::Known(channels)),
        }
    }

    /// What to do so that a residual and what is beside it give one shape: the padding that one of them lacks comes before all else.
    fn made_alike(&self, start: At, [(main, a), (other, b)]: [(At, Shape); 2], has_shortcut: bool) -> String {
        let ([channels, height, width], [before, h, w]) = (a.chw(), b.chw());
        let behind = "behind the `}` of the residual";
        let padded = match (a, b) {
            (Shape::Map(_), Shape::Map(_)) if [height, width] != [h, w] => {
                let (want, of) = ([height, width], "the shortcut");
                let shortcut = || {
                    self.resized(start, other.node, want)
                        .or_else(|| self.strided(start, other.node, want, of))
                        .or_else(|| self.unstrided(start, other.node, want, of))
                        .or_else(|| self.unstrided(start, main.node, [h, w], ""))
                };
                self.resized(start, main.node, [h, w]).or_else(|| shortcut().filter(|_| has_shortcut))
            }
            _ => None,
        };
        match (padded, channels) {
            (Some(padded), _) if channels == before => padded,
            (Some(padded), Dim::Known(c)) if !has_shortcut => {
                format!("{padded}, and add `shortcut {{ conv({c}, kernel = 1); }}` {behind}")
            }
            (Some(padded), _) => format!("{padded}, and make both give {} channels", size(channels, self.network)),
            (None, _) if has_shortcut => format!("make both give {}", self.show(a)),
            (None, _) => same_change(a, b, behind),
        }
    }

    /// The node where branches meet; it sees what the one that sees most does.
    pub(super) fn merge(&mut self, level: &Level, place: &Ident, op: Op, inputs: Vec<usize>, shape: Shape) {
        let word = op.word();
        let path = if level.path.is_empty() { word.to_string() } else { format!("{}.{word}", level.path) };
        let branches: Vec<&Node> = inputs.iter().filter_map(|input| self.nodes.get(*input)).collect();
        let field = [0, 1].map(|dimension| {
            let fields = branches.iter().filter_map(|node| node.receptive_field.get(dimension));
            fields.max_by_key(|field| field.evaluate(|_| Some(1))).cloned().unwrap_or_default()
        });
        let jump = branches.first().map_or([1, 1], |node| node.jump);
        let source_extent = self.at.source_extent;
        let node = parameterless(path, op, word, inputs, shape, field, jump);
        self.node(Node { written: Written::at(place.span()), ..node });
        self.at.source_extent = source_extent;
    }

    /// Squeeze and excitation (Hu et al., 2017, section 3) as torchvision builds it: the map's average, two 1 x 1
    /// convolutions, and each channel times what comes out.
    pub(super) fn squeeze_excite(&mut self, layer: &Layer, word: &'static Word, path: String) -> Option<MemberKind> {
        let locals = self.locals.clone();
        let (start, shape) = (self.at, self.shape());
        let scope = Scope { network: self.network, shape: Some(shape), locals: &locals, largest: SIZE };
        let args = Args::new(layer, &word.signature, &scope, self.errors);
        let reduction = args.count("reduction", self.errors).filter(|_| args.complete);
        let Shape::Map([channels, ..]) = shape else {
            if let Shape::Vector(_) = shape {
                let message = format!(
                    "`squeeze_excite` needs a feature map [C, H, W], but gets the vector {}\n  trace: {}",
                    self.show(shape),
                    self.trace()
                );
                self.errors.on(&layer.word, message);
            }
            return None;
        };
        if let Dim::Symbol(_) = channels {
            let message =
                "`squeeze_excite` divides the channels, but a const generic has no value when the network is checked";
            self.errors.on(&layer.word, message);
        }
        let (Some(reduction), Dim::Known(channels)) = (reduction, channels) else { return None };
        let narrow = (channels / reduction).max(1);
        let span = layer.word.span();
        let one = |word: &str, arg: Option<u64>| {
            let value = |n: u64| Arg { name: None, value: integer(n, span) };
            let args = match (word, arg) {
                ("conv", Some(out)) => vec![value(out), value(1)],
                (_, arg) => arg.map(value).into_iter().collect(),
            };
            Layer { name: None, word: Ident::new(word, span), args, broken: false }
        };
        let steps = [
            ("avgpool", one("adaptive_avg_pool", Some(1))),
            ("fc1", one("conv", Some(narrow))),
            ("activation", one("relu", None)),
            ("fc2", one("conv", Some(channels))),
            ("scale_activation", one("sigmoid", None)),
        ];
        let mut members = Vec::new();
        for (name, layer) in &steps {
            let word = words::find(&layer.word.to_string())?;
            let Meaning::Layer(check) = word.meaning else { return None };
            let node = self.layer(layer, word, check, &format!("{path}.{name}"));
            members.push(Member {
                key: (*name).into(),
                name: Some(Ident::new(name, span)),
                kind: MemberKind::Layer(node),
            });
        }
        let level = Level { path, ..Level::default() };
        let inputs = vec![start.node, self.at.node];
        self.merge(&level, &layer.word, Op::Scale, inputs, shape);
        self.at.source_extent = start.source_extent;
        Some(MemberKind::Sequence(members, self.at.node))
    }
}

/// How a sum or a product of two ways is called.
fn named(residual: &Residual) -> &'static str {
    if residual.is_gate { "gate" } else { "residual" }
}

/// A number as an expression.
fn integer(n: u64, span: proc_macro2::Span) -> syn::Expr {
    let lit = syn::Lit::Int(syn::LitInt::new(&n.to_string(), span));
    syn::Expr::Lit(syn::ExprLit { attrs: Vec::new(), lit })
}

/// The shortcut that changes `from` into `to`, which stands `behind` the residual, or how to do without a change.
fn same_change(to: Shape, from: Shape, behind: &str) -> String {
    if let (Shape::Vector(Dim::Known(outputs)), Shape::Vector(_)) = (to, from) {
        return format!("add `shortcut {{ linear({outputs}); }}` {behind}");
    }
    let (Shape::Map([c, height, width]), Shape::Map([before, h, w])) = (to, from) else {
        return format!("add a `shortcut {{ ... }}` {behind} that makes the same change");
    };
    let by = |from: Dim, to: Dim| match (from, to) {
        (Dim::Known(from), Dim::Known(to)) if to > 0 => (1..=8).find(|stride: &u64| from.div_ceil(*stride) == to),
        _ => None,
    };
    match (c, by(h, height), by(w, width)) {
        (Dim::Known(c), Some(1), Some(1)) => format!("add `shortcut {{ conv({c}, kernel = 1); }}` {behind}"),
        (Dim::Known(c), Some(a), Some(b)) if a == b => {
            format!("add `shortcut {{ conv({c}, kernel = 1, stride = {a}); }}` {behind}")
        }
        _ if c == before => "pad the layers so that they keep height and width, as in `pad = same`".into(),
        _ => format!(
            "add a `shortcut {{ conv(...); }}` {behind} that makes the same change, or pad the layers so that they keep height and width"
        ),
    }
}
