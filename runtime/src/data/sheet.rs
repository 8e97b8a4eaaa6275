//! Images as a network sees them in training, to be looked at before a long run.

use super::augment::mix;
use super::augment::picture::Image;
use super::loader::{MIX, PICTURE, generator};
use super::{Batch, DataError, Dataset, Pipeline, name_of};

/// Each image as it is without chance, then `draws` times as augmentation makes it: rows of `draws + 1` images for
/// [`crate::report::paint::sheet`]. The images of a column are a batch, so those that mix with others mix with these.
///
/// # Errors
/// When an image cannot be read.
pub fn samples(
    data: &dyn Dataset,
    pictures: &[usize],
    pipeline: &Pipeline,
    draws: usize,
    seed: u64,
) -> Result<Vec<Image>, DataError> {
    let plain = pipeline.without_chance();
    let columns = (0..=draws).map(|column| {
        let chosen = if column == 0 { &plain } else { pipeline };
        let images = pictures.iter().map(|index| {
            let mut rng = generator(seed, PICTURE, column, *index);
            let image = data.picture(*index).and_then(|picture| chosen.augmented(picture, &mut rng));
            image.map_err(|error| error.about(|| name_of(data, *index)))
        });
        Ok(mixed(chosen, images.collect::<Result<_, _>>()?, column, seed))
    });
    let columns = columns.collect::<Result<Vec<Vec<Image>>, DataError>>()?;
    Ok((0..pictures.len()).flat_map(|row| columns.iter().map(move |column| column[row].clone())).collect())
}

/// The images of a batch after what mixes them.
fn mixed(pipeline: &Pipeline, mut images: Vec<Image>, column: usize, seed: u64) -> Vec<Image> {
    let pixels = images.iter().flat_map(|image| image.values.iter().copied()).collect();
    let (labels, indices) = (vec![0; images.len()], (0..images.len()).collect());
    let mut batch = Batch { pixels, targets: vec![1.0; images.len()], labels, indices };
    let shape = pipeline.preparation.shape;
    mix::apply(&pipeline.augment, &mut batch, shape, &mut generator(seed, MIX, column, 0));
    for (image, values) in images.iter_mut().zip(batch.pixels.chunks_exact(shape.iter().product())) {
        image.values.copy_from_slice(values);
    }
    images
}
