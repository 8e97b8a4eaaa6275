//! Maps whose channels are those of other maps in another order: concatenations, slices and shuffles of channels.
//!
//! Where only others of their kind read such a value, nobody writes it: the last of the chain collects its channels from where they were
//! written first. So half of the channels of a ShuffleNet's unit pass through the units that follow it without being copied.

use super::Planner;
use crate::node::Collected;
use crate::ops::operation;
use convnet_graph::Shape;

impl Planner<'_> {
    /// Finds where the channels of all maps come from that are only moved.
    pub(super) fn collect(&mut self) {
        let moved: Vec<_> = (0..self.graph.nodes.len()).map(|id| self.moved(id)).collect();
        let mut present: Vec<bool> = moved.iter().map(Option::is_none).collect();
        self.key.part.outputs.iter().for_each(|output| present[*output] = true);
        for id in self.order.iter().filter(|id| moved[**id].is_none()) {
            self.graph.nodes[*id].inputs.iter().for_each(|input| present[*input] = true);
        }
        for (id, moved) in moved.into_iter().enumerate() {
            let Some(moved) = moved else { continue };
            let mut inputs = Vec::new();
            for input in &*self.graph.nodes[id].inputs {
                match self.nodes[*input].collected.as_ref().filter(|_| !present[*input]) {
                    Some(collected) => inputs.extend_from_slice(&collected.channels),
                    None => {
                        inputs.extend((0..self.graph.nodes[*input].shape.chw()[0]).map(|channel| (*input, channel)))
                    }
                }
            }
            let channels = moved.into_iter().map(|index| inputs[index]).collect();
            self.nodes[id].collected = Some(Collected { channels, present: present[id] });
        }
    }

    /// Where the channels of `id` are among those of its inputs, if it only moves channels of maps.
    fn moved(&self, id: usize) -> Option<Vec<usize>> {
        let node = &self.graph.nodes[id];
        let is_map = |id: &usize| matches!(self.graph.nodes[*id].shape, Shape::Map(_));
        let is_computed = self.order.binary_search(&id).is_ok();
        let are_maps = node.inputs.iter().chain([&id]).all(is_map);
        operation(&node.op).moved(node.shape.chw()[0]).filter(|_| is_computed && are_maps)
    }

    /// Whether the value of `id` is nowhere, since who would read it collects its channels.
    pub(super) fn is_passed_over(&self, id: usize) -> bool {
        self.nodes[id].collected.as_ref().is_some_and(|collected| !collected.present)
    }
}
