//! Values of images that are known already, which a loader gives in place of pixels.

use std::collections::BTreeMap;

/// As many numbers of each image.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownValues {
    /// Numbers of an image.
    len: usize,
    values: Vec<f32>,
    /// Where those of an image begin, by its index.
    starts: BTreeMap<usize, usize>,
}

impl KnownValues {
    /// Of so many numbers in all.
    pub fn with_capacity(numbers: usize) -> Self {
        KnownValues { values: Vec::with_capacity(numbers), ..Self::default() }
    }

    /// Adds a row of numbers for each of these images, `[N, len]`.
    pub fn add(&mut self, images: &[usize], rows: Vec<f32>) {
        self.len = rows.len() / images.len().max(1);
        for (place, image) in images.iter().enumerate() {
            self.starts.insert(*image, self.values.len() + place * self.len);
        }
        self.values.extend(rows);
    }

    /// Those of an image; none where it could not be read.
    pub fn of(&self, image: usize) -> Option<&[f32]> {
        self.starts.get(&image).map(|start| &self.values[*start..start + self.len])
    }
}
