//! From a graph to the language's structures: sequences, sums and concatenations, each inside another one.
//!
//! Where branches meet, they began at the last value that all of them come from: the immediate dominator of the place where they meet.
//! A graph is said this way if each layer is in one branch alone. Others, in which a branch reads what is inside another one, have no
//! place in the language, and are refused.

use super::draft::{Draft, Id, Op};
use super::error::ImportError;

/// What stands in a sequence.
pub enum Statement {
    Layer(Id),
    /// A sum: the body and what is added to it, the value before where that is empty.
    Residual {
        is_gate: bool,
        at: Id,
        from: Id,
        body: Vec<Statement>,
        shortcut: Vec<Statement>,
    },
    /// Branches side by side; an empty one is the value before.
    Concat {
        at: Id,
        branches: Vec<Vec<Statement>>,
    },
    /// A further output, one of the draft's by its number, made of the value before it.
    Output {
        number: usize,
        from: Id,
        body: Vec<Statement>,
    },
}

/// Structures inside structures; the language reads so many brackets.
const DEPTH: usize = 24;

/// The layers from the input to the outputs.
pub fn tree(draft: &Draft, said: &dyn Fn(Id) -> String) -> Result<Vec<Statement>, ImportError> {
    let mut builder = Builder { draft, dominators: dominators(draft), used: vec![false; draft.nodes.len()], said };
    let mut statements = builder.way(0, draft.end(), 0)?;
    // The nearer to the input, the earlier: others may begin there.
    let mut further: Vec<(usize, Id)> = draft.outputs.iter().map(|output| output.id).enumerate().skip(1).collect();
    further.sort_by_key(|(_, id)| *id);
    for (number, id) in further {
        let mut from = id;
        while from > 0 && !builder.used[from] {
            from = builder.dominators[from];
        }
        let body = builder.way(from, id, 0)?;
        let left = put(&mut statements, Statement::Output { number, from, body });
        if left.is_some() {
            return Err(builder.tangled(from));
        }
    }
    Ok(statements)
}

/// Puts an output behind the statement that gives the value that it is made of; gives it back where there is none.
fn put(statements: &mut Vec<Statement>, output: Statement) -> Option<Statement> {
    let Statement::Output { from, .. } = output else { return Some(output) };
    let gives = |statement: &Statement| match statement {
        Statement::Layer(at) | Statement::Residual { at, .. } | Statement::Concat { at, .. } => *at == from,
        Statement::Output { .. } => false,
    };
    let place = if from == 0 { Some(0) } else { statements.iter().position(gives).map(|at| at + 1) };
    if let Some(mut place) = place {
        // Behind those that begin there, too.
        let is_beside =
            |statement: &Statement| matches!(statement, Statement::Output { from: other, .. } if *other == from);
        place += statements[place..].iter().take_while(|statement| is_beside(statement)).count();
        statements.insert(place, output);
        return None;
    }
    let mut left = Some(output);
    for statement in statements {
        let lists: Vec<&mut Vec<Statement>> = match statement {
            Statement::Layer(_) => Vec::new(),
            Statement::Residual { body, shortcut, .. } => vec![body, shortcut],
            Statement::Concat { branches, .. } => branches.iter_mut().collect(),
            Statement::Output { body, .. } => vec![body],
        };
        for list in lists {
            left = left.and_then(|output| put(list, output));
        }
    }
    left
}

/// For each value the last one before it that all ways from the input to it go through.
fn dominators(draft: &Draft) -> Vec<Id> {
    let mut found = vec![0; draft.nodes.len()];
    for (id, node) in draft.nodes.iter().enumerate().skip(1) {
        let mut inputs = node.inputs.iter().copied();
        let mut common = inputs.next().unwrap_or(0);
        for mut other in inputs {
            // Dominators come earlier than what they dominate.
            while common != other {
                if common > other { common = found[common] } else { other = found[other] }
            }
        }
        found[id] = common;
    }
    found
}

struct Builder<'a> {
    draft: &'a Draft,
    dominators: Vec<Id>,
    used: Vec<bool>,
    said: &'a dyn Fn(Id) -> String,
}

impl Builder<'_> {
    /// The statements that make `to` of `from`.
    fn way(&mut self, from: Id, to: Id, depth: usize) -> Result<Vec<Statement>, ImportError> {
        if depth > DEPTH {
            return Err(ImportError::Structure(format!("branches of this model are nested more than {DEPTH} deep")));
        }
        let (mut found, mut at) = (Vec::new(), to);
        while at != from {
            if at < from {
                return Err(self.tangled(to));
            }
            if std::mem::replace(&mut self.used[at], true) {
                return Err(self.tangled(at));
            }
            let node = &self.draft.nodes[at];
            let start = self.dominators[at];
            let statement = match node.op {
                Op::Layer(_) => Statement::Layer(at),
                Op::Concat => Statement::Concat { at, branches: self.branches(at, start, &node.inputs, depth)? },
                Op::Gate => self.product(at, start, depth)?,
                Op::Add | Op::Input | Op::Step(_) => self.sum(at, start, depth)?,
            };
            found.push(statement);
            at = start;
        }
        found.reverse();
        Ok(found)
    }

    /// The branches that end at these values. Neighbours that part only later are a concatenation in a branch, which exporters write as one
    /// with the other branches.
    fn branches(&mut self, at: Id, start: Id, ends: &[Id], depth: usize) -> Result<Vec<Vec<Statement>>, ImportError> {
        let mut found = Vec::new();
        let mut rest = ends;
        while let Some((first, others)) = rest.split_first() {
            // As many as come from one value behind the start.
            let (mut common, mut count) = (*first, 1);
            for other in others {
                let next = self.common(common, *other);
                if next <= start {
                    break;
                }
                (common, count) = (next, count + 1);
            }
            let (group, after) = rest.split_at(count);
            rest = after;
            let mut branch = self.way(start, common, depth + 1)?;
            if count > 1 {
                let branches = self.branches(at, common, group, depth + 1)?;
                branch.push(Statement::Concat { at, branches });
            }
            found.push(branch);
        }
        Ok(found)
    }

    /// The last value that two have in common.
    fn common(&self, mut a: Id, mut b: Id) -> Id {
        while a != b {
            if a > b { a = self.dominators[a] } else { b = self.dominators[b] }
        }
        a
    }

    fn sum(&mut self, at: Id, from: Id, depth: usize) -> Result<Statement, ImportError> {
        let [first, second] = self.draft.nodes[at].inputs[..] else { return Err(self.tangled(at)) };
        let body = self.way(from, first, depth + 1)?;
        let shortcut = self.way(from, second, depth + 1)?;
        // The longer way is the body; a sum has no order.
        let swapped = count(&shortcut) > count(&body);
        let (body, shortcut) = if swapped { (shortcut, body) } else { (body, shortcut) };
        Ok(Statement::Residual { is_gate: false, at, from, body, shortcut })
    }

    /// The body is what makes the factors, unless that is nothing.
    fn product(&mut self, at: Id, from: Id, depth: usize) -> Result<Statement, ImportError> {
        let [map, factors] = self.draft.nodes[at].inputs[..] else { return Err(self.tangled(at)) };
        let shortcut = self.way(from, map, depth + 1)?;
        let body = self.way(from, factors, depth + 1)?;
        let (body, shortcut) = if body.is_empty() { (shortcut, body) } else { (body, shortcut) };
        Ok(Statement::Residual { is_gate: true, at, from, body, shortcut })
    }

    fn tangled(&self, id: Id) -> ImportError {
        ImportError::Structure(format!(
            "the branches of this model are not nested: {} is read in a branch and outside of it, and those of `residual` and `concat` \
             begin at one value",
            (self.said)(id)
        ))
    }
}

/// The numbers of the further outputs, in the order in which they are written.
pub fn order(statements: &[Statement]) -> Vec<usize> {
    let mut found = Vec::new();
    for statement in statements {
        match statement {
            Statement::Layer(_) => {}
            Statement::Residual { body, shortcut, .. } => found.extend([order(body), order(shortcut)].concat()),
            Statement::Concat { branches, .. } => branches.iter().for_each(|branch| found.extend(order(branch))),
            Statement::Output { number, body, .. } => {
                // Its own layers come first.
                found.extend(order(body));
                found.push(*number);
            }
        }
    }
    found
}

/// How many layers there are.
fn count(statements: &[Statement]) -> usize {
    let one = |statement: &Statement| match statement {
        Statement::Layer(_) => 1,
        Statement::Residual { body, shortcut, .. } => count(body) + count(shortcut),
        Statement::Concat { branches, .. } => branches.iter().map(|branch| count(branch)).sum(),
        Statement::Output { body, .. } => count(body),
    };
    statements.iter().map(one).sum()
}
