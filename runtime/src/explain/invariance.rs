//! What layers stop telling apart: how much their values change when the picture is shifted or turned, before and after
//! pooling.

use super::unit::layers;
use super::{ExplainError, Progress, Subject, Volume};
use crate::data::Normalisation;
use crate::data::augment::picture::Image;
use crate::graph::{Category, Op};

/// What is done to pictures.
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
    /// For each amount, the length of the difference as a share of the length of the values before; the mean over all pictures.
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

/// How layers answer to a change by each of these amounts. What comes into the picture is black.
///
/// # Errors
/// When there are no pictures or layers, a picture is not the network's, or the device fails.
pub fn invariance(
    subject: &dyn Subject,
    nodes: &[usize],
    pictures: &[Volume],
    normalisation: &Normalisation,
    change: Change,
    amounts: &[f64],
    progress: Progress<'_>,
) -> Result<Vec<Response>, ExplainError> {
    let graph = subject.graph();
    let shape = graph.input().chw();
    if pictures.is_empty() || nodes.is_empty() {
        let what = if nodes.is_empty() { "layers to compare (there is no pooling)" } else { "pictures to change" };
        return Err(ExplainError::TooFew(format!("there are no {what}")));
    }
    let black = Volume::black(shape, normalisation);
    let mut responses: Vec<Response> =
        nodes.iter().map(|node| Response { node: *node, changes: vec![0.0; amounts.len()] }).collect();
    for (done, picture) in pictures.iter().enumerate() {
        let picture = picture.of_network(graph)?;
        let mut batch = picture.values.clone();
        for amount in amounts {
            let mut image = Image { shape, values: picture.zip(&black, |x, black| x - black).values };
            match change {
                Change::Shift => image.shift([0, amount.round() as isize]),
                Change::Turn => image.rotate(amount.to_radians()),
            }
            batch.extend(image.values.iter().zip(&black.values).map(|(x, black)| x + black));
        }
        for (response, values) in responses.iter_mut().zip(subject.values(&[(0, &batch)], nodes)?) {
            let mut images = values.chunks_exact(values.len() / (amounts.len() + 1));
            let Some(still) = images.next() else { continue };
            let length: f64 = still.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
            for (sum, moved) in response.changes.iter_mut().zip(images) {
                let square = |(a, b): (&f32, &f32)| f64::from(a - b) * f64::from(a - b);
                let distance: f64 = moved.iter().zip(still).map(square).sum();
                *sum += (distance / length.max(f64::MIN_POSITIVE)).sqrt() / pictures.len() as f64;
            }
        }
        progress(done + 1, pictures.len());
    }
    Ok(responses)
}
