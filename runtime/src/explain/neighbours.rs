//! Nearest neighbours: which images a layer takes to be alike, beside those whose pixels are.

use super::responses::each_batch;
use super::{ExplainError, Inspectable, Progress, Volume};
use crate::data::Loader;

/// What each of some images is like, in one space.
#[derive(Debug, Clone, PartialEq)]
pub struct Index {
    /// Numbers of one image.
    len: usize,
    /// `[images, len]`
    features: Vec<f32>,
    /// Class of each image.
    pub labels: Vec<usize>,
    /// Where each image is in its dataset.
    pub indices: Vec<usize>,
}

/// An image that is like another one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbour {
    /// Where the image is in its dataset.
    pub index: usize,
    /// Its class.
    pub label: usize,
    /// Euclidean distance.
    pub distance: f32,
}

impl Index {
    /// An index of the values of a layer for all images, as Krizhevsky et al. (2012, section 6.1) compare them. Node 0, the input, compares
    /// pixels.
    ///
    /// # Errors
    /// When there are no images, they cannot be read, or the device fails.
    pub fn new(
        network: &dyn Inspectable,
        node: usize,
        images: &Loader,
        progress: Progress<'_>,
    ) -> Result<Self, ExplainError> {
        let len = network.graph().nodes[node].shape.len();
        let mut index = Index { len, features: Vec::new(), labels: Vec::new(), indices: Vec::new() };
        each_batch(images, progress, &mut |pixels, labels, indices| {
            index.features.extend(features(network, node, pixels)?);
            index.labels.extend(labels);
            index.indices.extend(indices);
            Ok(())
        })?;
        Ok(index)
    }

    /// The `k` images nearest to one that is given by its features, nearest first; that at `index` in the dataset is left out.
    pub fn nearest(&self, features: &[f32], k: usize, without: Option<usize>) -> Vec<Neighbour> {
        let distance = |i: usize| {
            let own = &self.features[i * self.len..(i + 1) * self.len];
            own.iter().zip(features).map(|(a, b)| (a - b) * (a - b)).sum::<f32>()
        };
        let others = (0..self.labels.len()).filter(|i| Some(self.indices[*i]) != without);
        let mut found: Vec<Neighbour> = others
            .map(|i| Neighbour { index: self.indices[i], label: self.labels[i], distance: distance(i) })
            .collect();
        let order = |a: &Neighbour, b: &Neighbour| a.distance.total_cmp(&b.distance).then(a.index.cmp(&b.index));
        if k < found.len() {
            found.select_nth_unstable_by(k, order);
            found.truncate(k);
        }
        found.sort_by(order);
        found.iter_mut().for_each(|neighbour| neighbour.distance = neighbour.distance.sqrt());
        found
    }

    /// The features of image `i` of this index.
    pub fn features(&self, i: usize) -> &[f32] {
        &self.features[i * self.len..(i + 1) * self.len]
    }

    /// How often, among the `k` nearest neighbours of each of the first `queries` images, one is of the same class.
    pub fn agreement(&self, k: usize, queries: usize) -> f64 {
        let queries = queries.min(self.labels.len());
        let same = |i: usize| {
            let near = self.nearest(self.features(i), k, Some(self.indices[i]));
            near.iter().filter(|neighbour| neighbour.label == self.labels[i]).count() as f64 / near.len().max(1) as f64
        };
        (0..queries).map(same).sum::<f64>() / queries.max(1) as f64
    }
}

/// The features of an image in the space of a node.
///
/// # Errors
/// When the image is not the network's, or the device fails.
pub fn features_of(network: &dyn Inspectable, node: usize, image: &Volume) -> Result<Vec<f32>, ExplainError> {
    let graph = network.graph();
    features(network, node, &image.of_network(graph)?.values)
}

fn features(network: &dyn Inspectable, node: usize, pixels: &[f32]) -> Result<Vec<f32>, ExplainError> {
    match node {
        0 => Ok(pixels.to_vec()),
        _ => Ok(network.values(&[(0, pixels)], &[node])?.remove(0)),
    }
}
