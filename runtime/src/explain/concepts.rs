//! Which channel stands for what: network dissection (Bau et al., 2017) with concepts that the user brings, as images in which
//! something is marked, or simply as images of it.

use super::grid::Grid;
use super::saliency::positive;
use super::{ExplainError, Inspectable, Progress, Volume};
use crate::graph::{Graph, Shape};

/// Something that a channel may stand for.
#[derive(Debug, Clone, PartialEq)]
pub struct Concept {
    /// Its name.
    pub name: String,
    /// Images of it.
    pub images: Vec<Marked>,
}

/// An image in which a concept may be marked.
#[derive(Debug, Clone, PartialEq)]
pub struct Marked {
    /// `[C, H, W]`, as the network takes it.
    pub image: Volume,
    /// For each pixel whether it belongs to the concept, `[H, W]`; nothing if only the whole image is known to be of it.
    pub mask: Option<Vec<bool>>,
}

/// How well a channel tells a concept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// The channel.
    pub channel: usize,
    /// Index of the concept.
    pub concept: usize,
    /// Intersection over union of the channel's strongest pixels and those that are marked; nothing without masks, or in a
    /// vector.
    pub iou: Option<f64>,
    /// The probability that the channel's largest value is higher for an image of the concept than for another one: the area
    /// under the ROC curve. A half is chance.
    pub auc: f64,
}

/// The share of a channel's values, over all images, that count as strong.
const STRONG: f64 = 0.005;
/// Images at once.
const BATCH: usize = 32;

/// The scores of each channel of a layer for each concept: `[channel][concept]`.
///
/// # Errors
/// When there are fewer than two concepts, or one without images; when an image or a mask is not of the network's size, or
/// the device fails.
pub fn dissect(
    network: &dyn Inspectable,
    layer: usize,
    concepts: &[Concept],
    progress: Progress<'_>,
) -> Result<Vec<Vec<Score>>, ExplainError> {
    let graph = network.graph();
    check(graph, concepts)?;
    let marked: Vec<(usize, &Marked)> =
        concepts.iter().enumerate().flat_map(|(i, concept)| concept.images.iter().map(move |m| (i, m))).collect();
    let mut activations = Vec::new();
    for batch in marked.chunks(BATCH) {
        let pixels: Vec<f32> = batch.iter().flat_map(|(_, marked)| marked.image.values.iter().copied()).collect();
        activations.extend(network.values(&[(0, &pixels)], &[layer])?.remove(0));
        progress(activations.len() / graph.nodes[layer].shape.len(), marked.len());
    }
    let [channels, height, width] = graph.nodes[layer].shape.chw();
    let plane = height * width;
    let of = |image: usize, c: usize| &activations[(image * channels + c) * plane..][..plane];
    let grid = Grid::new(graph, layer);
    let is_map = matches!(graph.nodes[layer].shape, Shape::Map(_)) && plane > 1;
    let channel = |c: usize| {
        let peaks: Vec<f32> =
            (0..marked.len()).map(|i| of(i, c).iter().copied().fold(f32::NEG_INFINITY, f32::max)).collect();
        let overlap = if is_map { overlaps(concepts.len(), &marked, &grid, &|i| of(i, c)) } else { Vec::new() };
        let score = |concept: usize| {
            let split = |own: bool| {
                let is = |(i, (of, _)): (usize, &(usize, &Marked))| ((*of == concept) == own).then(|| peaks[i]);
                marked.iter().enumerate().filter_map(is).collect::<Vec<f32>>()
            };
            let iou = overlap.get(concept).copied().flatten();
            Score { channel: c, concept, iou, auc: auc(&split(true), &split(false)) }
        };
        (0..concepts.len()).map(score).collect()
    };
    Ok((0..channels).map(channel).collect())
}

fn check(graph: &Graph, concepts: &[Concept]) -> Result<(), ExplainError> {
    if concepts.len() < 2 {
        let found = concepts.len();
        let text = format!("there should be at least two concepts to tell apart, and there are {found}");
        return Err(ExplainError::TooFew(text));
    }
    for concept in concepts {
        if concept.images.is_empty() {
            return Err(ExplainError::TooFew(format!("the concept `{}` has no images", concept.name)));
        }
        for Marked { image, mask } in &concept.images {
            let [_, height, width] = image.of_network(graph)?.shape;
            if let Some(mask) = mask
                && mask.len() != height * width
            {
                let found = format!("one of {} pixels for `{}`", mask.len(), concept.name);
                return Err(ExplainError::Option { what: "mask", found, expected: "it must have the image's size" });
            }
        }
    }
    Ok(())
}

/// For each concept the intersection over union with what is strong in one channel, over all images with masks.
fn overlaps<'a>(
    concepts: usize,
    marked: &[(usize, &Marked)],
    grid: &Grid,
    of: &dyn Fn(usize) -> &'a [f32],
) -> Vec<Option<f64>> {
    let mut all: Vec<f32> = (0..marked.len()).flat_map(|i| of(i).iter().copied()).collect();
    let at = ((1.0 - STRONG) * (all.len() - 1) as f64) as usize;
    let threshold = *all.select_nth_unstable_by(at, f32::total_cmp).1;
    // Of many equal values all count or, where these are a silent channel's zeros, none.
    let silent = all.iter().copied().fold(f32::INFINITY, f32::min);
    let [h, w] = [0, 1].map(|d| grid.centres[d].len());
    let (mut both, mut either) = (vec![0_u64; concepts], vec![0_u64; concepts]);
    let mut any = vec![false; concepts];
    for (i, (own, Marked { mask, .. })) in marked.iter().enumerate() {
        let Some(mask) = mask else { continue };
        any[*own] = true;
        let large = grid.spread(&Volume::new([1, h, w], of(i).to_vec()));
        let strong = |pixel: usize| large.values[pixel] >= threshold && large.values[pixel] > silent;
        let (mut hits, mut of_own, mut of_mask) = (0, 0, 0);
        for (pixel, inside) in mask.iter().enumerate() {
            hits += u64::from(strong(pixel) && *inside);
            of_own += u64::from(strong(pixel));
            of_mask += u64::from(*inside);
        }
        for concept in 0..concepts {
            // What is strong where another concept is shown counts against this one.
            either[concept] += of_own + if concept == *own { of_mask - hits } else { 0 };
        }
        both[*own] += hits;
    }
    let iou = |i: usize| any[i].then(|| both[i] as f64 / either[i].max(1) as f64);
    (0..concepts).map(iou).collect()
}

/// The probability that a number of the first kind is larger than one of the second, ties being half.
#[doc(hidden)]
pub fn auc(positive: &[f32], negative: &[f32]) -> f64 {
    let mut all: Vec<(f32, bool)> =
        positive.iter().map(|x| (*x, true)).chain(negative.iter().map(|x| (*x, false))).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut sum) = (0.0, 0.0);
    for group in all.chunk_by(|a, b| a.0 == b.0) {
        let own = group.iter().filter(|(_, own)| *own).count() as f64;
        let others = group.len() as f64 - own;
        sum += own * (below + others / 2.0);
        below += others;
    }
    let pairs = positive.len() as f64 * negative.len() as f64;
    if pairs > 0.0 { sum / pairs } else { 0.5 }
}

/// For each concept the `best` channels, by IoU where there are masks, else by AUC.
///
/// # Errors
/// When `best` is zero.
pub fn detectors(scores: &[Vec<Score>], best: usize) -> Result<Vec<Vec<Score>>, ExplainError> {
    positive("channels", best)?;
    let concepts = scores.first().map_or(0, Vec::len);
    let of = |concept: usize| {
        let mut own: Vec<Score> = scores.iter().map(|channel| channel[concept]).collect();
        let key = |score: &Score| score.iou.unwrap_or(score.auc);
        own.sort_by(|a, b| key(b).total_cmp(&key(a)).then(b.auc.total_cmp(&a.auc)));
        own.truncate(best);
        own
    };
    Ok((0..concepts).map(of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_those_of_scikit_learn() {
        // sklearn.metrics.roc_auc_score([1, 1, 1, 0, 0, 0, 0], [0.9, 0.4, 0.35, 0.8, 0.35, 0.1, 0.2])
        assert!((auc(&[0.9, 0.4, 0.35], &[0.8, 0.35, 0.1, 0.2]) - 9.5 / 12.0).abs() < 1e-12);
        assert_eq!((auc(&[2.0, 3.0], &[1.0, 0.0]), auc(&[], &[1.0])), (1.0, 0.5));
    }
}
