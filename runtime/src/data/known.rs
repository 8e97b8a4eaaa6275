//! Values of images that are known already, which a loader gives in place of pixels.

use std::collections::BTreeMap;

/// A row of numbers for each image; all rows are equally long.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownValues {
    /// The length of a row.
    len: usize,
    values: Vec<f32>,
    /// Where the row of an image begins in `values`, by the index of the image.
    starts: BTreeMap<usize, usize>,
}

impl KnownValues {
    /// An empty list, which has room for this many numbers of all images together.
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

    /// The row of an image; none if the image could not be read.
    pub fn of(&self, image: usize) -> Option<&[f32]> {
        self.starts.get(&image).map(|start| &self.values[*start..start + self.len])
    }
}
