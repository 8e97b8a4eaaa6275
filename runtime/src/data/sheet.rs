//! Images as a network sees them in training, to be looked at before a long run.

use super::augment::float_image::FloatImage;
use super::augment::mix;
use super::loader::{IMAGE, MIX, generator};
use super::{Batch, DataError, Dataset, Pipeline, name_of};

/// Each image as it is without chance, then `draws` times as augmentation makes it: rows of `draws + 1` images for
/// [`crate::report::paint::sheet`]. Augmentations that mix images mix those of a column, as if these were a batch.
///
/// # Errors
/// When an image cannot be read.
pub fn samples(
    data: &dyn Dataset,
    images: &[usize],
    pipeline: &Pipeline,
    draws: usize,
    seed: u64,
) -> Result<Vec<FloatImage>, DataError> {
    let plain = pipeline.without_chance();
    let sample = |(index, column): (usize, usize)| {
        let mut rng = generator(seed, IMAGE, column, index);
        let chosen = if column == 0 { &plain } else { pipeline };
        let image = data.image(index).and_then(|image| chosen.augmented(image, &mut rng));
        image.map_err(|error| error.about(|| name_of(data, index)))
    };
    let places = images.iter().flat_map(|index| (0..=draws).map(move |column| (*index, column)));
    let mut sheet = places.map(sample).collect::<Result<Vec<FloatImage>, DataError>>()?;
    for column in 1..=draws {
        mix_column(&mut sheet, column, draws + 1, images, data, pipeline, seed);
    }
    Ok(sheet)
}

/// Mixes the images of a column, where an augmentation says so.
fn mix_column(
    sheet: &mut [FloatImage],
    column: usize,
    columns: usize,
    images: &[usize],
    data: &dyn Dataset,
    pipeline: &Pipeline,
    seed: u64,
) {
    let classes = data.classes().len();
    let labels: Vec<usize> = images.iter().map(|index| data.label(*index)).collect();
    let mut targets = vec![0.0; labels.len() * classes];
    targets.chunks_exact_mut(classes.max(1)).zip(&labels).for_each(|(row, label)| row[*label] = 1.0);
    let pixels = sheet.iter().skip(column).step_by(columns).flat_map(|image| image.values.iter().copied()).collect();
    let mut batch = Batch { pixels, targets, labels, indices: images.to_vec() };
    mix::apply(&pipeline.augment, &mut batch, pipeline.preparation.shape, &mut generator(seed, MIX, column, 0));
    let len = pipeline.preparation.shape.iter().product::<usize>();
    let column = sheet.iter_mut().skip(column).step_by(columns);
    column.zip(batch.pixels.chunks_exact(len)).for_each(|(image, pixels)| image.values.copy_from_slice(pixels));
}

#[cfg(test)]
mod tests {
    use super::super::fit::Fit;
    use super::super::{Images, Normalisation};
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
                assert!(row[0].values.iter().all(|x| is(*x, value)), "{word}");
                changed += row[1..].iter().filter(|image| !image.values.iter().all(|x| is(*x, value))).count();
                // A blend has values between those of two images, a patch those of one or the other.
                let between = |x: &f32| !values.iter().any(|value| is(*x, *value));
                assert!(blends || !row.iter().any(|image| image.values.iter().any(between)), "{word}");
            }
            assert!(changed > 8, "{word}: {changed} of 20 draws are mixed");
        }
    }
}
