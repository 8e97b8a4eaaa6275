//! What layers respond to: their filters, the images and places that drive a channel most, and how much of a layer stays
//! silent.

use super::unit::{layers, maps, strongest};
use super::{ExplainError, Inspectable, Progress, Volume, field};
use crate::data::Loader;
use crate::graph::{Conv, Op, Shape};

/// The filters of a convolution, each `[C / groups, kh, kw]`.
///
/// # Errors
/// [`ExplainError::Method`] when the layer is no convolution, or has a connection table.
pub fn filters(network: &dyn Inspectable, layer: usize) -> Result<Vec<Volume>, ExplainError> {
    let graph = network.graph();
    let node = &graph.nodes[layer];
    let has_filters = |op: &Op| matches!(op, Op::Conv(Conv { connections: None, .. }));
    if !has_filters(&node.op) {
        let fits =
            layers(graph).filter(|(_, node)| has_filters(&node.op)).map(|(_, node)| node.name.to_string()).collect();
        let found = match matches!(node.op, Op::Conv(_)) {
            true => format!("`{}` has a connection table", node.name),
            false => format!("`{}` is a {}", node.name, node.op.word()),
        };
        return Err(ExplainError::Method { method: "showing filters", needs: "needs a convolution", found, fits });
    }
    let [_, channels, height, width] = *graph.params_of(layer)[0].shape else { return Ok(Vec::new()) };
    let weight = network.params(layer)?.swap_remove(0);
    let filter = |values: &[f32]| Volume::new([channels, height, width], values.to_vec());
    Ok(weight.chunks_exact(channels * height * width).map(filter).collect())
}

/// The values of a layer for an image, `[C, H, W]`.
///
/// # Errors
/// When the image is not the network's, or the device fails.
pub fn activation(network: &dyn Inspectable, layer: usize, image: &Volume) -> Result<Volume, ExplainError> {
    let graph = network.graph();
    let image = image.of_network(graph)?;
    let values = network.values(&[(0, &image.values)], &[layer])?.remove(0);
    Ok(Volume { shape: graph.nodes[layer].shape.chw(), values })
}

/// How much of a layer is silent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sparsity {
    /// Its node.
    pub node: usize,
    /// Share of its values that are exactly zero, over all images.
    pub zeros: f64,
    /// Share of its channels that are zero everywhere in all images.
    pub dead: f64,
}

/// The share of zero responses of each layer that can be silent, by depth: of the activations or, in a network without any, of
/// all layers.
///
/// # Errors
/// When there are no images, they cannot be read, or the device fails.
pub fn sparsity(
    network: &dyn Inspectable,
    images: &Loader,
    progress: Progress<'_>,
) -> Result<Vec<Sparsity>, ExplainError> {
    let graph = network.graph();
    let is_activation = |op: &Op| matches!(op, Op::Activation(_) | Op::Prelu { .. });
    let all: Vec<usize> = layers(graph).map(|(id, _)| id).collect();
    let mut nodes: Vec<usize> = all.iter().copied().filter(|id| is_activation(&graph.nodes[*id].op)).collect();
    if nodes.is_empty() {
        nodes = all;
    }
    let mut zeros = vec![0_u64; nodes.len()];
    let mut seen = vec![0_u64; nodes.len()];
    let mut alive: Vec<Vec<bool>> = nodes.iter().map(|id| vec![false; graph.nodes[*id].shape.chw()[0]]).collect();
    each_batch(images, progress, &mut |pixels, _, _| {
        for (i, values) in network.values(&[(0, pixels)], &nodes)?.iter().enumerate() {
            let [channels, height, width] = graph.nodes[nodes[i]].shape.chw();
            for (plane, values) in values.chunks_exact(height * width).enumerate() {
                let silent = values.iter().filter(|x| **x == 0.0).count();
                zeros[i] += silent as u64;
                alive[i][plane % channels] |= silent < values.len();
            }
            seen[i] += values.len() as u64;
        }
        Ok(())
    })?;
    let of = |i: usize| {
        let dead = alive[i].iter().filter(|alive| !**alive).count();
        let zeros = zeros[i] as f64 / seen[i].max(1) as f64;
        Sparsity { node: nodes[i], zeros, dead: dead as f64 / alive[i].len() as f64 }
    };
    Ok((0..nodes.len()).map(of).collect())
}

/// A place in an image that drives a channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Driver {
    /// Where the image is in the dataset.
    pub index: usize,
    /// The channel's value.
    pub value: f32,
    /// The part of the image that the neuron sees, `[C, h, w]`, as the network takes it.
    pub patch: Volume,
}

/// For each channel of a feature map, the `best` images that drive it most, each cut to what the strongest neuron sees. This is
/// how filters of deeper layers are looked at, whose weights say nothing to the eye.
///
/// # Errors
/// [`ExplainError::Method`] when the layer gives a vector; when there are no images, they cannot be read, or the device fails.
pub fn strongest_inputs(
    network: &dyn Inspectable,
    layer: usize,
    images: &Loader,
    best: usize,
    progress: Progress<'_>,
) -> Result<Vec<Vec<Driver>>, ExplainError> {
    let graph = network.graph();
    let node = &graph.nodes[layer];
    let Shape::Map([channels, height, width]) = node.shape else {
        let found = format!("`{}` gives a vector {}", node.name, node.shape);
        let method = "finding strongest inputs";
        return Err(ExplainError::Method { method, needs: "needs a feature map", found, fits: maps(graph) });
    };
    let input = graph.input();
    let mut drivers: Vec<Vec<Driver>> = vec![Vec::new(); channels];
    each_batch(images, progress, &mut |pixels, _, indices| {
        let values = network.values(&[(0, pixels)], &[layer])?.remove(0);
        for (i, (plane, index)) in values.chunks_exact(height * width).zip((0..).map(|i| i / channels)).enumerate() {
            let place = strongest(plane);
            let own = &mut drivers[i % channels];
            // A map without a single number has no strongest place.
            if plane[place].is_nan() {
                continue;
            }
            if own.len() == best && own.last().is_some_and(|least| least.value >= plane[place]) {
                continue;
            }
            let pixels = pixels[index * input.len()..][..input.len()].to_vec();
            let image = Volume { shape: input.chw(), values: pixels };
            let seen = field::theoretical(graph, layer, [place / width, place % width]);
            own.push(Driver { index: indices[index], value: plane[place], patch: seen.cut(&image) });
            own.sort_by(|a, b| b.value.total_cmp(&a.value));
            own.truncate(best);
        }
        Ok(())
    })?;
    Ok(drivers)
}

/// Calls `f` with the pixels, labels and indices of each batch.
pub(super) fn each_batch(
    images: &Loader,
    progress: Progress<'_>,
    f: &mut dyn FnMut(&[f32], &[usize], &[usize]) -> Result<(), ExplainError>,
) -> Result<(), ExplainError> {
    let (mut done, batches) = (0, images.batches());
    if batches == 0 {
        return Err(ExplainError::TooFew("there are no images to look at".into()));
    }
    for batch in images.epoch(0, 0) {
        let batch = batch?;
        if !batch.labels.is_empty() {
            f(&batch.pixels, &batch.labels, &batch.indices)?;
        }
        done += 1;
        progress(done, batches);
    }
    Ok(())
}
