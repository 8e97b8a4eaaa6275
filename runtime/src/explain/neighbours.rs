//! Nearest neighbours: which pictures a layer takes to be alike, beside those whose pixels are.

use super::responses::each_batch;
use super::{ExplainError, Progress, Subject, Volume};
use crate::data::Loader;

/// What each of some pictures is like, in one space.
#[derive(Debug, Clone, PartialEq)]
pub struct Index {
    /// Numbers of one picture.
    len: usize,
    /// `[pictures, len]`
    features: Vec<f32>,
    /// Class of each picture.
    pub labels: Vec<usize>,
    /// Where each picture is in its dataset.
    pub indices: Vec<usize>,
}

/// A picture that is like another one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbour {
    /// Where the picture is in its dataset.
    pub index: usize,
    /// Its class.
    pub label: usize,
    /// Euclidean distance.
    pub distance: f32,
}

impl Index {
    /// An index of the values of a layer for all pictures, as Krizhevsky et al. (2012, section 6.1) compare them. Node 0, the input, compares
    /// pixels.
    ///
    /// # Errors
    /// When there are no pictures, they cannot be read, or the device fails.
    pub fn new(
        subject: &dyn Subject,
        node: usize,
        pictures: &Loader,
        progress: Progress<'_>,
    ) -> Result<Self, ExplainError> {
        let len = subject.graph().nodes[node].shape.len();
        let mut index = Index { len, features: Vec::new(), labels: Vec::new(), indices: Vec::new() };
        each_batch(pictures, progress, &mut |pixels, labels, indices| {
            index.features.extend(features(subject, node, pixels)?);
            index.labels.extend(labels);
            index.indices.extend(indices);
            Ok(())
        })?;
        Ok(index)
    }

    /// The `k` pictures nearest to one that is given by its features, nearest first; that at `index` in the dataset is left out.
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

    /// The features of picture `i` of this index.
    pub fn features(&self, i: usize) -> &[f32] {
        &self.features[i * self.len..(i + 1) * self.len]
    }

    /// How often, among the `k` nearest neighbours of each of the first `queries` pictures, one is of the same class.
    pub fn agreement(&self, k: usize, queries: usize) -> f64 {
        let queries = queries.min(self.labels.len());
        let same = |i: usize| {
            let near = self.nearest(self.features(i), k, Some(self.indices[i]));
            near.iter().filter(|neighbour| neighbour.label == self.labels[i]).count() as f64 / near.len().max(1) as f64
        };
        (0..queries).map(same).sum::<f64>() / queries.max(1) as f64
    }
}

/// The features of a picture in the space of a node.
///
/// # Errors
/// When the picture is not the network's, or the device fails.
pub fn features_of(subject: &dyn Subject, node: usize, picture: &Volume) -> Result<Vec<f32>, ExplainError> {
    let graph = subject.graph();
    features(subject, node, &picture.of_network(graph)?.values)
}

fn features(subject: &dyn Subject, node: usize, pixels: &[f32]) -> Result<Vec<f32>, ExplainError> {
    match node {
        0 => Ok(pixels.to_vec()),
        _ => Ok(subject.values(&[(0, pixels)], &[node])?.remove(0)),
    }
}
