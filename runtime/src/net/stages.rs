//! Runs a part of a network that may hold `custom` modules.
//!
//! A custom module is code, which no executor knows, so the graph is cut there: a *stage* is everything that can be
//! computed before the next custom module has to run. Each node belongs to one stage and is computed once, so dropout
//! and running statistics are what they would be in one piece. Without custom modules there is one stage.

use super::any::AnyNetwork;
use super::params::params;
use crate::backend::{Backend, Job, Map, Outcome, Pass, Real, Recording};
use crate::graph::{Graph, Op, Subgraph};
use dfdx::prelude::*;
use std::collections::BTreeMap;

/// Computes `part` of a network in evaluation mode.
pub(super) fn evaluate<E: Real, D: Backend<E>>(
    net: &dyn AnyNetwork<E, D>,
    part: &Subgraph,
    inputs: Vec<Map<E, D>>,
    tape: Recording<E, D>,
) -> Result<Outcome<E, D>, D::Err> {
    let (graph, params, pass, fixed) = (net.graph(), params(net)?, Pass::EVAL, &[][..]);
    if !has_custom(graph, part) {
        return D::run(Job { graph, part, params, inputs, pass, fixed }, net.state(), tape);
    }
    let mut piece = |job: Job<'_, E, D>, tape| D::run(job, net.state(), tape);
    let mut custom = |index, x: Map<E, D>, tape: Recording<E, D>| match tape {
        None => Ok((net.custom(index, x)?, None)),
        Some(tape) => net.custom_traced(index, x.put_tape(tape)).map(split),
    };
    in_stages(Job { graph, part, params, inputs, pass, fixed }, tape, &mut piece, &mut custom)
}

/// Computes `part` of a network in training mode; the nodes that are `fixed` do not learn.
pub(super) fn train<E: Real, D: Backend<E>>(
    net: &mut dyn AnyNetwork<E, D>,
    part: &Subgraph,
    inputs: Vec<Map<E, D>>,
    tape: Recording<E, D>,
    pass: Pass,
    fixed: &[usize],
) -> Result<Outcome<E, D>, D::Err> {
    let params = params(net)?;
    if !has_custom(net.graph(), part) {
        return D::run(Job { graph: net.graph(), part, params, inputs, pass, fixed }, net.state(), tape);
    }
    // The custom modules are lent mutably meanwhile.
    let (graph, state) = (net.graph().clone(), net.state().share());
    let mut piece = |job: Job<'_, E, D>, tape| D::run(job, &state, tape);
    let mut custom = |index, x: Map<E, D>, tape: Recording<E, D>| match tape {
        None => Ok((net.custom_mut(index, x)?, None)),
        Some(tape) => net.custom_mut_traced(index, x.put_tape(tape)).map(split),
    };
    in_stages(Job { graph: &graph, part, params, inputs, pass, fixed }, tape, &mut piece, &mut custom)
}

fn split<E: Real, D: Backend<E>>(x: super::any::Traced<E, D>) -> (Map<E, D>, Recording<E, D>) {
    let (x, tape) = x.split_tape();
    (x, Some(tape))
}

/// Runs what lies between custom modules.
type Piece<'a, E, D> = dyn FnMut(Job<'_, E, D>, Recording<E, D>) -> Result<Outcome<E, D>, <D as HasErr>::Err> + 'a;
/// Runs the custom module with an index.
type Run<'a, E, D> =
    dyn FnMut(usize, Map<E, D>, Recording<E, D>) -> Result<(Map<E, D>, Recording<E, D>), <D as HasErr>::Err> + 'a;

fn in_stages<E: Real, D: Backend<E>>(
    job: Job<'_, E, D>,
    tape: Recording<E, D>,
    run: &mut Piece<'_, E, D>,
    custom: &mut Run<'_, E, D>,
) -> Result<Outcome<E, D>, D::Err> {
    let Job { graph, part, params, inputs, mut pass, fixed } = job;
    let covered = part.covered(graph);
    let stage = stages(graph, &covered);
    let mut known: BTreeMap<usize, Map<E, D>> = part.inputs.iter().copied().zip(inputs).collect();
    let mut outcome = Outcome { outputs: Vec::new(), tape, running: Vec::new() };
    for now in 0..=stage.iter().copied().max().unwrap_or(0) {
        let here = |id: usize| covered[id] && stage[id] == now;
        let piece = piece(graph, part, &covered, |id| here(id) && !is_custom(graph, id));
        if !piece.outputs.is_empty() {
            let inputs = piece.inputs.iter().map(|id| known[id].clone()).collect();
            let job = Job { graph, part: &piece, params: params.clone(), inputs, pass, fixed };
            let found = run(job, outcome.tape.take())?;
            known.extend(piece.outputs.into_iter().zip(found.outputs));
            outcome.running.extend(found.running);
            outcome.tape = found.tape;
        }
        for (id, node) in graph.nodes.iter().enumerate().filter(|(id, _)| here(*id)) {
            let Op::Custom(index) = node.op else { continue };
            let (y, tape) = custom(index, known[&node.inputs[0]].clone(), outcome.tape.take())?;
            outcome.tape = tape;
            known.insert(id, y);
        }
        // What comes next reads values that were computed on the tape.
        pass.input_grad = true;
    }
    outcome.outputs = part.outputs.iter().map(|id| known[id].clone()).collect();
    Ok(outcome)
}

fn has_custom(graph: &Graph, part: &Subgraph) -> bool {
    let covered = part.covered(graph);
    (0..graph.nodes.len()).any(|id| covered[id] && is_custom(graph, id))
}

fn is_custom(graph: &Graph, id: usize) -> bool {
    matches!(graph.nodes[id].op, Op::Custom(_))
}

/// For each covered node, how many custom modules have to run before it, one after the other.
fn stages(graph: &Graph, covered: &[bool]) -> Vec<usize> {
    let mut stage = vec![0; graph.nodes.len()];
    for (id, node) in graph.nodes.iter().enumerate().filter(|(id, _)| covered[*id]) {
        let after = |input: &usize| stage[*input] + usize::from(covered[*input] && is_custom(graph, *input));
        stage[id] = node.inputs.iter().map(after).max().unwrap_or(0);
    }
    stage
}

/// The nodes that are `here`, with what they read from before and what is read of them later.
fn piece(graph: &Graph, part: &Subgraph, covered: &[bool], here: impl Fn(usize) -> bool) -> Subgraph {
    let mut piece = Subgraph { inputs: Vec::new(), outputs: Vec::new() };
    for (id, node) in graph.nodes.iter().enumerate().filter(|(id, _)| covered[*id]) {
        for input in &*node.inputs {
            match (here(*input), here(id)) {
                (false, true) if !piece.inputs.contains(input) => piece.inputs.push(*input),
                (true, false) if !piece.outputs.contains(input) => piece.outputs.push(*input),
                _ => {}
            }
        }
        if here(id) && part.outputs.contains(&id) && !piece.outputs.contains(&id) {
            piece.outputs.push(id);
        }
    }
    piece
}
