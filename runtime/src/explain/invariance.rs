//! What layers stop telling apart: how much their values change when the image is shifted or turned, before and after
//! pooling.

use super::unit::layers;
use super::{ExplainError, Inspectable, Progress, Volume};
use crate::data::Normalisation;
use crate::data::augment::float_image::FloatImage;
use crate::graph::{Category, Op};

/// What is done to images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Moved to the right by so many pixels.
    Shift,
    /// Turned about the middle, against the clock, by so many degrees.
    Turn,
}

/// How much a layer changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// Its node.
    pub node: usize,
    /// For each amount, the length of the difference as a share of the length of the values before; the mean over all images.
    /// 0 is invariance.
    pub changes: Vec<f64>,
}

/// The layers that the question is about: everything that pools, over places or channels, and what it pools.
pub fn pooling(graph: &crate::graph::Graph) -> Vec<usize> {
    let pools = |op: &Op| op.category() == Category::Pool;
    let pairs = layers(graph).filter(|(_, node)| pools(&node.op)).flat_map(|(id, node)| [node.inputs[0], id]);
    let mut nodes: Vec<usize> = pairs.filter(|id| *id != 0).collect();
    nodes.sort_unstable();
    nodes.dedup();
    nodes
}

/// How layers answer to a change by each of these amounts. What comes into the image is black.
///
/// # Errors
/// When there are no images or layers, an image is not the network's, or the device fails.
pub fn invariance(
    network: &dyn Inspectable,
    nodes: &[usize],
    images: &[Volume],
    normalisation: &Normalisation,
    change: Change,
    amounts: &[f64],
    progress: Progress<'_>,
) -> Result<Vec<Response>, ExplainError> {
    let graph = network.graph();
    let shape = graph.input().chw();
    if images.is_empty() || nodes.is_empty() {
        let what = if nodes.is_empty() { "layers to compare (there is no pooling)" } else { "images to change" };
        return Err(ExplainError::TooFew(format!("there are no {what}")));
    }
    let black = Volume::black(shape, normalisation);
    let mut responses: Vec<Response> =
        nodes.iter().map(|node| Response { node: *node, changes: vec![0.0; amounts.len()] }).collect();
    for (done, image) in images.iter().enumerate() {
        let image = image.of_network(graph)?;
        let mut batch = image.values.clone();
        for amount in amounts {
            let mut image = FloatImage { shape, values: image.zip(&black, |x, black| x - black).values };
            match change {
                Change::Shift => image.shift([0, amount.round() as isize]),
                Change::Turn => image.rotate(amount.to_radians()),
            }
            batch.extend(image.values.iter().zip(&black.values).map(|(x, black)| x + black));
        }
        for (response, values) in responses.iter_mut().zip(network.values(&[(0, &batch)], nodes)?) {
            let mut seen = values.chunks_exact(values.len() / (amounts.len() + 1));
            let Some(still) = seen.next() else { continue };
            let length: f64 = still.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
            for (sum, moved) in response.changes.iter_mut().zip(seen) {
                let square = |(a, b): (&f32, &f32)| f64::from(a - b) * f64::from(a - b);
                let distance: f64 = moved.iter().zip(still).map(square).sum();
                *sum += (distance / length.max(f64::MIN_POSITIVE)).sqrt() / images.len() as f64;
            }
        }
        progress(done + 1, images.len());
    }
    Ok(responses)
}
