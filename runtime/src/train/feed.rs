//! What lies between the data and the loop: checks, loaders, targets, seeds of dropout.

use super::balance::Balance;
use super::config::Config;
use super::config_error::ConfigError;
use super::{Learner, TrainError};
use crate::data::augment;
use crate::data::{
    Batch, DataError, Dataset, EVALUATION_BATCH, Loader, LoaderOptions, NormalisationKind, OnBad, Pipeline, Sampling,
    Split, TargetKind,
};
use crate::distributed::Communicator;
use crate::graph::{Activation, Graph, Op, Shape};
use crate::objective::{self, Evaluation, Objective, Task, doubled};
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
    Split { train, test }: &Split,
    config: &Config,
    rank: [usize; 2],
    stop: &AtomicBool,
    objective: &dyn Objective,
) -> Result<Loaders, TrainError> {
    let Config { on_bad, fit, .. } = *config;
    let normalisation =
        if is_bounded(graph, config, objective) { NormalisationKind::None } else { config.normalisation };
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
        test: judging(graph, test, plain, on_bad, workers, rank),
    })
}

/// Whether a network that is to give back its input ends in values from 0 to 1, which no input has that is normalised by mean and deviation.
pub(super) fn is_bounded(graph: &Graph, config: &Config, objective: &dyn Objective) -> bool {
    let ends_in_sigmoid = matches!(graph.nodes[graph.output()].op, Op::Activation(Activation::Sigmoid));
    objective.is_of_input() && config.normalisation == NormalisationKind::Auto && ends_in_sigmoid
}

/// The objective with the normalisation that the loaders have decided on, which one that is about images themselves has to know.
pub(super) fn with_normalisation(
    objective: Arc<dyn Objective>,
    config: &Config,
    loaders: &Loaders,
    data: &Split,
    graph: &Graph,
) -> Result<Arc<dyn Objective>, TrainError> {
    if !objective.is_of_input() {
        return Ok(objective);
    }
    let std = &loaders.train.pipeline().preparation.normalisation.std;
    self::objective(config, data.train.as_ref(), "training", graph, std)
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

/// A loader of images to evaluate a network on.
pub(super) fn judging(
    graph: &Graph,
    data: &Arc<dyn Dataset>,
    pipeline: Pipeline,
    on_bad: OnBad,
    workers: Option<usize>,
    rank: [usize; 2],
) -> Loader {
    /// The most numbers that a pass may keep: 1 GiB.
    const MOST: usize = 1 << 28;
    let batch = (MOST / graph.peak_activations.max(1)).clamp(1, EVALUATION_BATCH) * rank[1];
    let sampling = Sampling::InOrder;
    let others = LoaderOptions::default();
    Loader::new(data.clone(), pipeline, LoaderOptions { batch, sampling, on_bad, workers, rank, ..others })
}

/// Loss, metrics and details on all that the loaders of all ranks have. Each rank gets the same. `progress` hears of images that are done.
pub(super) fn evaluate(
    learner: &dyn Learner,
    objective: &dyn Objective,
    loader: &Loader,
    ranks: &dyn Communicator,
    progress: &mut dyn FnMut(usize),
) -> Result<Evaluation, TrainError> {
    let (mut meter, mut row) = (objective.meter(), Vec::new());
    let (mut loss, mut weight, mut images) = (0.0, 0.0, 0);
    for batch in loader.epoch(0, 0) {
        let mut batch = batch?;
        let targets = targets(&mut batch, objective);
        let Batch { pixels, indices, .. } = batch;
        let outputs = match loader.is_known() {
            _ if indices.is_empty() => Vec::new(),
            true => learner.outputs_behind_front(pixels)?,
            false => learner.outputs(pixels)?,
        };
        for Judged { outputs, targets, indices } in gathered(ranks, Judged { outputs, targets, indices }) {
            let [of_output, of_target] = [outputs.len(), targets.len()].map(|len| len / indices.len().max(1));
            for (place, index) in indices.iter().enumerate() {
                doubled(&outputs[place * of_output..][..of_output], &mut row);
                let target = &targets[place * of_target..][..of_target];
                let [own, counts] = objective.test_loss(&row, target);
                loss += own;
                weight += counts;
                meter.add(*index, &row, target, own);
            }
            images += indices.len();
            progress(indices.len());
        }
    }
    let loss = if weight > 0.0 { loss / weight } else { loss };
    let mut evaluation = Evaluation::new(loss, images, meter.finish());
    evaluation.inverted = ranks.total(&[loader.inverted().len() as f64])[0] as usize;
    Ok(evaluation)
}

/// What a network gives for some images, their targets, and where they are in the dataset.
struct Judged {
    outputs: Vec<f32>,
    targets: Vec<f32>,
    indices: Vec<usize>,
}

/// That of all ranks.
fn gathered(ranks: &dyn Communicator, own: Judged) -> Vec<Judged> {
    if ranks.size() == 1 {
        return vec![own];
    }
    // All of it as f64, which holds each of them exactly.
    let mut all = vec![own.indices.len() as f64, own.targets.len() as f64];
    all.extend(own.indices.iter().map(|i| *i as f64));
    all.extend(own.targets.iter().chain(&own.outputs).map(|x| f64::from(*x)));
    let part = |all: Vec<f64>| {
        let [images, targets] = [0, 1].map(|i| all.get(i).copied().unwrap_or(0.0) as usize);
        let (indices, rest) = all.get(2..).unwrap_or_default().split_at(images);
        let (targets, outputs) = rest.split_at(targets);
        let [targets, outputs] = [targets, outputs].map(|part| part.iter().map(|x| *x as f32).collect());
        Judged { outputs, targets, indices: indices.iter().map(|x| *x as usize).collect() }
    };
    ranks.gather(&all).into_iter().map(part).collect()
}

/// Checks that a network can learn from, or be evaluated on, a dataset, and gives what it learns. `std` is that of the images' normalisation.
pub(super) fn objective(
    config: &Config,
    data: &dyn Dataset,
    which: &'static str,
    graph: &Graph,
    std: &[f32],
) -> Result<Arc<dyn Objective>, TrainError> {
    fits(config, data, which, graph)?;
    let classes = data.classes().len();
    let counts = if config.balance == Balance::Loss { objective::counts(data)? } else { vec![0; classes] };
    let options = objective::Options {
        task: config.task,
        loss: config.loss,
        smoothing: config.label_smoothing,
        weights: config.loss_weights(&counts, data)?,
        ignore: config.ignore,
        std: std.to_vec(),
    };
    Ok(objective::choose(&options, data, graph)?)
}

/// Checks that a dataset has as many classes as the network's output, if it has classes, and as large heads.
fn fits(config: &Config, data: &dyn Dataset, which: &'static str, graph: &Graph) -> Result<(), TrainError> {
    if data.is_empty() {
        return Err(TrainError::Empty(which));
    }
    let (classes, output) = (data.classes().len(), graph.output_shape());
    let of_classes = matches!(config.task, Task::Auto | Task::Classes) && data.target_kind() == TargetKind::Class;
    if let (true, Shape::Vector(expected)) = (of_classes && output != graph.input(), output)
        && expected != classes
    {
        return Err(TrainError::Classes { network: graph.name.to_string(), which, expected, found: classes });
    }
    let head = graph.heads.iter().find(|head| graph.nodes[head.node].shape != output);
    if let Some(head) = head {
        let (network, found) = (graph.name.to_string(), graph.nodes[head.node].shape.to_string());
        return Err(TrainError::Head { network, head: head.name.to_string(), found, expected: output.to_string() });
    }
    Ok(())
}

/// The objective that was given, or the one for these options, once all is checked that can be checked before the first image is read.
pub(super) fn chosen(
    given: Option<Arc<dyn Objective>>,
    config: &Config,
    data: &Split,
    graph: &Graph,
) -> Result<Arc<dyn Objective>, TrainError> {
    let objective = match given {
        Some(_) if data.train.is_empty() => return Err(TrainError::Empty("training")),
        Some(_) if data.test.is_empty() => return Err(TrainError::Empty("test")),
        Some(own) => {
            if let (true, Some(head)) = (graph.outputs.len() > 1, graph.heads.first()) {
                let (network, found) = (graph.name.to_string(), graph.nodes[head.node].shape.to_string());
                let expected = graph.outputs_in_words();
                return Err(TrainError::Head { network, head: head.name.to_string(), found, expected });
            }
            own
        }
        None => {
            let objective = objective(config, data.train.as_ref(), "training", graph, &[])?;
            fits(config, data.test.as_ref(), "test", graph)?;
            objective
        }
    };
    let known: Vec<&str> = objective.metrics().iter().map(|metric| metric.name).chain(["loss"]).collect();
    if let Some(name) = config.monitor.as_deref().filter(|name| !known.contains(name)) {
        return Err(ConfigError::word("monitor", name, &known).into());
    }
    let kind = data.train.target_kind();
    if let Some(problem) = augment::refused(&config.augment, kind).filter(|_| !objective.is_of_input()) {
        return Err(TrainError::Augmentation(problem));
    }
    if config.balance == Balance::Sampling && kind != TargetKind::Class {
        let found = format!("`sampling`, and the data has {kind}");
        return Err(ConfigError::value("balance", found, "none or loss").into());
    }
    Ok(objective)
}

/// What a user should know of how the data goes together with the options.
pub(super) fn notes(graph: &Graph, config: &Config, data: &Split, objective: &dyn Objective) -> Vec<String> {
    let mut notes = Vec::new();
    if data.train.target_kind() == TargetKind::Class && objective.is_of_input() {
        notes.push(format!(
            "the output of {} has the shape of its input, so it learns to give back its input",
            graph.name
        ));
    }
    let kind = data.train.target_kind();
    notes.extend(augment::unmoved(&config.augment, kind).filter(|_| !objective.is_of_input()));
    if is_bounded(graph, config, objective) {
        let name = &graph.name;
        notes.push(format!("{name} ends in `sigmoid`, so images keep their values from 0 to 1 and are not normalised"));
    }
    notes
}

/// What the images of a batch count together.
pub(super) fn weight(batch: &Batch, objective: &dyn Objective) -> f64 {
    match batch.indices.len() {
        0 => 0.0,
        images => rows(&batch.targets, images).map(|target| objective.weight(target)).sum(),
    }
}

/// The row of numbers of each image.
fn rows(targets: &[f32], images: usize) -> impl Iterator<Item = &[f32]> {
    let len = targets.len() / images;
    (0..images).map(move |image| &targets[image * len..(image + 1) * len])
}

/// A batch's targets in the form that an objective takes, `[N, T]`.
pub(super) fn targets(batch: &mut Batch, objective: &dyn Objective) -> Vec<f32> {
    if objective.is_of_input() { batch.pixels.clone() } else { std::mem::take(&mut batch.targets) }
}

/// The seed of the dropout masks of a batch: of the run, the step, and the batch's place in it.
pub(super) fn dropout_seed(seed: u64, step: u64, place: usize) -> u64 {
    mix(seed ^ step.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (place as u64).wrapping_mul(0xD1B5_4A32_D192_ED03))
}
