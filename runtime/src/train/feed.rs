//! What lies between the data and the loop: checks, loaders, targets, seeds of dropout.

use super::config::Config;
use super::metrics::Evaluation;
use super::{Learner, TrainError};
use crate::data::augment::Augment;
use crate::data::{Batch, Dataset, Loader, LoaderOptions, OnBad, Pipeline, Sampling};
use crate::graph::Graph;
use crate::layers::dropout::mix;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Pictures at once when nothing has to be kept for a backward pass.
const EVALUATION_BATCH: usize = 250;

/// The loaders of a run.
pub(super) struct Loaders {
    pub train: Loader,
    pub test: Loader,
}

/// The loaders of a run on these datasets.
pub(super) fn loaders(
    graph: &Graph,
    train: &Arc<dyn Dataset>,
    test: &Arc<dyn Dataset>,
    config: &Config,
) -> Result<Loaders, TrainError> {
    let on_bad: OnBad = config.on_bad.parse()?;
    let augment = config.augment.iter().map(|text| text.parse()).collect::<Result<Vec<Augment>, _>>()?;
    let (shape, skip) = (graph.input().chw(), on_bad == OnBad::Skip);
    let pipeline =
        Pipeline::training(shape, config.fit.parse()?, augment, &config.normalisation, train.as_ref(), skip)?;
    let sampling = if config.balance == "sampling" { Sampling::Balanced } else { Sampling::Shuffled };
    let (batch, seed, drop_last, workers) = (config.batch, config.seed, config.drop_last, config.workers);
    let options = LoaderOptions { batch, sampling, seed, drop_last, on_bad, workers };
    let plain = pipeline.without_chance();
    Ok(Loaders { train: Loader::new(train.clone(), pipeline, options), test: judging(test, plain, on_bad, workers) })
}

/// A loader of pictures to judge by.
pub(super) fn judging(data: &Arc<dyn Dataset>, pipeline: Pipeline, on_bad: OnBad, workers: Option<usize>) -> Loader {
    let (batch, sampling) = (EVALUATION_BATCH, Sampling::InOrder);
    Loader::new(data.clone(), pipeline, LoaderOptions { batch, sampling, on_bad, workers, ..LoaderOptions::default() })
}

/// Loss, accuracy, confusion and mistakes on all that a loader has.
pub(super) fn evaluate(learner: &dyn Learner, loader: &Loader) -> Result<Evaluation, TrainError> {
    let mut evaluation = Evaluation::new(learner.graph().output_shape().len());
    for batch in loader.epoch(0, 0) {
        let batch = batch?;
        if !batch.labels.is_empty() {
            evaluation.add(&learner.logits(batch.pixels)?, &batch.labels, &batch.indices);
        }
    }
    Ok(evaluation.finish())
}

/// Checks that a network can learn from, or be judged by, a dataset.
pub(super) fn fits(graph: &'static Graph, data: &dyn Dataset, which: &'static str) -> Result<(), TrainError> {
    let classes = graph.output_shape().len();
    if data.is_empty() {
        return Err(TrainError::Empty(which));
    }
    if data.classes().len() != classes {
        let (network, found) = (graph.name, data.classes().len());
        return Err(TrainError::Classes { network, which, expected: classes, found });
    }
    if let Some(head) = graph.heads.iter().find(|head| graph.nodes[head.node].shape.len() != classes) {
        return Err(TrainError::Head { network: graph.name, head: head.name, classes });
    }
    Ok(())
}

/// The shape of the first picture, if that can be read: reading it may fail, or panic, and then the loader will say so.
pub(super) fn first_shape(data: &dyn Dataset) -> Option<[usize; 3]> {
    let shape = || data.picture(0).ok().map(|picture| picture.shape);
    catch_unwind(AssertUnwindSafe(shape)).ok().flatten()
}

/// Pictures of each class.
pub(super) fn counts(data: &dyn Dataset) -> Vec<usize> {
    let mut counts = vec![0; data.classes().len()];
    (0..data.len()).for_each(|i| counts[data.label(i)] += 1);
    counts
}

/// What the loss compares a batch's logits with, `[N, classes]`: its targets, smoothed, and each row times what its class
/// counts. Weights are divided by their mean over the batch, as in PyTorch.
pub(super) fn targets(batch: &mut Batch, weights: &[f64], smoothing: f64) -> Vec<f32> {
    let before = if weights.is_empty() { Vec::new() } else { batch.targets.clone() };
    let mut targets = std::mem::take(&mut batch.targets);
    let classes = targets.len() / batch.labels.len().max(1);
    if smoothing > 0.0 {
        let (keep, spread) = ((1.0 - smoothing) as f32, (smoothing / classes as f64) as f32);
        targets.iter_mut().for_each(|x| *x = keep * *x + spread);
    }
    if !weights.is_empty() {
        let weight =
            |row: &[f32]| row.iter().zip(weights).map(|(share, weight)| f64::from(*share) * weight).sum::<f64>();
        let of_rows: Vec<f64> = before.chunks_exact(classes).map(weight).collect();
        let mean = of_rows.iter().sum::<f64>() / of_rows.len() as f64;
        for row in targets.chunks_exact_mut(classes) {
            for (x, weight) in row.iter_mut().zip(weights) {
                *x *= (if mean > 0.0 { weight / mean } else { 0.0 }) as f32;
            }
        }
    }
    targets
}

/// The seed of the dropout masks of a batch: of the run, the step, and the batch's place in it.
pub(super) fn dropout_seed(seed: u64, step: u64, place: usize) -> u64 {
    mix(seed ^ step.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (place as u64).wrapping_mul(0xD1B5_4A32_D192_ED03))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_those_of_pytorch() {
        // torch.nn.CrossEntropyLoss(weight = [1, 3], label_smoothing = 0.1) of the logits (0.2, -0.4), (1.0, 0.5) and the
        // labels 0, 1.
        let mut batch = Batch { targets: vec![1.0, 0.0, 0.0, 1.0], labels: vec![0, 1], ..Batch::default() };
        let targets = targets(&mut batch, &[1.0, 3.0], 0.1);
        let loss = |a: f64, b: f64, row: &[f32]| {
            let sum = (a.exp() + b.exp()).ln();
            -(f64::from(row[0]) * (a - sum) + f64::from(row[1]) * (b - sum))
        };
        let found = (loss(0.2, -0.4, &targets[..2]) + loss(1.0, 0.5, &targets[2..])) / 2.0;
        assert!((found - 0.842_765).abs() < 1e-5, "{found}");
    }
}
