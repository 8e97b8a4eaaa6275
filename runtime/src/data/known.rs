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

    /// The length of a row.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The row of an image; none if the image could not be read.
    pub fn of(&self, image: usize) -> Option<&[f32]> {
        self.starts.get(&image).map(|start| &self.values[*start..start + self.len])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::fit::Fit;
    use crate::data::{
        DataError, Dataset, Image, Loader, LoaderOptions, Normalisation, OnBad, Pipeline, Target, TargetKind,
    };
    use std::sync::Arc;

    /// Images of all sizes; the mask, or the labels, of the third cannot be read.
    struct Torn(TargetKind, Vec<String>);

    impl Dataset for Torn {
        fn len(&self) -> usize {
            7
        }

        fn classes(&self) -> &[String] {
            &self.1
        }

        fn label(&self, _: usize) -> usize {
            0
        }

        fn target_kind(&self) -> TargetKind {
            self.0
        }

        fn target(&self, i: usize) -> Result<Target<'_>, DataError> {
            let mask = || Image { shape: [1, i + 1, 6], pixels: (0..6 * (i + 1)).map(|x| (x % 2) as u8).collect() };
            match self.0 {
                _ if i == 2 => Err(DataError::unnamed("is torn".into())),
                TargetKind::Mask => Ok(Target::Mask(mask())),
                _ => Ok(Target::Labels(vec![i.is_multiple_of(2), true].into())),
            }
        }

        fn image(&self, i: usize) -> Result<Image<'_>, DataError> {
            Ok(Image { shape: [1, i + 1, 6], pixels: vec![i as u8; 6 * (i + 1)].into() })
        }
    }

    #[test]
    fn known_values_come_with_the_targets_of_their_images() {
        for kind in [TargetKind::Mask, TargetKind::Labels, TargetKind::Nothing] {
            let data: Arc<dyn Dataset> = Arc::new(Torn(kind, ["a", "b"].map(String::from).to_vec()));
            let plain = Normalisation { mean: vec![0.0], std: vec![1.0] };
            let pipeline = Pipeline::plain([1, 4, 5], Fit::Auto, plain);
            let options = LoaderOptions { batch: 3, on_bad: OnBad::Skip, ..LoaderOptions::default() };
            let images = Loader::new(data, pipeline, options);
            let (reader, mut values) = (images.in_order(), KnownValues::with_capacity(14));
            for batch in reader.epoch(0, 0).map(Result::unwrap) {
                let rows = batch.indices.iter().flat_map(|i| [*i as f32, 1.0]).collect();
                values.add(&batch.indices, rows);
            }
            let known = images.with_known(values, &reader);
            let skips = kind != TargetKind::Nothing;
            for (found, plain) in known.epoch(3, 0).zip(images.epoch(3, 0)) {
                let (found, plain) = (found.unwrap(), plain.unwrap());
                assert_eq!(
                    (&found.targets, &found.labels, &found.indices),
                    (&plain.targets, &plain.labels, &plain.indices)
                );
                let rows = found.indices.iter().flat_map(|i| [*i as f32, 1.0]);
                assert!(rows.eq(found.pixels.iter().copied()));
                assert!(!skips || !found.indices.contains(&2));
            }
            assert_eq!(known.skipped().len(), usize::from(skips));
        }
    }
}
