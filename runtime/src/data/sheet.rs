//! Images as a network sees them in training, to be looked at before a long run.

use super::augment::float_image::FloatImage;
use super::augment::{mix, refused};
use super::loader::{IMAGE, MIX, generator};
use super::{Batch, DataError, Dataset, Pipeline, Target, TargetKind, name_of, target};
use rand_chacha::ChaCha8Rng;

/// An image of a sheet, with values from 0 to 1, and its mask where the dataset has masks.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// As the network sees it, before it is normalised.
    pub image: FloatImage,
    /// `[H, W]`: the class of each pixel, or [`IGNORED`](super::IGNORED).
    pub mask: Option<Vec<u8>>,
}

/// Each image as it is without chance, then `draws` times as augmentation makes it: rows of `draws + 1` images for
/// [`crate::report::paint::sheet`]. Augmentations that mix images mix those of a column, as if these were a batch.
///
/// # Errors
/// When an image or its mask cannot be read, or an augmentation means nothing for targets like these.
pub fn samples(
    data: &dyn Dataset,
    images: &[usize],
    pipeline: &Pipeline,
    draws: usize,
    seed: u64,
) -> Result<Vec<Sample>, DataError> {
    let kind = data.target_kind();
    if let Some(found) = refused(&pipeline.augment, kind) {
        let expected = format!("the data has {kind}");
        return Err(DataError::Option { what: "augment".into(), found, expected });
    }
    let plain = pipeline.without_chance();
    let sample = |(index, column): (usize, usize)| {
        let mut rng = generator(seed, IMAGE, column, index);
        let chosen = if column == 0 { &plain } else { pipeline };
        sampled(data, index, chosen, &mut rng).map_err(|error| error.about(|| name_of(data, index)))
    };
    let places = images.iter().flat_map(|index| (0..=draws).map(move |column| (*index, column)));
    let mut sheet = places.map(sample).collect::<Result<Vec<Sample>, DataError>>()?;
    for column in 1..=draws {
        let mut mixed: Vec<&mut Sample> = sheet.iter_mut().skip(column).step_by(draws + 1).collect();
        mix_column(&mut mixed, pipeline, kind, &mut generator(seed, MIX, column, 0));
    }
    Ok(sheet)
}

fn sampled(data: &dyn Dataset, index: usize, pipeline: &Pipeline, rng: &mut ChaCha8Rng) -> Result<Sample, DataError> {
    let image = data.image(index)?;
    let mask = match data.target_kind() {
        TargetKind::Mask => match target::of(data, index)? {
            Target::Mask(mask) => Some(mask),
            _ => None,
        },
        _ => None,
    };
    mask.iter().try_for_each(|mask| target::check_size(mask, &image))?;
    let (image, mask) = pipeline.augmented_masked(image, mask, rng)?;
    Ok(Sample { image, mask: mask.map(|mask| mask.pixels.into_owned()) })
}

/// Mixes the images of a column, where an augmentation says so.
fn mix_column(column: &mut [&mut Sample], pipeline: &Pipeline, kind: TargetKind, rng: &mut ChaCha8Rng) {
    let shape = pipeline.preparation.shape;
    let pixels = column.iter().flat_map(|sample| sample.image.values.iter().copied()).collect();
    // Nobody asks for other targets than masks, and images are mixed alike with and without.
    let masks = column.iter().filter_map(|sample| sample.mask.as_ref());
    let targets = masks.flatten().map(|class| f32::from(*class)).collect();
    let mut batch = Batch { pixels, targets, labels: vec![0; column.len()], indices: Vec::new() };
    mix::apply(&pipeline.augment, &mut batch, shape, kind, rng);
    let [channels, height, width] = shape;
    for (sample, pixels) in column.iter_mut().zip(batch.pixels.chunks_exact(channels * height * width)) {
        sample.image.values.copy_from_slice(pixels);
    }
    for (sample, classes) in column.iter_mut().zip(batch.targets.chunks_exact(height * width)) {
        sample.mask = Some(classes.iter().map(|class| *class as u8).collect());
    }
}

#[cfg(test)]
mod tests {
    use super::super::fit::Fit;
    use super::super::{IGNORED, Image, Images, Normalisation};
    use super::*;

    #[test]
    fn mixing_is_seen_in_the_draws_and_not_in_the_images_as_they_are() {
        // Each image has one value of its own.
        let values = [0_u8, 51, 102, 153];
        let pixels = values.iter().flat_map(|value| [*value; 36]).collect();
        let classes = (0..4).map(|class| class.to_string()).collect();
        let data = Images { shape: [1, 6, 6], pixels, labels: vec![0, 1, 2, 3], classes };
        let plain = Normalisation { mean: vec![0.0], std: vec![1.0] };
        for (word, blends) in [("mixup(1)", true), ("cutmix(1)", false)] {
            let mut pipeline = Pipeline::plain([1, 6, 6], Fit::Auto, plain.clone());
            pipeline.augment = vec![word.parse().unwrap()];
            let sheet = samples(&data, &[0, 1, 2, 3], &pipeline, 5, 7).unwrap();
            assert_eq!(sheet.len(), 24);
            let is = |x: f32, value: u8| (x - f32::from(value) / 255.0).abs() < 1e-6;
            let mut changed = 0;
            for (row, value) in sheet.chunks_exact(6).zip(values) {
                assert!(row[0].image.values.iter().all(|x| is(*x, value)), "{word}");
                changed += row[1..].iter().filter(|sample| !sample.image.values.iter().all(|x| is(*x, value))).count();
                // A blend has values between those of two images, a patch those of one or the other.
                let between = |x: &f32| !values.iter().any(|value| is(*x, *value));
                assert!(blends || !row.iter().any(|sample| sample.image.values.iter().any(between)), "{word}");
            }
            assert!(changed > 8, "{word}: {changed} of 20 draws are mixed");
        }
    }

    /// Images of which nothing is known, with masks.
    struct Unknown(TargetKind);

    impl Dataset for Unknown {
        fn len(&self) -> usize {
            4
        }

        fn classes(&self) -> &[String] {
            &[]
        }

        fn label(&self, _: usize) -> usize {
            0
        }

        fn target_kind(&self) -> TargetKind {
            self.0
        }

        fn target(&self, i: usize) -> Result<Target<'_>, DataError> {
            match i {
                3 => Err(DataError::unnamed("has no mask".into())),
                _ => Ok(Target::Mask(Image { shape: [1, 6, 6], pixels: vec![IGNORED; 36].into() })),
            }
        }

        fn image(&self, _: usize) -> Result<Image<'_>, DataError> {
            Ok(Image { shape: [1, 6, 6], pixels: vec![7; 36].into() })
        }
    }

    #[test]
    fn every_kind_of_data_has_a_sheet() {
        let plain = Normalisation { mean: vec![0.0], std: vec![1.0] };
        let mut pipeline = Pipeline::plain([1, 8, 8], Fit::Auto, plain);
        for kind in [TargetKind::Labels, TargetKind::Mask, TargetKind::Numbers, TargetKind::Nothing] {
            for word in ["flip", "cutmix", "mixup"] {
                pipeline.augment = vec![word.parse().unwrap()];
                let found = samples(&Unknown(kind), &[0, 1, 2], &pipeline, 2, 7);
                match (kind, word) {
                    (TargetKind::Mask, "mixup") | (TargetKind::Numbers, "cutmix") => {
                        let error = found.unwrap_err().to_string();
                        assert!(error.starts_with(&format!("augment: {}", pipeline.augment[0])), "{error}");
                    }
                    _ => {
                        let found = found.unwrap();
                        assert_eq!(found.len(), 9);
                        let right = |mask: &Option<Vec<u8>>| match mask {
                            Some(mask) => kind == TargetKind::Mask && mask.len() == 64,
                            None => kind != TargetKind::Mask,
                        };
                        assert!(found.iter().all(|sample| right(&sample.mask)));
                    }
                }
            }
        }
        pipeline.augment.clear();
        let error = samples(&Unknown(TargetKind::Mask), &[3], &pipeline, 2, 7).unwrap_err().to_string();
        assert_eq!(error, "image 3 of the data: has no mask");
    }
}
