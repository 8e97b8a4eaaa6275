//! From a dataset's targets to a batch's: five kinds, masks that move with their images, the same for any number of workers.
#![deny(warnings)]

use convnet::data::fit::Fit;
use convnet::data::{
    Batch, DataError, Dataset, IGNORED, Image, Loader, LoaderOptions, Normalisation, OnBad, Pipeline, Preparation,
    Sampling, Target, TargetKind,
};
use std::sync::{Arc, OnceLock};

/// Images of black and white squares, with masks, labels or numbers that say the same.
struct Squares {
    kind: TargetKind,
    n: usize,
    /// Images whose target is wrong.
    wrong: &'static [usize],
}

/// `[H, W]` of an image.
fn size(i: usize) -> [usize; 2] {
    [[40, 40], [40, 60], [56, 44], [30, 30]][i % 4]
}

/// Whether a pixel is in a white square.
fn white(i: usize, y: usize, x: usize) -> bool {
    ((y + 3 * i) / 10 + (x + 7 * i) / 10) % 2 == 1
}

fn plane(i: usize, of: [u8; 2]) -> Vec<u8> {
    let [h, w] = size(i);
    (0..h * w).map(|at| of[usize::from(white(i, at / w, at % w))]).collect()
}

impl Dataset for Squares {
    fn len(&self) -> usize {
        self.n
    }

    fn classes(&self) -> &[String] {
        static NAMES: OnceLock<Vec<String>> = OnceLock::new();
        let names = NAMES.get_or_init(|| ["black", "white", "none"].map(String::from).to_vec());
        if self.kind == TargetKind::Nothing { &[] } else { names }
    }

    fn label(&self, i: usize) -> usize {
        if self.kind == TargetKind::Class { i % 2 } else { 0 }
    }

    fn target_kind(&self) -> TargetKind {
        self.kind
    }

    fn target(&self, i: usize) -> Result<Target<'_>, DataError> {
        let wrong = self.wrong.contains(&i);
        Ok(match self.kind {
            TargetKind::Labels => Target::Labels(
                vec![i.is_multiple_of(2), i.is_multiple_of(3), false][usize::from(wrong)..].to_vec().into(),
            ),
            TargetKind::Mask => {
                let [h, w] = size(i);
                let mut mask = Image { shape: [1, h, w], pixels: plane(i, [0, 1]).into() };
                match wrong {
                    true if i.is_multiple_of(2) => mask = Image { shape: [1, 2, 3], pixels: vec![0; 6].into() },
                    true => mask.pixels.to_mut()[7] = 3,
                    false => {}
                }
                Target::Mask(mask)
            }
            TargetKind::Numbers => Target::Numbers(vec![i as f32, 0.5, -1.0].into()),
            _ if wrong => Target::Nothing,
            _ => Target::Class(self.label(i)),
        })
    }

    fn image(&self, i: usize) -> Result<Image<'_>, DataError> {
        let [h, w] = size(i);
        Ok(Image { shape: [3, h, w], pixels: plane(i, [0, 255]).repeat(3).into() })
    }
}

const SHAPE: [usize; 3] = [3, 24, 32];

fn data(kind: TargetKind, n: usize) -> Arc<dyn Dataset> {
    Arc::new(Squares { kind, n, wrong: &[] })
}

fn pipeline(fit: Fit, augment: &[&str]) -> Pipeline {
    let plain = Normalisation { mean: vec![0.0; 3], std: vec![1.0; 3] };
    let augment = augment.iter().map(|text| text.parse().unwrap()).collect();
    Pipeline { augment, ..Pipeline::plain(SHAPE, fit, plain) }
}

fn options() -> LoaderOptions {
    LoaderOptions { batch: 8, seed: 5, workers: Some(0), ..LoaderOptions::default() }
}

fn batches(
    data: &Arc<dyn Dataset>,
    pipeline: &Pipeline,
    options: LoaderOptions,
    epoch: usize,
    first: usize,
) -> Vec<Batch> {
    Loader::new(data.clone(), pipeline.clone(), options).epoch(epoch, first).map(Result::unwrap).collect()
}

#[test]
fn each_kind_of_target_has_its_row() {
    let in_order = LoaderOptions { sampling: Sampling::InOrder, ..options() };
    let of = |kind| batches(&data(kind, 3), &pipeline(Fit::Resize, &[]), in_order, 1, 0).remove(0);
    let found = of(TargetKind::Class);
    assert_eq!(found.targets, [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
    assert_eq!(found.labels, [0, 1, 0]);
    let found = of(TargetKind::Labels);
    assert_eq!(found.targets, [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
    assert_eq!(found.labels, [0; 3]);
    assert_eq!(of(TargetKind::Numbers).targets, [0.0, 0.5, -1.0, 1.0, 0.5, -1.0, 2.0, 0.5, -1.0]);
    let found = of(TargetKind::Nothing);
    assert_eq!((found.targets.len(), found.labels, found.indices), (0, vec![0; 3], vec![0, 1, 2]));
    let found = of(TargetKind::Mask);
    assert_eq!((found.targets.len(), found.labels), (3 * 24 * 32, vec![0; 3]));
    assert_eq!(found.pixels.len(), 3 * 3 * 24 * 32);
    assert!(found.targets.iter().all(|class| [0.0, 1.0].contains(class)));
}

/// Checks each mask of a batch beside its image: where the mask is of one class round about, so is the image.
fn same_pattern(batch: &Batch, what: &str) -> usize {
    let [_, height, width] = SHAPE;
    let mut compared = 0;
    for (mask, image) in batch.targets.chunks_exact(height * width).zip(batch.pixels.chunks_exact(3 * height * width)) {
        for (y, x) in (1..height - 1).flat_map(|y| (1..width - 1).map(move |x| (y, x))) {
            let class = mask[y * width + x];
            assert!([0.0, 1.0, f32::from(IGNORED)].contains(&class), "{what}: {class}");
            let near = |dy: usize, dx: usize| mask[(y + dy - 1) * width + x + dx - 1];
            if (0..9).any(|i| near(i / 3, i % 3) != class) {
                continue;
            }
            let (value, expected) = (image[y * width + x], f32::from(u8::from(class == 1.0)));
            assert!((value - expected).abs() < 0.5, "{what}: {value} at {y}, {x} of class {class}");
            compared += 1;
        }
    }
    compared
}

#[test]
fn masks_move_as_their_images_do() {
    let data = data(TargetKind::Mask, 40);
    for (augment, fit, outside) in [
        (&["flip"][..], Fit::Resize, false),
        (&["crop(7)"], Fit::Resize, true),
        (&["crop(from = 40)"], Fit::Auto, false),
        (&["resized_crop(0.2, 1)"], Fit::Auto, false),
        (&["rotate(180)"], Fit::Crop, true),
        (&["flip", "crop(3)", "rotate(20)"], Fit::Pad, true),
        (&["resized_crop(0.3, 1)", "rotate(30)", "flip", "crop(4)"], Fit::Auto, true),
    ] {
        let pipeline = pipeline(fit, augment);
        let (mut compared, mut ignored) = (0, 0);
        // 25 epochs of 40 images are 1000 draws.
        for batch in (0..25).flat_map(|epoch| batches(&data, &pipeline, options(), epoch, 0)) {
            compared += same_pattern(&batch, &format!("{augment:?}"));
            ignored += batch.targets.iter().filter(|class| **class == f32::from(IGNORED)).count();
        }
        assert!(compared > 100_000, "{augment:?}: {compared}");
        assert_eq!(ignored > 0, outside, "{augment:?}: {ignored}");
    }
}

#[test]
fn colours_and_holes_leave_masks_alone() {
    let data = data(TargetKind::Mask, 16);
    let plain = batches(&data, &pipeline(Fit::Crop, &["flip", "rotate(20)"]), options(), 3, 0);
    for last in ["color", "pca", "erase(1)", "cutout(9)"] {
        let found = batches(&data, &pipeline(Fit::Crop, &["flip", "rotate(20)", last]), options(), 3, 0);
        assert!(found.iter().zip(&plain).all(|(a, b)| a.targets == b.targets), "{last}");
        // No principal components have been computed here.
        assert!(last == "pca" || found.iter().zip(&plain).all(|(a, b)| a.pixels != b.pixels), "{last}");
        // What is drawn first does not change what a mask shows, only when it is what.
        if last == "pca" {
            found.iter().for_each(|batch| assert!(same_pattern(batch, last) > 100));
        }
    }
}

#[test]
fn preparation_moves_masks_as_it_moves_images() {
    let data = data(TargetKind::Mask, 16);
    let plain = pipeline(Fit::Crop, &[]).preparation;
    for fit in [Fit::Auto, Fit::Pad, Fit::Resize, Fit::Crop] {
        for (size, resize) in [(None, None), (Some([24, 20]), None), (None, Some(27)), (None, Some(60))] {
            let preparation = Preparation { fit, size, resize, ..plain.clone() };
            for batch in batches(&data, &preparation.clone().into(), options(), 1, 0) {
                assert!(same_pattern(&batch, &format!("{preparation:?}")) > 1000);
                for (row, index) in batch.targets.chunks_exact(24 * 32).zip(&batch.indices) {
                    let Target::Mask(mask) = data.target(*index).unwrap() else { panic!("a mask") };
                    let mask = preparation.mask(mask).unwrap();
                    assert!(mask.iter().map(|class| f32::from(*class)).eq(row.iter().copied()));
                }
            }
        }
    }
}

#[test]
fn a_rectangle_of_another_image_comes_with_its_mask() {
    let data = data(TargetKind::Mask, 16);
    let plain = batches(&data, &pipeline(Fit::Resize, &[]), options(), 2, 0);
    let mut changed = 0;
    for (mixed, plain) in batches(&data, &pipeline(Fit::Resize, &["cutmix"]), options(), 2, 0).iter().zip(&plain) {
        same_pattern(mixed, "cutmix");
        changed += usize::from(mixed.targets != plain.targets);
    }
    assert!(changed > 0);
    // The trainer refuses to blend masks; a loader that is told to do it leaves them as they are.
    assert!(batches(&data, &pipeline(Fit::Resize, &["mixup"]), options(), 2, 0) == plain);
    for (kind, row) in [(TargetKind::Labels, 3), (TargetKind::Numbers, 3), (TargetKind::Nothing, 0)] {
        let data = self::data(kind, 16);
        for word in ["mixup(1)", "cutmix"] {
            let mixed = batches(&data, &pipeline(Fit::Resize, &[word]), options(), 2, 0);
            assert!(
                mixed.iter().all(|batch| batch.targets.len() == 8 * row && batch.labels == [0; 8]),
                "{word} {kind}"
            );
            let shares = |x: &f32| (0.0..=1.0).contains(x);
            assert!(kind != TargetKind::Labels || mixed.iter().all(|batch| batch.targets.iter().all(shares)));
            assert!(
                kind == TargetKind::Nothing || mixed.iter().any(|batch| batch.targets.iter().any(|x| x.fract() != 0.0))
            );
        }
    }
}

#[test]
fn workers_and_resuming_change_nothing() {
    for kind in [TargetKind::Class, TargetKind::Labels, TargetKind::Mask, TargetKind::Numbers, TargetKind::Nothing] {
        let data = data(kind, 50);
        let pipeline = pipeline(Fit::Auto, &["resized_crop", "flip", "rotate", "color", "erase", "cutmix"]);
        let alone = batches(&data, &pipeline, options(), 4, 0);
        assert_eq!(alone.len(), 7);
        let three = LoaderOptions { workers: Some(3), ..options() };
        assert!(batches(&data, &pipeline, three, 4, 0) == alone, "{kind}");
        assert!(batches(&data, &pipeline, three, 4, 3) == alone[3..], "{kind}");
        assert!(batches(&data, &pipeline, options(), 4, 5) == alone[5..], "{kind}");
        // There is nothing to balance where images are not of one class.
        let balanced = batches(&data, &pipeline, LoaderOptions { sampling: Sampling::Balanced, ..options() }, 4, 0);
        assert_eq!(balanced == alone, kind != TargetKind::Class, "{kind}");
    }
}

#[test]
fn targets_that_are_none_are_left_out_or_stop_the_epoch() {
    for (kind, wrong, problems) in [
        (
            TargetKind::Mask,
            &[2, 5][..],
            &[
                "image 2 of the data: is 44 x 56 pixels, and its mask 3 x 2",
                "image 5 of the data: has the class 3 in its mask, where there are 3 classes",
            ][..],
        ),
        (TargetKind::Labels, &[3], &["image 3 of the data: has 2 values, where there are 3 names"]),
    ] {
        let data: Arc<dyn Dataset> = Arc::new(Squares { kind, n: 12, wrong });
        for augment in [&[][..], &["flip"]] {
            let in_order = LoaderOptions { sampling: Sampling::InOrder, ..options() };
            let skipping = LoaderOptions { on_bad: OnBad::Skip, ..in_order };
            let loader = Loader::new(data.clone(), pipeline(Fit::Auto, augment), skipping);
            let found: Vec<Batch> = loader.epoch(1, 0).map(Result::unwrap).collect();
            let skipped = loader.skipped();
            assert!(skipped.keys().eq(wrong), "{skipped:?}");
            assert!(skipped.values().eq(problems), "{skipped:?}");
            let row = if kind == TargetKind::Mask { 24 * 32 } else { 3 };
            for batch in &found {
                let n = batch.indices.len();
                assert_eq!((batch.targets.len(), batch.pixels.len()), (n * row, n * 3 * 24 * 32));
            }
            let stopping = Loader::new(data.clone(), pipeline(Fit::Auto, augment), in_order);
            let error = stopping.epoch(1, 0).find_map(Result::err).unwrap().to_string();
            assert_eq!(error, problems[0]);
        }
    }
}
