//! What lies between the data and the loop: checks, loaders, targets, seeds of dropout.

use super::balance::Balance;
use super::config::Config;
use super::metrics::Evaluation;
use super::{Learner, TrainError};
use crate::data::{Batch, DataError, Dataset, EVALUATION_BATCH, Loader, LoaderOptions, OnBad, Pipeline, Sampling};
use crate::distributed::Communicator;
use crate::graph::Graph;
use convnet_engine::random::mix;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

/// The loaders of a run.
#[derive(Clone)]
pub(super) struct Loaders {
    pub train: Loader,
    pub test: Loader,
}

/// The loaders of a run on these datasets, for one of its ranks. Once `stop` is true, images that do not come are no longer waited for.
pub(super) fn loaders(
    graph: &Graph,
    train: &Arc<dyn Dataset>,
    test: &Arc<dyn Dataset>,
    config: &Config,
    rank: [usize; 2],
    stop: &AtomicBool,
) -> Result<Loaders, TrainError> {
    let Config { on_bad, fit, normalisation, .. } = *config;
    let (shape, skip) = (graph.input().chw(), on_bad == OnBad::Skip);
    let (data, augment) = (train.clone(), config.augment.clone());
    let look = move || Pipeline::training(shape, fit, augment, normalisation, data.as_ref(), skip);
    // Several ranks decide together, after a step.
    let pipeline = if rank[1] == 1 { unless_stopped(look, stop)? } else { look()? };
    let sampling = if config.balance == Balance::Sampling { Sampling::Balanced } else { Sampling::Shuffled };
    let (batch, seed, drop_last, workers) = (config.batch, config.seed, config.drop_last, config.workers);
    let options = LoaderOptions { batch, sampling, seed, drop_last, on_bad, workers, rank };
    let plain = pipeline.without_chance();
    Ok(Loaders {
        train: Loader::new(train.clone(), pipeline, options),
        test: judging(test, plain, on_bad, workers, rank),
    })
}

/// How often a run looks whether it has been told to stop, while it waits for images.
const PATIENCE: Duration = Duration::from_millis(100);

/// What `look` finds in the images, which may wait for a file for ever.
fn unless_stopped(
    look: impl FnOnce() -> Result<Pipeline, DataError> + Send + 'static,
    stop: &AtomicBool,
) -> Result<Pipeline, TrainError> {
    let (to, found) = std::sync::mpsc::channel();
    // Nobody listens any more if the run has been told to stop.
    let look = move || drop(to.send(look()));
    let thread = std::thread::Builder::new().name("survey".into()).spawn(look);
    thread.map_err(|source| DataError::Io { path: "a thread for the training set".into(), source })?;
    loop {
        match found.recv_timeout(PATIENCE) {
            Ok(pipeline) => return Ok(pipeline?),
            Err(RecvTimeoutError::Timeout) if stop.load(Ordering::Relaxed) => {
                return Err(TrainError::Interrupted { step: 0, folder: None });
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                let message = "looking at the training set for its mean".into();
                return Err(DataError::Panic { index: 0, message }.into());
            }
        }
    }
}

/// A loader of images to evaluate on.
pub(super) fn judging(
    data: &Arc<dyn Dataset>,
    pipeline: Pipeline,
    on_bad: OnBad,
    workers: Option<usize>,
    rank: [usize; 2],
) -> Loader {
    let (batch, sampling) = (EVALUATION_BATCH * rank[1], Sampling::InOrder);
    let others = LoaderOptions::default();
    Loader::new(data.clone(), pipeline, LoaderOptions { batch, sampling, on_bad, workers, rank, ..others })
}

/// Loss, accuracy, confusion and mistakes on all that the loaders of all ranks have. Each rank gets the same. `progress` hears of
/// images that are done.
pub(super) fn evaluate(
    learner: &dyn Learner,
    loader: &Loader,
    ranks: &dyn Communicator,
    progress: &mut dyn FnMut(usize),
) -> Result<Evaluation, TrainError> {
    let mut evaluation = Evaluation::new(learner.graph().output_shape().len());
    for batch in loader.epoch(0, 0) {
        let Batch { pixels, labels, indices, .. } = batch?;
        let logits = match loader.is_known() {
            _ if labels.is_empty() => Vec::new(),
            true => learner.logits_behind_front(pixels)?,
            false => learner.logits(pixels)?,
        };
        for (logits, labels, indices) in gathered(ranks, logits, labels, indices) {
            evaluation.add(&logits, &labels, &indices);
            progress(labels.len());
        }
    }
    evaluation.inverted = ranks.total(&[loader.inverted().len() as f64])[0] as usize;
    Ok(evaluation.finish())
}

type Judged = (Vec<f32>, Vec<usize>, Vec<usize>);

/// The logits of all ranks, with labels and indices.
fn gathered(ranks: &dyn Communicator, logits: Vec<f32>, labels: Vec<usize>, indices: Vec<usize>) -> Vec<Judged> {
    if ranks.size() == 1 {
        return vec![(logits, labels, indices)];
    }
    // All of it as f64, which holds each of them exactly.
    let mut own = vec![labels.len() as f64];
    own.extend(labels.iter().chain(&indices).map(|i| *i as f64));
    own.extend(logits.iter().map(|x| f64::from(*x)));
    let part = |all: Vec<f64>| {
        let (n, rest) = all.split_first().map_or((0, &[][..]), |(n, rest)| (*n as usize, rest));
        let numbers = |part: &[f64]| part.iter().map(|x| *x as usize).collect();
        (rest[2 * n..].iter().map(|x| *x as f32).collect(), numbers(&rest[..n]), numbers(&rest[n..2 * n]))
    };
    ranks.gather(&own).into_iter().map(part).collect()
}

/// Checks that a network can learn from, or be evaluated on, a dataset.
pub(super) fn fits(graph: &Graph, data: &dyn Dataset, which: &'static str) -> Result<(), TrainError> {
    let classes = graph.output_shape().len();
    if data.is_empty() {
        return Err(TrainError::Empty(which));
    }
    if data.classes().len() != classes {
        let (network, found) = (graph.name.to_string(), data.classes().len());
        return Err(TrainError::Classes { network, which, expected: classes, found });
    }
    if let Some(head) = graph.heads.iter().find(|head| graph.nodes[head.node].shape.len() != classes) {
        return Err(TrainError::Head { network: graph.name.to_string(), head: head.name.to_string(), classes });
    }
    Ok(())
}

/// Images of each class.
pub(super) fn counts(data: &dyn Dataset) -> Vec<usize> {
    let mut counts = vec![0; data.classes().len()];
    (0..data.len()).for_each(|i| counts[data.label(i)] += 1);
    counts
}

/// What the images of a batch count together, by the classes they are of.
pub(super) fn weight(batch: &Batch, weights: &[f64]) -> f64 {
    let row = |row: &[f32]| row.iter().zip(weights).map(|(share, weight)| f64::from(*share) * weight).sum::<f64>();
    batch.targets.chunks_exact(weights.len().max(1)).map(row).sum()
}

/// What the loss compares a batch's logits with, `[N, classes]`: its targets, smoothed, and each row times what its class
/// counts. Weights are divided by `mean`, theirs over all images of the step, as in PyTorch over a batch.
pub(super) fn targets(batch: &mut Batch, weights: &[f64], mean: f64, smoothing: f64) -> Vec<f32> {
    let mut targets = std::mem::take(&mut batch.targets);
    let classes = targets.len() / batch.labels.len().max(1);
    if smoothing > 0.0 {
        let (keep, spread) = ((1.0 - smoothing) as f32, (smoothing / classes as f64) as f32);
        targets.iter_mut().for_each(|x| *x = keep * *x + spread);
    }
    if !weights.is_empty() {
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
        let (weights, mean) = ([1.0, 3.0], weight(&batch, &[1.0, 3.0]) / 2.0);
        let targets = targets(&mut batch, &weights, mean, 0.1);
        let loss = |a: f64, b: f64, row: &[f32]| {
            let sum = (a.exp() + b.exp()).ln();
            -(f64::from(row[0]) * (a - sum) + f64::from(row[1]) * (b - sum))
        };
        let found = (loss(0.2, -0.4, &targets[..2]) + loss(1.0, 0.5, &targets[2..])) / 2.0;
        assert!((found - 0.842_765).abs() < 1e-5, "{found}");
    }
}
