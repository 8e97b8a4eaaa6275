//! The random draws of augmentations, and what they make of images: what a seed once meant it means for ever.
#![deny(warnings)]

use convnet::data::fit::Fit;
use convnet::data::{DataError, Dataset, Image, Loader, LoaderOptions, Normalisation, NormalisationKind, Pipeline};
use std::sync::Arc;

/// Images in colour of many sizes.
struct Noise;

impl Dataset for Noise {
    fn len(&self) -> usize {
        10
    }

    fn classes(&self) -> &[String] {
        static NAMES: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
        NAMES.get_or_init(|| vec!["a".into(), "b".into()])
    }

    fn label(&self, i: usize) -> usize {
        i % 2
    }

    fn image(&self, i: usize) -> Result<Image<'_>, DataError> {
        let shape = [3, [6, 12, 12, 40, 9][i % 5], [7, 12, 25, 11][i % 4]];
        let pixel = |x: usize| ((x * 97 + i * 31 + x * x / 7) % 251) as u8;
        Ok(Image { shape, pixels: (0..shape.iter().product()).map(pixel).collect() })
    }
}

/// The pixels of all batches of an epoch, summed up so that the order matters.
fn sum(augment: &[&str], fit: Fit) -> f64 {
    let data: Arc<dyn Dataset> = Arc::new(Noise);
    let augment = augment.iter().map(|text| text.parse().unwrap()).collect();
    let pipeline =
        Pipeline::training([3, 12, 10], fit, augment, NormalisationKind::Auto, data.as_ref(), false).unwrap();
    let plain = Normalisation { mean: vec![0.0; 3], std: vec![1.0; 3] };
    let preparation = convnet::data::Preparation { normalisation: plain, ..pipeline.preparation };
    let pipeline = Pipeline { preparation, ..pipeline };
    let options = LoaderOptions { batch: 4, seed: 11, workers: Some(0), ..LoaderOptions::default() };
    let batches = Loader::new(data, pipeline, options).epoch(3, 0).map(Result::unwrap);
    let values = batches.flat_map(|batch| [batch.pixels, batch.targets].concat());
    values.enumerate().map(|(i, x)| f64::from(x) * (((i * 7919) % 1009) as f64 / 1009.0 - 0.5)).sum()
}

/// Augmentations with sums that version 0.1 gave.
const KNOWN: [(&[&str], Fit, f64); 30] = [
    (&[], Fit::Auto, -4.3472),
    (&[], Fit::Crop, -2.7487),
    (&["crop(2)"], Fit::Auto, -1.5635),
    (&["crop(2)"], Fit::Crop, -4.3473),
    (&["crop(from = 14)"], Fit::Auto, 0.1512),
    (&["crop(from = 14)"], Fit::Crop, 0.1512),
    (&["flip"], Fit::Auto, -4.6522),
    (&["flip"], Fit::Crop, -1.2339),
    (&["resized_crop"], Fit::Auto, -0.2866),
    (&["resized_crop"], Fit::Crop, -0.2866),
    (&["resized_crop(0.3, 0.9)"], Fit::Auto, 1.6453),
    (&["resized_crop(0.3, 0.9)"], Fit::Crop, 1.6453),
    (&["rotate(30)"], Fit::Auto, -4.2512),
    (&["rotate(30)"], Fit::Crop, -4.1458),
    (&["color"], Fit::Auto, -4.2486),
    (&["color"], Fit::Crop, -2.7537),
    (&["pca"], Fit::Auto, -4.2939),
    (&["pca"], Fit::Crop, -2.6953),
    (&["erase(0.7)"], Fit::Auto, -2.6915),
    (&["erase(0.7)"], Fit::Crop, -0.6978),
    (&["cutout(4)"], Fit::Auto, -4.0818),
    (&["cutout(4)"], Fit::Crop, -2.2077),
    (&["mixup(0.4)"], Fit::Auto, -2.3748),
    (&["mixup(0.4)"], Fit::Crop, -1.6383),
    (&["cutmix"], Fit::Auto, -2.6651),
    (&["cutmix"], Fit::Crop, -3.7518),
    (&["mixup", "cutmix"], Fit::Auto, -3.3970),
    (&["mixup", "cutmix"], Fit::Crop, -0.7349),
    (&["resized_crop", "crop(1)", "flip", "rotate", "color", "pca", "erase", "cutout(3)", "mixup"], Fit::Auto, -6.1864),
    (&["resized_crop", "crop(1)", "flip", "rotate", "color", "pca", "erase", "cutout(3)", "mixup"], Fit::Crop, -6.1864),
];

#[test]
fn a_seed_means_what_it_always_meant() {
    for (augment, fit, expected) in KNOWN {
        let found = sum(augment, fit);
        assert!((found - expected).abs() < 1e-3, "{augment:?} {fit}: {found}");
    }
}
