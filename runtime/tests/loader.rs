//! Batches: an order and draws that depend on seed, epoch and image alone, whoever makes the batches.
#![deny(warnings)]

use convnet::data::fit::Fit;
use convnet::data::{
    Batch, DataError, Dataset, Image, Images, Loader, LoaderOptions, Normalisation, NormalisationKind, OnBad, Pipeline,
    Sampling,
};
use std::sync::Arc;

/// Image `i` has the one pixel `i`; every tenth is of class 1.
fn data(n: usize) -> Arc<dyn Dataset> {
    let classes = ["often", "seldom"].map(String::from).to_vec();
    let labels = (0..n).map(|i| u8::from(i % 10 == 9)).collect();
    Arc::new(Images { shape: [1, 1, 1], pixels: (0..n).map(|i| i as u8).collect(), labels, classes })
}

fn pipeline(data: &Arc<dyn Dataset>, augment: &[&str]) -> Pipeline {
    let augment = augment.iter().map(|text| text.parse().unwrap()).collect();
    Pipeline::training([1, 1, 1], Fit::Auto, augment, NormalisationKind::None, data.as_ref(), false).unwrap()
}

fn loader(data: &Arc<dyn Dataset>, options: LoaderOptions) -> Loader {
    Loader::new(data.clone(), pipeline(data, &[]), options)
}

fn batches(loader: &Loader, epoch: usize, first: usize) -> Vec<Batch> {
    loader.epoch(epoch, first).map(Result::unwrap).collect()
}

fn indices(batches: &[Batch]) -> Vec<usize> {
    batches.iter().flat_map(|batch| batch.indices.clone()).collect()
}

fn options() -> LoaderOptions {
    LoaderOptions { batch: 8, seed: 5, ..LoaderOptions::default() }
}

#[test]
fn an_epoch_has_every_image_once_in_an_order_of_its_own() {
    let data = data(100);
    let loader = loader(&data, options());
    let epochs: Vec<Vec<usize>> = (1..4).map(|epoch| indices(&batches(&loader, epoch, 0))).collect();
    for order in &epochs {
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..100));
    }
    assert!(epochs[0] != epochs[1] && epochs[1] != epochs[2]);
    assert_eq!(indices(&batches(&loader, 2, 0)), epochs[1]);
    // From the middle it goes on as it would have.
    assert_eq!(indices(&batches(&loader, 2, 7)), epochs[1][56..]);
    let other = Loader::new(data.clone(), pipeline(&data, &[]), LoaderOptions { seed: 6, ..options() });
    assert_ne!(indices(&batches(&other, 1, 0)), epochs[0]);
}

#[test]
fn whoever_makes_them_batches_are_the_same() {
    let data = data(100);
    let all = |workers: usize| {
        let options = LoaderOptions { workers: Some(workers), ..options() };
        batches(&Loader::new(data.clone(), pipeline(&data, &["crop(1)", "mixup(0.4)"]), options), 3, 2)
    };
    let alone = all(0);
    assert_eq!(alone.len(), 11);
    for workers in [1, 3, 20] {
        assert!(all(workers) == alone, "{workers} workers");
    }
}

#[test]
fn the_last_batch_is_kept_or_dropped() {
    let data = data(20);
    let sizes = |n: usize, drop_last| {
        let loader = loader(&data, LoaderOptions { batch: n, drop_last, ..options() });
        let sizes: Vec<usize> = batches(&loader, 1, 0).iter().map(|batch| batch.labels.len()).collect();
        assert_eq!(sizes.len(), loader.batches());
        sizes
    };
    assert_eq!(sizes(8, false), [8, 8, 4]);
    assert_eq!(sizes(8, true), [8, 8]);
    assert_eq!(sizes(50, true), [20]);
}

#[test]
fn balanced_sampling_draws_each_class_equally_often() {
    let data = data(250);
    let loader = loader(&data, LoaderOptions { batch: 50, sampling: Sampling::Balanced, ..options() });
    let labels: Vec<usize> =
        (1..9).flat_map(|epoch| batches(&loader, epoch, 0)).flat_map(|batch| batch.labels).collect();
    let seldom = labels.iter().sum::<usize>() as f64 / labels.len() as f64;
    // 2000 draws: four standard deviations are 0.045.
    assert_eq!(labels.len(), 2000);
    assert!((seldom - 0.5).abs() < 0.045, "{seldom}");
}

#[test]
fn ranks_share_each_batch() {
    let data = data(21);
    let make = |rank: [usize; 2]| batches(&loader(&data, LoaderOptions { rank, ..options() }), 1, 0);
    let whole = make([0, 1]);
    for ranks in [2, 3, 8] {
        let parts: Vec<Vec<Batch>> = (0..ranks).map(|rank| make([rank, ranks])).collect();
        for (i, batch) in whole.iter().enumerate() {
            let together: Vec<f32> = parts.iter().flat_map(|part| part[i].pixels.clone()).collect();
            assert_eq!(together, batch.pixels);
        }
    }
}

/// Images of which one cannot be read, and one panics.
struct Bad;

impl Dataset for Bad {
    fn len(&self) -> usize {
        12
    }

    fn classes(&self) -> &[String] {
        static NAMES: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
        NAMES.get_or_init(|| vec!["a".into(), "b".into()])
    }

    fn label(&self, i: usize) -> usize {
        i % 2
    }

    fn image(&self, i: usize) -> Result<Image<'_>, DataError> {
        match i {
            3 => Err(DataError::Image { path: "three.png".into(), problem: "is torn".into() }),
            7 => panic!("seven"),
            _ => Ok(Image { shape: [1, 1, 1], pixels: vec![i as u8].into() }),
        }
    }
}

#[test]
fn images_that_cannot_be_read_are_left_out_or_stop_the_epoch() {
    let data: Arc<dyn Dataset> = Arc::new(Bad);
    let normalisation = Normalisation { mean: vec![0.0], std: vec![1.0] };
    for workers in [0, 2] {
        let plain = Pipeline::plain([1, 1, 1], Fit::Auto, normalisation.clone());
        let options = LoaderOptions { batch: 4, sampling: Sampling::InOrder, workers: Some(workers), ..options() };
        let loader = Loader::new(data.clone(), plain.clone(), LoaderOptions { on_bad: OnBad::Skip, ..options });
        let all = batches(&loader, 1, 0);
        assert_eq!(
            all.iter().map(|batch| batch.indices.clone()).collect::<Vec<_>>(),
            [vec![0, 1, 2], vec![4, 5, 6], vec![8, 9, 10, 11]]
        );
        assert_eq!((all[0].pixels.len(), all[0].targets.len()), (3, 6));
        let skipped = loader.skipped();
        assert_eq!(skipped.keys().copied().collect::<Vec<_>>(), [3, 7]);
        assert!(skipped[&3].contains("three.png: is torn") && skipped[&7].contains("seven"), "{skipped:?}");
        let stopping = Loader::new(data.clone(), plain, options);
        let all: Vec<Result<Batch, DataError>> = stopping.epoch(1, 0).collect();
        assert!(matches!(&all[..], [Err(DataError::Image { .. })]), "{all:?}");
    }
}
