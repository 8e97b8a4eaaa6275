//! From a graph, a batch size and a kind of pass to a program: what is computed where, in which order.
//!
//! [`draft`](super::draft) walks the graph to find slots, their layouts and lifetimes; [`regions`](super::regions) gives all of
//! them places in one arena; [`emit`](super::emit) then writes the steps. A plan keeps nothing of the graph.

use super::draft::Drafting;
use super::emit;
use super::error::EngineError;
use super::limits;
use super::node::Draft;
use super::plan::{Plan, Purpose};
use super::regions::Regions;
use convnet_graph::Graph;

/// Plans the passes of `graph` for `purpose`.
///
/// # Errors
/// When the sizes are beyond all memory, or the part is not one that can be planned.
pub fn plan(graph: &Graph, purpose: Purpose) -> Result<Plan, EngineError> {
    limits::check(graph, &purpose)?;
    let (draft, regions) = Drafting::new(graph, purpose).finish();
    finish(draft, regions)
}

/// A plan for fewer images in the arena of `full`, whose packed parameters it uses.
///
/// # Errors
/// As for [`plan`].
pub fn smaller(full: &Plan, graph: &Graph, batch: usize) -> Result<Plan, EngineError> {
    let (mut draft, regions) = Drafting::new(graph, full.purpose.clone()).finish();
    draft.purpose.batch = batch.min(full.purpose.batch);
    for geometry in draft.nodes.iter_mut().filter_map(|node| node.geometry.as_mut()) {
        geometry.batch = draft.purpose.batch;
    }
    finish(draft, regions)
}

fn finish(draft: Draft<'_>, regions: Regions) -> Result<Plan, EngineError> {
    let places = regions.place().filter(|places| places.len <= limits::MOST).ok_or(EngineError::OutOfMemory)?;
    Ok(emit::plan(draft, places))
}
