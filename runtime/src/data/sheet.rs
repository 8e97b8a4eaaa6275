//! A sheet of pictures as a network sees them in training, to be looked at before a long run.

use super::loader::{PICTURE, generator};
use super::{DataError, Dataset, Pipeline};
use image::{Rgb, RgbImage};

/// Pixels between pictures.
const GAP: usize = 4;

/// A row for each picture: as it is without chance, then `draws` times as augmentation makes it. Small pictures are enlarged,
/// pixel by pixel.
///
/// # Errors
/// When a picture cannot be read.
pub fn sheet(
    data: &dyn Dataset,
    pictures: &[usize],
    pipeline: &Pipeline,
    draws: usize,
    seed: u64,
) -> Result<RgbImage, DataError> {
    let [channels, height, width] = pipeline.shape;
    let zoom = (96 / height.max(width)).max(1);
    let (cell_h, cell_w) = (height * zoom + GAP, width * zoom + GAP);
    let size = |n: usize, cell: usize| (n * cell + GAP) as u32;
    let mut sheet = RgbImage::from_pixel(size(draws + 1, cell_w), size(pictures.len(), cell_h), Rgb([255, 255, 255]));
    let plain = pipeline.without_chance();
    for (row, index) in pictures.iter().enumerate() {
        for column in 0..=draws {
            let mut rng = generator(seed, PICTURE, column, *index);
            let chosen = if column == 0 { &plain } else { pipeline };
            let image = chosen.augmented(data.picture(*index)?, &mut rng)?;
            for (y, x) in (0..height * zoom).flat_map(|y| (0..width * zoom).map(move |x| (y, x))) {
                let value = |c: usize| {
                    let at = (c.min(channels - 1) * height + y / zoom) * width + x / zoom;
                    (image.values[at].clamp(0.0, 1.0) * 255.0).round() as u8
                };
                let colour = if channels == 3 { [value(0), value(1), value(2)] } else { [value(0); 3] };
                sheet.put_pixel((column * cell_w + GAP + x) as u32, (row * cell_h + GAP + y) as u32, Rgb(colour));
            }
        }
    }
    Ok(sheet)
}
