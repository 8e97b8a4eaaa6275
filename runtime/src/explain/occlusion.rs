//! Occlusion (Zeiler and Fergus, 2013, section 4.2): what hiding a part of the image takes from an answer.

use super::saliency::positive;
use super::{ExplainError, Inspectable, Progress, Unit, Volume};

/// What is hidden.
#[derive(Debug, Clone, PartialEq)]
pub struct Occlusion {
    /// Side of the hidden square, in pixels.
    pub patch: usize,
    /// Pixels between squares.
    pub stride: usize,
    /// What it is covered with, for each channel, as the network takes it.
    pub cover: Vec<f32>,
}

/// Images at once.
const BATCH: usize = 16;

/// For each pixel, by how much the unit's value falls, in the mean, when a square over it is hidden: `[1, H, W]`. Squares at
/// the right and at the bottom move in, so that all pixels are hidden at some time.
///
/// # Errors
/// When the square is empty or larger than the image, the image is not the network's, or the device fails.
pub fn occlusion(
    network: &dyn Inspectable,
    unit: Unit,
    image: &Volume,
    options: &Occlusion,
    progress: Progress<'_>,
) -> Result<Volume, ExplainError> {
    let graph = network.graph();
    let [channels, height, width] = graph.input().chw();
    let image = image.of_network(graph)?;
    let Occlusion { patch, stride, cover } = options;
    positive("patch", *patch)?;
    positive("stride", *stride)?;
    if *patch > height.min(width) {
        let found = format!("{patch} pixels");
        return Err(ExplainError::Option { what: "patch", found, expected: "it must fit into the image" });
    }
    let places = |side: usize| {
        let last = side - patch;
        (0..last).step_by(*stride).chain([last]).collect::<Vec<_>>()
    };
    let squares: Vec<[usize; 2]> =
        places(height).into_iter().flat_map(|y| places(width).into_iter().map(move |x| [y, x])).collect();
    let pixels = |[top, left]: [usize; 2]| {
        (top..top + patch).flat_map(move |y| (left..left + patch).map(move |x| y * width + x))
    };
    let plane = height * width;
    let value = unit.values(graph, &network.values(&[(0, &image.values)], &[unit.node])?[0])[0];
    let (mut falls, mut times) = (vec![0.0_f64; plane], vec![0_u32; plane]);
    for (done, batch) in squares.chunks(BATCH).enumerate() {
        let mut hidden = image.values.repeat(batch.len());
        for (square, image) in batch.iter().zip(hidden.chunks_exact_mut(channels * plane)) {
            for (c, plane) in image.chunks_exact_mut(plane).enumerate() {
                let cover = cover.get(c).copied().unwrap_or(0.0);
                pixels(*square).for_each(|i| plane[i] = cover);
            }
        }
        let found = unit.values(graph, &network.values(&[(0, &hidden)], &[unit.node])?[0]);
        for (square, found) in batch.iter().zip(found) {
            for i in pixels(*square) {
                falls[i] += f64::from(value - found);
                times[i] += 1;
            }
        }
        progress((done * BATCH + batch.len()).min(squares.len()), squares.len());
    }
    let values = falls.iter().zip(times).map(|(fall, times)| (fall / f64::from(times.max(1))) as f32).collect();
    Ok(Volume { shape: [1, height, width], values })
}
