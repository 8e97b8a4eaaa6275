//! Runs a part of a network that may hold `custom` modules.
//!
//! A custom module is code, which no executor knows, so the graph is cut there: a *stage* is everything that can be
//! computed before the next custom module has to run. Each node belongs to one stage and is computed once, so dropout
//! and running statistics are what they would be in one piece. Without custom modules there is one stage.

use crate::backend::{Backend, Map, NetTape, Outcome, Pass, Real, State};
use crate::graph::{Graph, Op, Subgraph};
use dfdx::prelude::*;
use std::collections::BTreeMap;

/// What all stages of a pass share.
pub(super) struct Stages<'a, E: Dtype, D: Storage<E>> {
    pub graph: &'a Graph,
    pub state: &'a State,
    /// In [`Graph::params`] order.
    pub params: Vec<Map<E, D>>,
    pub pass: Pass,
}

impl<E: Real, D: Backend<E>> Stages<'_, E, D> {
    /// Computes `part` of the graph; `custom` runs the custom module with an index.
    pub fn run<T: NetTape<E, D>>(
        self,
        part: &Subgraph,
        inputs: Vec<Map<E, D>>,
        tape: T,
        mut custom: impl FnMut(usize, Map<E, D, T>) -> Result<Map<E, D, T>, D::Err>,
    ) -> Result<Outcome<E, D, T>, D::Err> {
        let Stages { graph, state, params, mut pass } = self;
        let covered = part.covered(graph);
        let customs: Vec<usize> = (0..graph.nodes.len()).filter(|id| covered[*id] && is_custom(graph, *id)).collect();
        if customs.is_empty() {
            return D::run(graph, state, part, params, inputs, tape, pass);
        }
        let stage = stages(graph, &covered);
        let mut known: BTreeMap<usize, Map<E, D>> = part.inputs.iter().copied().zip(inputs).collect();
        let mut outcome = Outcome { outputs: Vec::new(), tape, running: Vec::new() };
        for now in 0..=stage.iter().copied().max().unwrap_or(0) {
            let here = |id: usize| covered[id] && stage[id] == now && !is_custom(graph, id);
            let piece = piece(graph, part, &covered, here);
            if !piece.outputs.is_empty() {
                let given = piece.inputs.iter().map(|id| known[id].clone()).collect();
                let tape = std::mem::take(&mut outcome.tape);
                let found = D::run(graph, state, &piece, params.clone(), given, tape, pass)?;
                known.extend(piece.outputs.into_iter().zip(found.outputs));
                outcome.running.extend(found.running);
                outcome.tape = found.tape;
            }
            for id in customs.iter().copied().filter(|id| stage[*id] == now) {
                let Op::Custom(index) = graph.nodes[id].op else { continue };
                let x = known[&graph.nodes[id].inputs[0]].clone();
                let y = custom(index, x.put_tape(std::mem::take(&mut outcome.tape)))?;
                let (y, tape) = y.split_tape();
                outcome.tape = tape;
                known.insert(id, y);
            }
            // What comes next reads values that were computed on the tape.
            pass.input_grad = true;
        }
        outcome.outputs = part.outputs.iter().map(|id| known[id].clone()).collect();
        Ok(outcome)
    }
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
