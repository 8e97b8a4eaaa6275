//! What is asked about: a layer by its name, and in it a class, a channel or one neuron.

use super::ExplainError;
use crate::graph::{Graph, Node, Op, Shape};

/// A part of a layer whose value is to be explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit {
    /// Index in [`Graph::nodes`].
    pub node: usize,
    /// Channel, or element of a vector.
    pub channel: usize,
    /// Where in the feature map.
    pub place: Place,
}

/// Where in a feature map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Everywhere: the mean of the channel.
    Everywhere,
    /// Where the channel is largest for the image.
    Strongest,
    /// In this row and column.
    At([usize; 2]),
    /// Wherever the channel is the largest of all: the mean over the pixels that a network of masks gives to a class (Vinogradova et al., 2020).
    /// Where it is the largest nowhere, as [`Place::Strongest`].
    Region,
}

impl Unit {
    /// A channel, or element of a vector, of a layer.
    ///
    /// # Errors
    /// When there is no such channel or place.
    pub fn new(graph: &Graph, node: usize, channel: usize, place: Place) -> Result<Self, ExplainError> {
        let Node { name, shape, .. } = &graph.nodes[node];
        let [channels, height, width] = shape.chw();
        let mut asked = vec![("channel", channel, channels)];
        if let Place::At([y, x]) = place {
            asked.extend([("row", y, height), ("column", x, width)]);
        }
        match asked.into_iter().find(|(_, asked, there)| asked >= there) {
            Some((what, asked, there)) => {
                Err(ExplainError::Range { what, asked, layer: name.to_string(), shape: *shape, last: there - 1 })
            }
            None => Ok(Unit { node, channel, place }),
        }
    }

    /// A class: an element of the network's output.
    ///
    /// # Errors
    /// When there is no such class.
    pub fn class(graph: &Graph, class: usize) -> Result<Self, ExplainError> {
        Unit::new(graph, graph.output(), class, Place::Everywhere)
    }

    /// The weight of each number of the layer in the unit's value, for some images' activations `[N, C, H, W]`.
    pub fn weights(&self, graph: &Graph, activations: &[f32]) -> Vec<f32> {
        let [channels, height, width] = graph.nodes[self.node].shape.chw();
        let plane = height * width;
        let mut weights = vec![0.0; activations.len()];
        let images = activations.chunks_exact(channels * plane).zip(weights.chunks_exact_mut(channels * plane));
        for (activation, weights) in images {
            let own = self.channel * plane..(self.channel + 1) * plane;
            match self.place {
                Place::Everywhere => weights[own].fill(1.0 / plane as f32),
                Place::Strongest => weights[own.start + strongest(&activation[own])] = 1.0,
                Place::At([y, x]) => weights[own.start + y * width + x] = 1.0,
                Place::Region => {
                    let wins = |at: &usize| strongest_channel(activation, plane, *at) == self.channel;
                    let region: Vec<usize> = (0..plane).filter(wins).collect();
                    match region.len() {
                        0 => weights[own.start + strongest(&activation[own])] = 1.0,
                        n => region.into_iter().for_each(|at| weights[own.start + at] = 1.0 / n as f32),
                    }
                }
            }
        }
        weights
    }

    /// Its value for each of some images.
    pub fn values(&self, graph: &Graph, activations: &[f32]) -> Vec<f32> {
        let len = graph.nodes[self.node].shape.len();
        let weights = self.weights(graph, activations);
        let dot = |(a, w): (&[f32], &[f32])| a.iter().zip(w).map(|(a, w)| f64::from(a * w)).sum::<f64>() as f32;
        activations.chunks_exact(len).zip(weights.chunks_exact(len)).map(dot).collect()
    }
}

/// Where the largest number is; the first of several. What is not a number is the largest only where there is nothing else.
pub fn strongest(values: &[f32]) -> usize {
    let stronger = |i: usize, best: usize| values[i] > values[best] || values[best].is_nan() && !values[i].is_nan();
    (0..values.len()).fold(0, |best, i| if stronger(i, best) { i } else { best })
}

/// The channel that is largest at a place of maps `[C, H, W]` of `plane` pixels each; the first of several.
pub fn strongest_channel(maps: &[f32], plane: usize, at: usize) -> usize {
    strongest(&maps.iter().skip(at).step_by(plane).copied().collect::<Vec<_>>())
}

/// The last feature map of a network that gives one itself where it has the fewest pixels, more than one: what an encoder and decoder have
/// between them.
pub fn narrowest_map(graph: &Graph) -> Option<usize> {
    let pixels = |node: &Node| {
        let gives_maps = matches!(node.op, Op::Activation(_) | Op::Prelu { .. } | Op::Add);
        let [_, height, width] = node.shape.chw();
        Some(height * width).filter(|pixels| gives_maps && *pixels > 1)
    };
    let maps = layers(graph).filter_map(|(id, node)| Some((pixels(node)?, std::cmp::Reverse(id))));
    maps.min().map(|(_, id)| id.0)
}

/// Names of the layers that evaluation computes, with their nodes.
pub(super) fn layers(graph: &Graph) -> impl Iterator<Item = (usize, &Node)> {
    graph.nodes.iter().enumerate().skip(1).filter(|(_, node)| !node.auxiliary)
}

/// The node of a layer.
///
/// # Errors
/// When no layer is called that; the error lists them.
pub fn layer(graph: &Graph, name: &str) -> Result<usize, ExplainError> {
    if let Some((id, _)) = layers(graph).find(|(_, node)| node.name == name) {
        return Ok(id);
    }
    let layers: Vec<&str> = layers(graph).map(|(_, node)| &*node.name).collect();
    let hint = crate::wording::nearest(name, &layers).map(String::from);
    let layers = layers.into_iter().map(String::from).collect();
    Err(ExplainError::Layer { network: graph.name.to_string(), name: name.into(), hint, layers })
}

/// The last feature map of more than one pixel that a convolution, an activation, a sum or a concatenation gives: where
/// Grad-CAM looks. Pooling after it has seen less.
pub fn last_map(graph: &Graph) -> Option<usize> {
    let gives_maps = |node: &Node| {
        let op = matches!(node.op, Op::Conv(_) | Op::Activation(_) | Op::Prelu { .. } | Op::Add | Op::Concat);
        op && matches!(node.shape, Shape::Map([_, h, w]) if h * w > 1)
    };
    layers(graph).filter(|(_, node)| gives_maps(node)).map(|(id, _)| id).last()
}

/// All nodes from which `node` is computed, itself included, in order.
pub(super) fn ancestors(graph: &Graph, node: usize) -> Vec<usize> {
    let part = crate::graph::Subgraph { inputs: vec![0], outputs: vec![node] };
    let covered = part.covered(graph);
    (1..=node).filter(|id| covered[*id]).collect()
}

/// Those of `names` that are feature maps, as suggestions.
pub(super) fn maps(graph: &Graph) -> Vec<String> {
    let is_map = |node: &&Node| matches!(node.shape, Shape::Map([_, h, w]) if h * w > 1);
    layers(graph).map(|(_, node)| node).filter(is_map).map(|node| node.name.to_string()).collect()
}
