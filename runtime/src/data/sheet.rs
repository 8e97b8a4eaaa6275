//! Pictures as a network sees them in training, to be looked at before a long run.

use super::augment::picture::Image;
use super::loader::{PICTURE, generator};
use super::{DataError, Dataset, Pipeline};

/// Each picture as it is without chance, then `draws` times as augmentation makes it: rows of `draws + 1` pictures for
/// [`crate::report::paint::sheet`].
///
/// # Errors
/// When a picture cannot be read.
pub fn samples(
    data: &dyn Dataset,
    pictures: &[usize],
    pipeline: &Pipeline,
    draws: usize,
    seed: u64,
) -> Result<Vec<Image>, DataError> {
    let plain = pipeline.without_chance();
    let sample = |(index, column): (usize, usize)| {
        let mut rng = generator(seed, PICTURE, column, index);
        let chosen = if column == 0 { &plain } else { pipeline };
        chosen.augmented(data.picture(index)?, &mut rng)
    };
    pictures.iter().flat_map(|index| (0..=draws).map(move |column| (*index, column))).map(sample).collect()
}
