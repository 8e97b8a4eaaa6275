//! AST to graph: names, shapes and budgets. Every rejection that is not about one layer's arguments starts here.

use crate::ast::{Budget, Layer, Network, Statement};
use crate::catalog;
use crate::cost::{Count, Dim};
use crate::graph::{Graph, Member, MemberKind, Node, Shape};
use crate::layers;
use crate::report::{Errors, did_you_mean, grouped, one_of};
use crate::values::{Args, Scope, evaluate};
use proc_macro2::Ident;
use quote::quote;
use syn::{BinOp, Expr};

/// Checks a network. The graph is as complete as its errors allow.
pub fn network(network: &Network, errors: &mut Errors) -> Graph {
    let input = declared(&network.input, network, errors);
    let output = declared(&network.output, network, errors);
    let mut checker = Checker { network, errors, nodes: Vec::new(), current: 0, spread: [Dim::Known(1); 2] };
    checker.input(input);
    let root = checker.body(&network.body, "");
    if !network.body.iter().any(|statement| !matches!(statement, Statement::Assert(_))) {
        checker.errors.on(&network.name, format!("`{}` has no layers", network.name));
    }
    checker.output(output);
    checker.budgets(&network.body);
    let nodes = checker.nodes;
    Graph { nodes, root, output }
}

/// The shape that the header declares.
fn declared(dims: &[Expr], network: &Network, errors: &mut Errors) -> Shape {
    let scope = Scope { symbols: &network.symbols, shape: Shape::Unknown };
    let values: Vec<Dim> = dims
        .iter()
        .map(|dim| match evaluate(dim, &scope, errors) {
            Dim::Known(0) => {
                errors.on(dim, "a dimension is at least 1");
                Dim::Unknown
            }
            value => value,
        })
        .collect();
    match values[..] {
        [c, h, w] => Shape::Map([c, h, w]),
        [n] => Shape::Vector(n),
        _ => {
            let message =
                format!("a shape is [C, H, W] (channels, height, width) or [N], not {} dimensions", dims.len());
            match dims.first() {
                Some(first) => errors.on(quote!(#first #(, #dims)*), message),
                None => errors.on(&network.name, message),
            }
            Shape::Unknown
        }
    }
}

struct Checker<'a, 'e> {
    network: &'a Network,
    errors: &'e mut Errors,
    nodes: Vec<Node>,
    /// The node whose value comes next.
    current: usize,
    /// Height and width of the map that the current value comes from, until a layer that sees all of it.
    spread: [Dim; 2],
}

impl<'a> Checker<'a, '_> {
    fn input(&mut self, shape: Shape) {
        let [_, height, width] = shape.chw();
        self.spread = [height, width];
        self.nodes.push(Node {
            name: "input".into(),
            word: None,
            op: quote!(Input),
            label: "input".into(),
            inputs: Vec::new(),
            shape,
            params: Vec::new(),
            macs: Count::default(),
            receptive_field: [Count::number(1), Count::number(1)],
            jump: [1, 1],
            module: None,
        });
    }

    fn shape(&self) -> Shape {
        self.nodes.get(self.current).map_or(Shape::Unknown, |node| node.shape)
    }

    /// A shape in words: `[16, 5, 5]`.
    fn show(&self, shape: Shape) -> String {
        show(shape, self.network)
    }

    fn body(&mut self, body: &'a [Statement], path: &str) -> Vec<Member> {
        let mut members: Vec<Member> = Vec::new();
        let mut names: Vec<&Ident> = Vec::new();
        for statement in body {
            let name = match statement {
                Statement::Layer(layer) => layer.name.as_ref(),
                Statement::Sequence(sequence) => Some(&sequence.name),
                Statement::Assert(_) => {
                    if !path.is_empty() {
                        self.misplaced(statement);
                    }
                    continue;
                }
            };
            let mut clash = false;
            if let Some(name) = name {
                clash = names.contains(&name);
                if clash {
                    self.errors.on(name, format!("`{name}` is used twice; parameters need names of their own"));
                }
                names.push(name);
            }
            let key = name.map_or_else(|| members.len().to_string(), ToString::to_string);
            let full = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let kind = match statement {
                Statement::Layer(layer) => self.layer(layer, &full).map(MemberKind::Layer),
                Statement::Sequence(sequence) => Some(MemberKind::Sequence(self.body(&sequence.body, &full))),
                Statement::Assert(_) => None,
            };
            if let Some(kind) = kind.filter(|_| !clash) {
                members.push(Member { key, name: name.cloned(), kind });
            }
        }
        members
    }

    fn misplaced(&mut self, statement: &Statement) {
        if let Statement::Assert(budgets) = statement
            && let Some(budget) = budgets.first()
        {
            self.errors
                .on(&budget.what, "`assert` is about the whole network; put it beside its layers, not into a sequence");
        }
    }

    /// Appends a layer's node and returns its index; `None` where the word is not known.
    fn layer(&mut self, layer: &'a Layer, path: &str) -> Option<usize> {
        let Some(word) = catalog::find(&layer.word.to_string()) else {
            self.unknown_word(layer);
            self.opaque(path, layer);
            return None;
        };
        let shape = self.shape();
        let scope = Scope { symbols: &self.network.symbols, shape };
        let args = Args::new(layer, word, &scope, self.errors);
        let trace = self.trace();
        let context = layers::Context { layer, args: &args, shape, network: self.network, trace, spread: self.spread };
        let draft = layers::draft(word.name, &context, self.errors);
        let (mut field, mut jump) = match self.nodes.get(self.current) {
            Some(node) => (node.receptive_field.clone(), node.jump),
            None => Default::default(),
        };
        for dimension in 0..2 {
            // A window of `span` elements reaches `span - 1` steps of the old jump further.
            let steps = draft.span[dimension].plus(&Count::number(-1));
            field[dimension] = field[dimension].plus(&steps.times(&Count::number(i128::from(jump[dimension]))));
            jump[dimension] = jump[dimension].saturating_mul(draft.stride[dimension]);
        }
        self.spread = draft.spread;
        self.nodes.push(Node {
            name: path.to_string(),
            word: Some(layer.word.clone()),
            op: draft.op,
            label: draft.label,
            inputs: vec![self.current],
            shape: draft.shape,
            params: draft.params,
            macs: draft.macs,
            receptive_field: field,
            jump,
            module: draft.module,
        });
        self.current = self.nodes.len() - 1;
        Some(self.current)
    }

    fn unknown_word(&mut self, layer: &Layer) {
        let word = layer.word.to_string();
        if catalog::PLANNED.contains(&word.as_str()) {
            self.errors.on(&layer.word, format!("`{word}` is not supported yet"));
            return;
        }
        let known = catalog::WORDS.iter().map(|word| word.name);
        let hint = did_you_mean(&word, known.clone());
        let hint = if hint.is_empty() { format!("\n  layers: {}", known.collect::<Vec<_>>().join(", ")) } else { hint };
        self.errors.on(&layer.word, format!("no layer is called `{word}`{hint}"));
    }

    /// After a layer that is not known, nothing is.
    fn opaque(&mut self, path: &str, layer: &Layer) {
        let op = quote!(Flatten);
        let (field, jump) = ([Count::number(1), Count::number(1)], [1, 1]);
        self.nodes.push(Node {
            name: path.to_string(),
            word: None,
            op,
            label: layer.word.to_string(),
            inputs: vec![self.current],
            shape: Shape::Unknown,
            params: Vec::new(),
            macs: Count::default(),
            receptive_field: field,
            jump,
            module: None,
        });
        self.current = self.nodes.len() - 1;
    }

    /// The last shapes with the layers that made them.
    fn trace(&self) -> String {
        let mut steps: Vec<String> = Vec::new();
        let mut last = None;
        for node in &self.nodes {
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

    fn output(&mut self, declared: Shape) {
        let actual = self.shape();
        if declared.is_unknown() || actual.is_unknown() || declared == actual || self.nodes.len() < 2 {
            return;
        }
        let fix = match (declared, actual) {
            (Shape::Vector(_), Shape::Map(_)) => {
                "\n  fix: end with `flatten; linear(...)` or `global_avg_pool`".to_string()
            }
            (Shape::Vector(want), Shape::Vector(_)) => {
                format!("\n  fix: end with `linear({})`, or declare `-> {}`", self.size(want), self.show(actual))
            }
            _ => format!("\n  fix: declare `-> {}`", self.show(actual)),
        };
        let dims = &self.network.output;
        let message = format!(
            "`{}` is declared to give {}, but its layers give {}\n  trace: {}{fix}",
            self.network.name,
            self.show(declared),
            self.show(actual),
            self.trace()
        );
        self.errors.on(quote!(#(#dims),*), message);
    }

    fn size(&self, dim: Dim) -> String {
        size(dim, self.network)
    }

    fn budgets(&mut self, body: &[Statement]) {
        let complete = !self.nodes.iter().any(|node| node.shape.is_unknown());
        for statement in body {
            if let Statement::Assert(budgets) = statement {
                budgets.iter().for_each(|budget| self.budget(budget, complete));
            }
        }
    }

    fn budget(&mut self, budget: &Budget, complete: bool) {
        let what = budget.what.to_string();
        let count: Option<fn(&Node) -> Count> = match what.as_str() {
            "params" => Some(Node::param_count),
            "macs" => Some(|node| node.macs.clone()),
            "activations" => Some(|node| crate::cost::product(&node.shape.chw())),
            "receptive_field" => None,
            _ => {
                let known = ["params", "macs", "receptive_field", "activations"];
                let message = format!(
                    "there is no budget for `{what}`{}\n  budgets: {}",
                    did_you_mean(&what, known),
                    one_of(known)
                );
                return self.errors.on(&budget.what, message);
            }
        };
        let scope = Scope { symbols: &self.network.symbols, shape: Shape::Unknown };
        let limit = crate::values::number(&budget.limit, &scope, self.errors);
        let (Some(limit), true) = (limit.known().map(i128::from), complete) else { return };
        let values: Option<Vec<i128>> = match count {
            Some(count) => {
                let total = self.nodes.iter().fold(Count::default(), |sum, node| sum.plus(&count(node)));
                self.evaluate(&total).map(|total| vec![total])
            }
            None => {
                let last = self.nodes.iter().rev().find(|node| matches!(node.shape, Shape::Map(_)));
                let fields = last.map(|node| node.receptive_field.clone()).unwrap_or_default();
                fields.iter().map(|field| self.evaluate(field)).collect()
            }
        };
        let Some(values) = values else {
            let names = self.network.symbols.iter().filter(|symbol| symbol.default.is_none());
            let names =
                one_of(names.map(|symbol| symbol.name.to_string()).collect::<Vec<_>>().iter().map(String::as_str));
            let message = format!(
                "`{what}` depends on {names}, which has no default; give it one (`const N: usize = 10`) to check this budget"
            );
            return self.errors.on(&budget.what, message);
        };
        let holds = |value: &i128| match budget.op {
            BinOp::Le(_) => Some(*value <= limit),
            BinOp::Lt(_) => Some(*value < limit),
            BinOp::Ge(_) => Some(*value >= limit),
            BinOp::Gt(_) => Some(*value > limit),
            BinOp::Eq(_) => Some(*value == limit),
            _ => None,
        };
        let Some(verdicts) = values.iter().map(holds).collect::<Option<Vec<bool>>>() else {
            return self.errors.on(budget.op, "a budget compares with <=, <, >=, > or ==");
        };
        if verdicts.iter().all(|holds| *holds) {
            return;
        }
        let shown: Vec<String> = values.iter().map(|value| grouped(*value)).collect();
        let largest = count.map_or(String::new(), |count| self.largest(count));
        let op = budget.op;
        let message =
            format!("{what} is {}, which is not {} {}{largest}", shown.join(" x "), quote!(#op), grouped(limit));
        self.errors.on(&budget.limit, message);
    }

    fn evaluate(&self, count: &Count) -> Option<i128> {
        count.evaluate(|index| self.network.symbols.get(index).and_then(|symbol| symbol.default))
    }

    /// The three nodes with the highest counts.
    fn largest(&self, count: impl Fn(&Node) -> Count) -> String {
        let mut counts: Vec<(i128, &str)> =
            self.nodes.iter().filter_map(|node| Some((self.evaluate(&count(node))?, node.name.as_str()))).collect();
        counts.sort_by_key(|(value, _)| -value);
        let shown = counts.iter().filter(|(value, _)| *value > 0).take(3);
        let shown: Vec<String> = shown.map(|(value, name)| format!("{name} {}", grouped(*value))).collect();
        format!("\n  largest: {}", shown.join(", "))
    }
}

/// A size in words.
pub fn size(dim: Dim, network: &Network) -> String {
    match dim {
        Dim::Known(n) => n.to_string(),
        Dim::Symbol(index) => network.symbols.get(index).map_or("?".into(), |symbol| symbol.name.to_string()),
        Dim::Unknown => "?".into(),
    }
}

/// A shape in words.
pub fn show(shape: Shape, network: &Network) -> String {
    match shape {
        Shape::Map(dims) => format!("[{}]", dims.map(|dim| size(dim, network)).join(", ")),
        Shape::Vector(n) => format!("[{}]", size(n, network)),
        Shape::Unknown => "[?]".into(),
    }
}
