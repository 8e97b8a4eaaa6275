//! Batches of normalised pictures in an order that depends on the seed and the epoch alone.

use super::{Dataset, Pictures};
use rand::seq::SliceRandom;
use rand::{SeedableRng, rngs::StdRng};

/// What is subtracted from pixels between 0 and 1, and what the difference is divided by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalisation {
    /// Mean.
    pub mean: f32,
    /// Standard deviation.
    pub std: f32,
}

impl Normalisation {
    /// The value that a network sees for a byte.
    pub fn apply(self, byte: u8) -> f32 {
        (f32::from(byte) / 255.0 - self.mean) / self.std
    }
}

/// Some pictures with their labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// `[N, C, H, W]`, normalised.
    pub pixels: Vec<f32>,
    /// One a picture.
    pub labels: Vec<u8>,
}

impl Batch {
    /// Labels as one-hot rows `[N, classes]`.
    pub fn one_hot(&self, classes: usize) -> Vec<f32> {
        let mut rows = vec![0.0; self.labels.len() * classes];
        for (row, label) in rows.chunks_exact_mut(classes).zip(&self.labels) {
            row[usize::from(*label)] = 1.0;
        }
        rows
    }
}

/// The batches of one pass over a dataset; the last one may be smaller.
pub struct Batches<'a> {
    data: &'a Pictures,
    table: [f32; 256],
    order: Vec<u32>,
    size: usize,
    next: usize,
}

impl<'a> Batches<'a> {
    /// Batches of `size` (at least 1) in the order of the dataset.
    pub fn in_order(data: &'a Pictures, size: usize, normalisation: Normalisation) -> Self {
        let order = (0..data.len() as u32).collect();
        let table = std::array::from_fn(|byte| normalisation.apply(byte as u8));
        Batches { data, table, order, size: size.max(1), next: 0 }
    }

    /// Batches of `size` in a random order that is a function of `seed` and `epoch`.
    pub fn shuffled(data: &'a Pictures, size: usize, normalisation: Normalisation, seed: u64, epoch: usize) -> Self {
        let mut batches = Self::in_order(data, size, normalisation);
        let mix = seed ^ (epoch as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        batches.order.shuffle(&mut StdRng::seed_from_u64(mix));
        batches
    }
}

impl ExactSizeIterator for Batches<'_> {
    fn len(&self) -> usize {
        (self.order.len() - self.next).div_ceil(self.size)
    }
}

impl Iterator for Batches<'_> {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        let chosen = &self.order[self.next..(self.next + self.size).min(self.order.len())];
        if chosen.is_empty() {
            return None;
        }
        self.next += chosen.len();
        let pictures = chosen.iter().map(|i| self.data.bytes(*i as usize));
        let pixels = pictures.flatten().map(|byte| self.table[usize::from(*byte)]).collect();
        let labels = chosen.iter().map(|i| self.data.labels[*i as usize]).collect();
        Some(Batch { pixels, labels })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len(), Some(self.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dataset(n: usize) -> Pictures {
        Pictures {
            shape: [1, 1, 2],
            pixels: (0..2 * n).map(|i| i as u8).collect(),
            labels: (0..n).map(|i| (i % 10) as u8).collect(),
            classes: (0..10).map(|c| c.to_string()).collect(),
        }
    }

    const PLAIN: Normalisation = Normalisation { mean: 0.0, std: 1.0 };

    #[test]
    fn every_picture_comes_once_with_its_label() {
        let data = dataset(23);
        let batches = Batches::shuffled(&data, 5, PLAIN, 7, 3);
        assert_eq!(batches.len(), 5);
        let mut seen = Vec::new();
        for batch in batches {
            for (pixels, label) in batch.pixels.chunks_exact(2).zip(&batch.labels) {
                let picture = (pixels[0] * 255.0).round() as usize / 2;
                assert_eq!(*label as usize, picture % 10);
                seen.push(picture);
            }
        }
        assert_ne!(seen, (0..23).collect::<Vec<_>>());
        seen.sort_unstable();
        assert_eq!(seen, (0..23).collect::<Vec<_>>());
    }

    #[test]
    fn order_depends_on_seed_and_epoch_alone() {
        let data = dataset(40);
        let order = |size, seed, epoch| -> Vec<u8> {
            Batches::shuffled(&data, size, PLAIN, seed, epoch).flat_map(|batch| batch.labels).collect()
        };
        assert_eq!(order(7, 1, 1), order(16, 1, 1));
        assert_ne!(order(7, 1, 1), order(7, 1, 2));
        assert_ne!(order(7, 1, 1), order(7, 2, 1));
    }
}
