//! Augmentations that mix the images of a batch, and their labels with them.

use super::{Augment, Word};
use crate::data::{Batch, TargetKind};
use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Beta, Distribution};
use std::ops::Range;

/// Applies one of `all`, drawn at random where there are several, to images of shape `[C, H, W]` with targets of this kind. A mask's
/// rectangle comes with the image's; images with masks are not blended, since a pixel cannot be of two classes.
pub fn apply(all: &[Augment], batch: &mut Batch, shape: [usize; 3], kind: TargetKind, rng: &mut ChaCha8Rng) {
    let mixing: Vec<&Augment> = all.iter().filter(|augment| augment.mixes()).collect();
    let Some(augment) = mixing.choose(rng) else { return };
    let images = batch.labels.len();
    let masks = kind == TargetKind::Mask;
    if images < 2 || masks && augment.word == Word::MixUp {
        return;
    }
    let alpha = augment.numbers[0];
    // The numbers have been checked when the word was read.
    let share = Beta::new(alpha, alpha).map_or(1.0, |beta| beta.sample(rng));
    let mut partners: Vec<usize> = (0..images).collect();
    partners.shuffle(rng);
    let share = match augment.word {
        Word::MixUp => {
            blend(&mut batch.pixels, &partners, share as f32);
            share
        }
        _ => {
            let [_, height, width] = shape;
            let side = |whole: usize| (whole as f64 * (1.0 - share).sqrt()) as usize;
            let middle = [rng.gen_range(0..height), rng.gen_range(0..width)];
            let rows = span(middle[0], side(height), height);
            let cols = span(middle[1], side(width), width);
            let taken = rows.len() * cols.len();
            patch(&mut batch.pixels, &partners, shape, &rows, &cols);
            if masks {
                patch(&mut batch.targets, &partners, [1, height, width], &rows, &cols);
            }
            1.0 - taken as f64 / (height * width) as f64
        }
    };
    if !masks {
        blend(&mut batch.targets, &partners, share as f32);
    }
    if share < 0.5 {
        let labels = batch.labels.clone();
        batch.labels.iter_mut().zip(&partners).for_each(|(label, partner)| *label = labels[*partner]);
    }
}

/// Each image of shape `[C, H, W]` gets this rectangle of its partner.
fn patch(
    images: &mut [f32],
    partners: &[usize],
    [channels, height, width]: [usize; 3],
    rows: &Range<usize>,
    cols: &Range<usize>,
) {
    let source = images.to_vec();
    let len = channels * height * width;
    for (to, from) in partners.iter().enumerate() {
        for line in (0..channels).flat_map(|c| rows.clone().map(move |y| c * height + y)) {
            let at = line * width + cols.start;
            images[to * len + at..][..cols.len()].copy_from_slice(&source[from * len + at..][..cols.len()]);
        }
    }
}

/// A stretch of so many numbers about a middle, as far as it lies inside.
fn span(middle: usize, len: usize, whole: usize) -> Range<usize> {
    middle.saturating_sub(len / 2)..(middle + len - len / 2).min(whole)
}

/// Each row becomes `share` of itself and the rest of its partner.
fn blend(rows: &mut [f32], partners: &[usize], share: f32) {
    let source = rows.to_vec();
    // Where there are no targets, rows are empty.
    let len = (rows.len() / partners.len()).max(1);
    for (row, partner) in rows.chunks_exact_mut(len).zip(partners) {
        for (x, other) in row.iter_mut().zip(&source[partner * len..][..len]) {
            *x = share * *x + (1.0 - share) * other;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    /// Four images of one value each, of four classes.
    fn batch() -> Batch {
        let pixels = (0..4).flat_map(|i| [i as f32; 2 * 6 * 6]).collect();
        let targets = (0..16).map(|i| f32::from(u8::from(i / 4 == i % 4))).collect();
        Batch { pixels, targets, labels: (0..4).collect(), indices: (0..4).collect() }
    }

    #[test]
    fn labels_are_mixed_as_images_are() {
        for (word, seed) in ["mixup(1)", "cutmix(1)"].into_iter().flat_map(|word| (0..50).map(move |seed| (word, seed)))
        {
            let mut mixed = batch();
            apply(
                &[word.parse().unwrap()],
                &mut mixed,
                [2, 6, 6],
                TargetKind::Class,
                &mut ChaCha8Rng::seed_from_u64(seed),
            );
            for (i, target) in mixed.targets.chunks_exact(4).enumerate() {
                assert!((target.iter().sum::<f32>() - 1.0).abs() < 1e-6);
                // The value of an image is its number, so its mean is what the labels say.
                let by_labels: f32 = target.iter().enumerate().map(|(class, share)| class as f32 * share).sum();
                let mean = mixed.pixels[i * 72..][..72].iter().sum::<f32>() / 72.0;
                assert!((mean - by_labels).abs() < 1e-5, "{word} {seed}: {mean} {by_labels}");
                let largest = target.iter().copied().fold(0.0, f32::max);
                assert!((target[mixed.labels[i]] - largest).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn one_image_is_left_alone() {
        let mut one = Batch { pixels: vec![1.0; 72], targets: vec![1.0, 0.0], labels: vec![0], indices: vec![0] };
        let before = one.clone();
        apply(&["mixup".parse().unwrap()], &mut one, [2, 6, 6], TargetKind::Class, &mut ChaCha8Rng::seed_from_u64(1));
        assert_eq!(one, before);
    }
}
