//! Budgets: what an `assert` says of the whole network, and what to change where it does not hold.

use crate::ast::{Budget, Statement};
use crate::cost::Count;
use crate::graph::{Node, Shape, ends, leads_to, peak};
use crate::habits;
use crate::report::{Errors, did_you_mean, one_of};
use crate::trace::numbered;
use crate::values::{BUDGET, SIZE, Scope};
use crate::walk::Checker;
use crate::words;
use convnet_graph::wording::grouped;
use convnet_graph::{Category, Op};
use quote::quote;
use syn::BinOp;

/// Budgets of one `assert`.
const BUDGETS: usize = 16;

/// A layer of which another size is tried; networks with more layers are not tried.
const TRIED: usize = 300;

/// What a node counts for.
type Counts = fn(&Node) -> Count;

impl Checker<'_, '_> {
    /// Reports the budgets in `body` that do not hold.
    pub fn budgets(&mut self, body: &[Statement]) {
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
        let count: Option<Counts> = match what.as_str() {
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
        let nodes = self.counted(&what);
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
        let holds = |value: &i128| holds(budget.op, *value, limit);
        let Some(verdicts) = values.iter().map(holds).collect::<Option<Vec<bool>>>() else {
            return self.errors.on(budget.op, "a budget compares with <=, <, >=, > or ==");
        };
        if verdicts.iter().all(|holds| *holds) {
            return;
        }
        let shown: Vec<String> = values.iter().map(|value| grouped(*value)).collect();
        let largest = count.map_or(String::new(), |count| self.largest(&nodes, count));
        let fix = self.affordable(budget, &values, limit, count);
        let op = budget.op;
        let message =
            format!("{what} is {}, which is not {} {}{largest}{fix}", shown.join(" x "), quote!(#op), grouped(limit));
        self.errors.on(&budget.limit, message);
    }

    /// The nodes that count for a budget.
    fn counted(&self, what: &str) -> Vec<&Node> {
        // Auxiliary heads have parameters, but evaluation does not compute them.
        let main = leads_to(&self.nodes, &ends(self.current(), &self.outputs));
        let counts = |id: &usize| what == "params" || main.get(*id) == Some(&true);
        self.nodes.iter().enumerate().filter(|(id, _)| counts(id)).map(|(_, node)| node).collect()
    }

    /// What to do so that a budget holds: a layer of fewer outputs, where one is enough, or another limit.
    fn affordable(&self, budget: &Budget, values: &[i128], limit: i128, count: Option<Counts>) -> String {
        let (Some(least), Some(most)) = (values.iter().min(), values.iter().max()) else { return String::new() };
        let number = |n: i128| grouped(n).replace(',', "_");
        let is_field = budget.what == "receptive_field";
        match budget.op {
            BinOp::Le(_) | BinOp::Lt(_) => {
                let raised = most + i128::from(matches!(budget.op, BinOp::Lt(_)));
                let smaller =
                    self.smaller(budget, limit, count).map_or(String::new(), |smaller| format!("{smaller}, or "));
                format!("\n  fix: {smaller}raise this to {}", number(raised))
            }
            BinOp::Ge(_) | BinOp::Gt(_) => match least - i128::from(matches!(budget.op, BinOp::Gt(_))) {
                lowered if lowered >= 0 => {
                    let more = if is_field { "add layers, strides, pools or dilation, or " } else { "" };
                    format!("\n  fix: {more}lower this to {}", number(lowered))
                }
                _ => String::new(),
            },
            BinOp::Eq(_) if least == most => format!("\n  fix: write `{}`", number(*most)),
            _ => String::new(),
        }
    }

    /// The layer that has to shrink least so that a budget holds, and its largest size then.
    fn smaller(&self, budget: &Budget, limit: i128, count: Option<Counts>) -> Option<String> {
        if self.nodes.len() > TRIED {
            return None;
        }
        let what = budget.what.to_string();
        let mut best: Option<(f64, String)> = None;
        let weighted = |node: &&Node| matches!(node.op.category(), Category::Conv | Category::Linear);
        let mut layers: Vec<&Node> = self.nodes.iter().filter(weighted).collect();
        layers.sort_by_key(|node| std::cmp::Reverse(self.evaluate(&node.param_count())));
        for node in layers.into_iter().take(4) {
            let Some(out) = node.written.out.filter(|out| *out > 1 && *out <= SIZE) else { continue };
            let fits = |out: u64| {
                let values = self.with(node, out, &what, count);
                values.map(|values| values.iter().all(|value| holds(budget.op, *value, limit) == Some(true)))
            };
            // What other layers need it to be is told by one less; less than a quarter would be another network.
            let (mut fitting, mut large) = (out.div_ceil(4), out);
            if fits(out - 1).is_none() || fits(fitting) != Some(true) {
                continue;
            }
            while large - fitting > 1 {
                let middle = fitting + (large - fitting) / 2;
                match fits(middle) {
                    Some(true) => fitting = middle,
                    _ => large = middle,
                }
            }
            let share = fitting as f64 / out as f64;
            if best.as_ref().is_none_or(|(known, _)| share > *known) {
                let outputs = if matches!(node.op, Op::Linear { .. }) { "outputs" } else { "channels" };
                let name = numbered(node);
                let name = if name.starts_with('`') { name } else { format!("`{name}`") };
                best = Some((share, format!("give {name} at most {fitting} {outputs}")));
            }
        }
        best.map(|(_, text)| text)
    }

    /// What a budget is about where a layer has so many outputs, if the network has no mistake then and gives the same shape.
    fn with(&self, node: &Node, out: u64, what: &str, count: Option<Counts>) -> Option<Vec<i128>> {
        let mut errors = Errors::default();
        let input = self.nodes.first().map_or(Shape::Unknown, |node| node.shape);
        let checker = self.again(node.written.word, out, input, &mut errors);
        let (shape, values) = (checker.shape(), checker.values(what, count, &checker.counted(what)));
        (shape == self.shape() && errors.count() == 0).then_some(values).flatten()
    }

    /// What a budget is about, for each dimension where it has two; `None` where it depends on a const generic without a default.
    fn values(&self, what: &str, count: Option<Counts>, nodes: &[&Node]) -> Option<Vec<i128>> {
        match count {
            Some(count) => {
                let total = nodes.iter().fold(Count::default(), |sum, node| sum.plus(&count(node)));
                self.evaluate(&total).map(|total| vec![total])
            }
            None if what == "peak_activations" => {
                let candidates = peak(&self.nodes, &ends(self.current(), &self.outputs));
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

/// Whether a number keeps to a limit; `None` where a budget does not compare so.
fn holds(op: BinOp, value: i128, limit: i128) -> Option<bool> {
    match op {
        BinOp::Le(_) => Some(value <= limit),
        BinOp::Lt(_) => Some(value < limit),
        BinOp::Ge(_) => Some(value >= limit),
        BinOp::Gt(_) => Some(value > limit),
        BinOp::Eq(_) => Some(value == limit),
        _ => None,
    }
}
