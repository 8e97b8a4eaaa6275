//! The training loop: batches in, a trained network and its history out.
//!
//! [`fit`] is dfdx's own loop (`alloc_grads`, trace, loss, `backward`, `update`, `zero_grads`) with a schedule, measurements
//! and checks around it; nothing in it is closed to a user who would rather write it out. It prints nothing: what happens
//! is told to a callback.

mod config;
mod metrics;

pub use config::{Config, ConfigError, HEAD_WEIGHT, Optimizer, Schedule};
pub use metrics::{Evaluation, Prediction};

use crate::backend::Backend;
use crate::data::{Batch, Batches, Dataset, Normalisation, Pictures};
use crate::net::{Map, NetTape, Network, Outputs, Real, forward, forward_mut};
use config::Update;
use dfdx::prelude::*;

/// Why training stopped.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// An option has no meaning.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data does not have the shape or the number of classes that the network has.
    #[error("the data has {data}, but {network} takes {expected}")]
    Shape {
        /// Name of the network.
        network: &'static str,
        /// What the data has.
        data: String,
        /// What the network takes.
        expected: String,
    },
    /// An auxiliary head that does not tell the classes apart.
    #[error(
        "the head `{head}` of {network} does not give one number for each of the {classes} classes; write the training loop out (see `net::forward_mut`)"
    )]
    Head {
        /// Name of the network.
        network: &'static str,
        /// Name of the head.
        head: &'static str,
        /// What the network's output has.
        classes: usize,
    },
    /// There is nothing to learn from.
    #[error("the {0} set is empty")]
    Empty(&'static str),
    /// The loss is no longer a number.
    #[error(
        "the loss is {loss} in epoch {epoch}, step {step}: training has diverged; try a lower learning rate than {lr}"
    )]
    Diverged {
        /// Counted from 1.
        epoch: usize,
        /// Counted from 1, within the epoch.
        step: usize,
        /// The loss.
        loss: f32,
        /// The learning rate at that step.
        lr: f64,
    },
    /// The device failed, most likely for want of memory.
    #[error("the device failed: {0}")]
    Device(String),
    /// The callback asked to stop.
    #[error(transparent)]
    Callback(#[from] Box<dyn std::error::Error + Send + Sync>),
}

/// What the callback of [`fit`] hears.
#[derive(Debug, Clone)]
pub enum Event<'a> {
    /// A step is done.
    Step {
        /// Counted from 1.
        epoch: usize,
        /// Counted from 1, within the epoch.
        step: usize,
        /// Steps in an epoch.
        steps: usize,
        /// Mean loss of the epoch so far.
        loss: f64,
        /// Accuracy of the epoch so far.
        accuracy: f64,
        /// Pictures in this step.
        pictures: usize,
    },
    /// An epoch is done.
    Epoch(&'a Epoch),
}

/// The figures of one epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: usize,
    /// Mean loss while training.
    pub loss: f64,
    /// Accuracy while training.
    pub accuracy: f64,
    /// Loss on the test set.
    pub test_loss: f64,
    /// Accuracy on the test set.
    pub test_accuracy: f64,
    /// Learning rate of the last step.
    pub lr: f64,
}

/// Trains `net` on `train` and measures it on `test` after each epoch. `on` hears of every step and epoch, with the
/// network; its error ends the training.
///
/// The same configuration gives the same weights, bit for bit on one kind of processor, for any number of threads.
///
/// # Errors
/// When an option has no meaning, the data does not fit, the loss diverges, the device fails or the callback objects.
pub fn fit<N, D>(
    net: &mut N,
    device: &D,
    train: &Pictures,
    test: &Pictures,
    config: &Config,
    mut on: impl FnMut(Event<'_>, &N) -> Result<(), Box<dyn std::error::Error + Send + Sync>>,
) -> Result<Vec<Epoch>, TrainError>
where
    N: Network<f32, D>,
    D: Backend<f32>,
{
    config.check()?;
    fits::<N, D>(train, "training")?;
    fits::<N, D>(test, "test")?;
    let head_weights = config.weights_of(N::GRAPH.heads.len())?;
    let classes = N::GRAPH.output_shape().len();
    let steps = train.len().div_ceil(config.batch);
    let mut update = Update::new(net, config);
    let mut gradients = net.alloc_grads();
    let mut history = Vec::new();
    for epoch in 1..=config.epochs {
        let (mut loss_sum, mut correct, mut seen) = (0.0, 0, 0);
        let batches = Batches::shuffled(train, config.batch, config.normalisation, config.seed, epoch);
        for (step, batch) in batches.enumerate() {
            let lr = config.lr_at((epoch - 1) * steps + step, config.epochs * steps);
            let pictures = batch.labels.len();
            let targets = tensor(device, batch.one_hot(classes), (pictures, classes))?;
            let x = input::<N, D>(device, &batch)?.traced(gradients);
            let outputs = forward_mut(net, x, pictures).map_err(failed)?;
            let (logits, loss) = loss(outputs, targets, &head_weights).map_err(failed)?;
            correct += metrics::count_correct(&logits, &batch.labels);
            let value = loss.as_vec().first().copied().unwrap_or(f32::NAN);
            if !value.is_finite() {
                return Err(TrainError::Diverged { epoch, step: step + 1, loss: value, lr });
            }
            gradients = loss.try_backward().map_err(failed)?;
            update.step(net, &mut gradients, lr).map_err(TrainError::Device)?;
            seen += pictures;
            loss_sum += f64::from(value) * pictures as f64;
            let (loss, accuracy) = (loss_sum / seen as f64, correct as f64 / seen as f64);
            on(Event::Step { epoch, step: step + 1, steps, loss, accuracy, pictures }, net)?;
        }
        let evaluation = evaluate(net, device, test, config.normalisation)?;
        let done = Epoch {
            epoch,
            loss: loss_sum / seen as f64,
            accuracy: correct as f64 / seen as f64,
            test_loss: evaluation.loss,
            test_accuracy: evaluation.accuracy(),
            lr: config.lr_at(epoch * steps - 1, config.epochs * steps),
        };
        on(Event::Epoch(&done), net)?;
        history.push(done);
    }
    Ok(history)
}

/// The cross-entropy of a pass in training: that of the output plus those of the auxiliary heads, each times its weight.
/// Gives the logits of the output too.
///
/// # Errors
/// When the device runs out of memory.
///
/// # Panics
/// If a head has another number of classes than `targets`.
pub fn loss<E: Real, D: Backend<E>, T: NetTape<E, D>>(
    mut outputs: Outputs<E, D, T>,
    targets: Tensor<(usize, usize), E, D>,
    head_weights: &[f64],
) -> Result<(Vec<E>, Tensor<Rank0, E, D, T>), D::Err> {
    let shape = *targets.shape();
    let logits = outputs.next(shape)?;
    let values = logits.as_vec();
    let mut loss = cross_entropy_with_logits_loss(logits, targets.clone());
    for weight in head_weights {
        let head = cross_entropy_with_logits_loss(outputs.next(shape)?, targets.clone());
        loss = loss.try_add(head.try_mul(E::from_f64(*weight).unwrap_or(E::nan()))?)?;
    }
    Ok((values, loss))
}

/// Pictures at once when nothing has to be kept for a backward pass.
const EVALUATION_BATCH: usize = 250;

/// Loss, accuracy and confusion matrix on a dataset.
///
/// # Errors
/// When the data does not fit or the device fails.
pub fn evaluate<N, D>(
    net: &N,
    device: &D,
    data: &Pictures,
    normalisation: Normalisation,
) -> Result<Evaluation, TrainError>
where
    N: Network<f32, D>,
    D: Backend<f32>,
{
    fits::<N, D>(data, "data")?;
    let classes = N::GRAPH.output_shape().len();
    let mut evaluation = Evaluation::new(classes);
    for batch in Batches::in_order(data, EVALUATION_BATCH, normalisation) {
        evaluation.add(&logits(net, device, &batch)?, &batch.labels);
    }
    Ok(evaluation.finish())
}

/// The probability of each class for each picture of a batch; labels are not looked at.
///
/// # Errors
/// When the device fails.
pub fn predict<N, D>(net: &N, device: &D, batch: &Batch) -> Result<Vec<Prediction>, TrainError>
where
    N: Network<f32, D>,
    D: Backend<f32>,
{
    let classes = N::GRAPH.output_shape().len();
    let logits = logits(net, device, batch)?;
    Ok(logits.chunks_exact(classes).map(Prediction::from_logits).collect())
}

fn logits<N: Network<f32, D>, D: Backend<f32>>(net: &N, device: &D, batch: &Batch) -> Result<Vec<f32>, TrainError> {
    let classes = N::GRAPH.output_shape().len();
    let x = input::<N, D>(device, batch)?;
    let pictures = x.shape().0;
    Ok(forward(net, x, pictures, (pictures, classes)).map_err(failed)?.as_vec())
}

fn input<N: Network<f32, D>, D: Backend<f32>>(device: &D, batch: &Batch) -> Result<Map<f32, D>, TrainError> {
    let [c, h, w] = N::GRAPH.input().chw();
    tensor(device, batch.pixels.clone(), (batch.pixels.len() / (c * h * w), c, h, w))
}

fn tensor<S: dfdx::shapes::Shape, D: Backend<f32>>(
    device: &D,
    values: Vec<f32>,
    shape: S,
) -> Result<Tensor<S, f32, D>, TrainError> {
    device.try_tensor_from_vec(values, shape).map_err(failed)
}

fn failed(error: impl std::fmt::Debug) -> TrainError {
    TrainError::Device(format!("{error:?}"))
}

fn fits<N: Network<f32, D>, D: Backend<f32>>(data: &Pictures, which: &'static str) -> Result<(), TrainError> {
    let (input, classes) = (N::GRAPH.input(), N::GRAPH.output_shape().len());
    if data.is_empty() {
        return Err(TrainError::Empty(which));
    }
    if data.shape != input.chw() || data.classes.len() != classes {
        return Err(TrainError::Shape {
            network: N::GRAPH.name,
            data: format!("pictures of {:?} in {} classes", data.shape, data.classes.len()),
            expected: format!("{input} and tells {classes} classes apart"),
        });
    }
    if let Some(head) = N::GRAPH.heads.iter().find(|head| N::GRAPH.nodes[head.node].shape.len() != classes) {
        return Err(TrainError::Head { network: N::GRAPH.name, head: head.name, classes });
    }
    Ok(())
}
