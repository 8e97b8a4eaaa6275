//! AST to graph: the header, what the whole network gives, and its budgets. The layers in between are walked by
//! [`crate::walk`].

use crate::ast::{Block, Budget, Call, Network, Statement};
use crate::cost::{Count, Dim};
use crate::graph::{Graph, Node, Shape, leads_to, peak, size};

use crate::habits;
use crate::report::{Errors, did_you_mean, one_of};
use crate::trace::{called, numbered};
use crate::values::{self, BUDGET, SIZE, Scope};
use crate::walk::{Checker, unreached};
use crate::words;
use convnet_graph::wording::grouped;
use convnet_graph::{Category, Groups, Op};
use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{BinOp, Expr};

/// Checks everything in a macro call: a graph for each network. Whether budgets are `held` to, see [`network`].
pub fn call(call: &Call, held: bool, errors: &mut Errors) -> Vec<Graph> {
    let mut graphs: Vec<Graph> = Vec::new();
    // What a budget counts may be missing after a mistake of the parser.
    let held = held && errors.count() == 0;
    for one in &call.networks {
        if graphs.iter().map(|graph| graph.nodes.len()).sum::<usize>() > LAYERS {
            errors.bare(
                &one.name,
                format!("the networks before this one have {} layers and more", grouped(LAYERS as i128)),
            );
            break;
        }
        graphs.push(network(one, &call.blocks, held, errors));
    }
    if !call.is_cut {
        unreached(&call.networks, &call.blocks, errors);
    }
    for (network, graph) in call.networks.iter().zip(&graphs) {
        if errors.count() == 0 && !graph.is_known() {
            // Better no network than one with a type that is not its own.
            errors.on(&network.name, LOST);
        }
    }
    graphs
}

/// Budgets of one `assert`.
const BUDGETS: usize = 16;

/// Networks beyond so many layers are to stand in a call of their own.
const LAYERS: usize = 200_000;

/// What no input may ever lead to.
pub const LOST: &str = "`cnn!` lost the size of a layer of this network; this is a mistake of `cnn!`, please report it";

/// Checks a network, and whether it is within its budgets where they are `held` to: they are about the sizes that it is declared
/// with. The graph is as complete as its errors allow.
pub fn network(network: &Network, blocks: &[Block], held: bool, errors: &mut Errors) -> Graph {
    let before = errors.count();
    let [input, output] = match network.headless {
        true => [Shape::Unknown; 2],
        false => [(&network.input, false), (&network.output, true)]
            .map(|(dims, gives)| declared(dims, gives, network, errors)),
    };
    let mut checker = Checker::new(network, blocks, errors);
    checker.input(input);
    let root = checker.root(&network.body);
    let whole = checker.is_whole();
    let empty = !network.body.iter().any(|statement| !matches!(statement, Statement::Assert(_)));
    // After an error there may have been one that was not understood.
    if empty && checker.errors.count() == 0 {
        checker.errors.on(&network.name, format!("`{}` has no layers", network.name));
    }
    if whole {
        checker.output(output);
    }
    // What does not hold may follow from another mistake.
    if held && checker.errors.count() == before {
        checker.budgets(&network.body);
    }
    let output_node = checker.current();
    // After a mistake in the header, what the layers give is what was meant.
    let output = if output.is_unknown() { checker.shape() } else { output };
    let Checker { nodes, heads, connections, .. } = checker;
    Graph { nodes, connections, root, output, output_node, heads }
}

/// The shape that the header declares for what the network takes, or `gives`.
pub fn declared(dims: &[Expr], gives: bool, network: &Network, errors: &mut Errors) -> Shape {
    let scope = Scope { network, shape: None, locals: &[], largest: SIZE };
    values::shape(dims, gives, &network.name, &scope, errors)
}

impl Checker<'_, '_> {
    fn output(&mut self, declared: Shape) {
        let actual = self.shape();
        if declared.is_unknown() || actual.is_unknown() || declared == actual || self.nodes.len() < 2 {
            return;
        }
        let dims = &self.network.output;
        self.wrong_output(quote!(#(#dims),*), &format!("`{}`", self.network.name), declared, actual);
    }

    /// Reports that the layers of `what` end in another shape than was declared at `place`.
    pub fn wrong_output(&mut self, place: TokenStream, what: &str, declared: Shape, actual: Shape) {
        let (want, trace) = (self.show(declared), self.trace());
        if let Some((layer, place)) = self.written_output(declared, actual) {
            let message = format!(
                "`{}` gives {}, but {what} is declared to give {want}\n  trace: {trace}\n  \
                 fix: write `{}` here, or declare `-> {}`",
                called(layer),
                self.show(layer.shape),
                self.size(declared.chw()[0]),
                self.show(actual)
            );
            return self.errors.at(place, message);
        }
        let fix = match (declared, actual) {
            (Shape::Vector(want), Shape::Map(_)) => format!("end with `flatten; linear({});`", self.size(want)),
            (Shape::Vector(want), Shape::Vector(_)) => {
                format!("end with `linear({})`, or declare `-> {}`", self.size(want), self.show(actual))
            }
            _ => format!("declare `-> {}`", self.show(actual)),
        };
        let what = format!("{what} is declared to give {want}, but its layers give {}", self.show(actual));
        self.errors.on(place, format!("{what}\n  trace: {trace}\n  fix: {fix}"));
    }

    /// The layer whose number of outputs is that of the whole network, and where it is written, if another number there would do.
    fn written_output(&self, declared: Shape, actual: Shape) -> Option<(&Node, Span)> {
        let ([want, height, width], [channels, h, w]) = (declared.chw(), actual.chw());
        let is_alike = matches!(declared, Shape::Map(_)) == matches!(actual, Shape::Map(_));
        if self.network.instance || !is_alike || [height, width] != [h, w] || want == channels {
            return None;
        }
        let mut node = self.nodes.get(self.current())?;
        loop {
            match node.op.category() {
                Category::Linear | Category::Conv => break,
                Category::Other if node.is_custom() => return None,
                Category::Pool | Category::Activation | Category::Norm | Category::Other => {}
                Category::Merge => return None,
            }
            // Every layer up to here keeps the channels.
            node = node.inputs.first().and_then(|input| self.nodes.get(*input))?;
            if node.shape.chw()[0] != channels {
                return None;
            }
        }
        // Another number may not fit groups and tables.
        if matches!(&node.op, Op::Conv(conv) if conv.groups != Groups::One || conv.connections.is_some()) {
            return None;
        }
        let is_written = node.written.out.is_some_and(|out| channels == Dim::Known(out));
        let place = node.written.args.iter().find(|(name, _)| *name == "out").map(|(_, place)| *place);
        place.filter(|_| is_written).map(|place| (node, place))
    }

    fn size(&self, dim: Dim) -> String {
        size(dim, self.network)
    }

    fn budgets(&mut self, body: &[Statement]) {
        let complete = !self.nodes.iter().any(|node| node.shape.is_unknown());
        for statement in body {
            if let Statement::Assert(budgets) = statement {
                // Each looks at all layers.
                budgets.iter().take(BUDGETS).for_each(|budget| self.budget(budget, complete));
                if let Some(budget) = budgets.get(BUDGETS) {
                    self.errors.on(&budget.what, format!("an `assert` has at most {BUDGETS} budgets"));
                }
            }
        }
    }

    fn budget(&mut self, budget: &Budget, complete: bool) {
        let what = budget.what.to_string();
        let count: Option<fn(&Node) -> Count> = match what.as_str() {
            "params" => Some(Node::param_count),
            "macs" => Some(|node| node.macs.clone()),
            "activations" => Some(|node| crate::cost::product(&node.shape.chw())),
            "receptive_field" | "peak_activations" => None,
            _ => {
                let known = || words::BUDGETS.iter().map(|budget| budget.name);
                let hint = habits::budget(&what).map_or_else(|| did_you_mean(&what, known()), habits::Habit::hint);
                let message = format!("there is no budget for `{what}`{hint}\n  budgets: {}", one_of(known()));
                return self.errors.on(&budget.what, message);
            }
        };
        let scope = Scope { network: self.network, shape: None, locals: &[], largest: BUDGET };
        let limit = crate::values::number(&budget.limit, &scope, self.errors);
        let (Some(limit), true) = (limit.known().map(i128::from), complete) else { return };
        // Auxiliary heads have parameters, but evaluation does not compute them.
        let main = leads_to(&self.nodes, self.current());
        let counted = |id: &usize| what == "params" || main.get(*id) == Some(&true);
        let nodes: Vec<&Node> =
            self.nodes.iter().enumerate().filter(|(id, _)| counted(id)).map(|(_, node)| node).collect();
        let values = self.values(&what, count, &nodes);
        if let Some(custom) = self.nodes.iter().find(|node| node.is_custom()) {
            let message = format!("`{what}` cannot be told: `{}` is a custom module, which has its own", custom.name);
            return self.errors.on(&budget.what, message);
        }
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
        let largest = count.map_or(String::new(), |count| self.largest(&nodes, count));
        let op = budget.op;
        let message =
            format!("{what} is {}, which is not {} {}{largest}", shown.join(" x "), quote!(#op), grouped(limit));
        self.errors.on(&budget.limit, message);
    }

    /// What a budget is about, for each dimension where it has two; `None` where it depends on a const generic without a default.
    fn values(&self, what: &str, count: Option<fn(&Node) -> Count>, nodes: &[&Node]) -> Option<Vec<i128>> {
        match count {
            Some(count) => {
                let total = nodes.iter().fold(Count::default(), |sum, node| sum.plus(&count(node)));
                self.evaluate(&total).map(|total| vec![total])
            }
            None if what == "peak_activations" => {
                let candidates = peak(&self.nodes, self.current());
                let values: Option<Vec<i128>> = candidates.iter().map(|count| self.evaluate(count)).collect();
                values.map(|values| values.into_iter().max().into_iter().collect())
            }
            None => {
                let last = nodes.iter().rev().find(|node| matches!(node.shape, Shape::Map(_)));
                let fields = last.map(|node| node.receptive_field.clone()).unwrap_or_default();
                fields.iter().map(|field| self.evaluate(field)).collect()
            }
        }
    }

    fn evaluate(&self, count: &Count) -> Option<i128> {
        count.evaluate(|index| self.network.symbols.get(index).and_then(|symbol| symbol.default))
    }

    /// The three nodes with the highest counts.
    fn largest(&self, nodes: &[&Node], count: impl Fn(&Node) -> Count) -> String {
        let mut counts: Vec<(i128, String)> =
            nodes.iter().filter_map(|node| Some((self.evaluate(&count(node))?, numbered(node)))).collect();
        counts.sort_by_key(|(value, _)| -value);
        let shown = counts.iter().filter(|(value, _)| *value > 0).take(3);
        let shown: Vec<String> = shown.map(|(value, name)| format!("{name} {}", grouped(*value))).collect();
        format!("\n  largest: {}", shown.join(", "))
    }
}
