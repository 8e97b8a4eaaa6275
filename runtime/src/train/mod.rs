//! Training: `Split -> Loader -> Trainer -> Summary`.
//!
//! * [`Trainer`] is the loop, [`Config`] its options, [`Callback`] what listens to it;
//! * [`Learner`] is a network at work without its type, [`Hyperparameters`] how it learns;
//! * [`checkpoint`] and [`RunFolder`] keep a run on the disk, so that it can go on as if it had never been interrupted;
//! * [`find_lr`] and [`overfit`] are for the time before a long run.
//!
//! Nothing in it is closed to a user who would rather write the loop out: [`loss`], [`crate::optim`] and [`crate::data::Loader`]
//! are its parts.

mod balance;
mod callback;
#[doc(hidden)]
pub mod checkpoint;
mod config;
mod config_error;
mod epoch;
mod feed;
mod fine_tune;
mod folder;
mod front;
mod hyperparameters;
mod learner;
mod monitor;
mod options;
mod pattern;
mod phases;
mod schedule;
mod session;
mod summary;
mod text;
mod trainer;
mod trial;
mod variance;

pub use balance::Balance;
#[doc(hidden)]
pub use callback::CallbackError;
pub use callback::{Callback, Event, Flow, Run, StepInfo};
pub use checkpoint::CheckpointError;
pub use config::Config;
#[doc(hidden)]
pub use config::HEAD_WEIGHT;
pub use config_error::ConfigError;
pub use epoch::Epoch;
#[doc(hidden)]
pub use folder::{Latest, Lock, RunFolder};
#[doc(hidden)]
pub use hyperparameters::Hyperparameters;
#[doc(hidden)]
pub use learner::{Goal, PassReport};
pub use learner::{Learner, NetworkLearner, StateError};
#[doc(hidden)]
pub use options::{OPTIONS, OptionInfo, ValueKind};
pub use schedule::Schedule;
pub use summary::Summary;
pub use trainer::Trainer;
pub use trial::{Trial, find_lr, overfit};

use crate::backend::{Backend, NetTape, Real};
use crate::data::{DataError, Dataset, OnBad, Pipeline, Split};
use crate::distributed::Alone;
use crate::graph::Graph;
use crate::net::{AnyNetwork, Outputs};
use crate::objective::{self, Evaluation, Objective, ObjectiveError, Prediction};
use crate::optim::OptimError;
use crate::wording::counted;
use dfdx::prelude::*;
use std::path::PathBuf;
use std::sync::Arc;

/// Why training stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// An option has no meaning.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The data has another number of classes than the network has outputs.
    #[error("the {which} set has {}, but {network} has {} outputs", counted(*found, "class"), expected)]
    Classes {
        /// Name of the network.
        network: String,
        /// Which part of the data.
        which: &'static str,
        /// Classes of the network.
        expected: usize,
        /// Classes of the data.
        found: usize,
    },
    /// Network and data do not go together, or an option does not go with them.
    #[error(transparent)]
    Objective(#[from] ObjectiveError),
    /// An augmentation that has no meaning for the targets of the data.
    #[error("{0}")]
    Augmentation(String),
    /// An auxiliary head whose output has another shape than that of the network.
    #[error(
        "the head `{head}` of {network} gives {found} and not {expected}, as the network does; write the training loop out (see `net::forward_mut`)"
    )]
    Head {
        /// Name of the network.
        network: String,
        /// Name of the head.
        head: String,
        /// The shape that it gives.
        found: String,
        /// The shape of the network's output.
        expected: String,
    },
    /// A batch with one value for each channel of a batch normalisation, which has no variance.
    #[error(
        "`{layer}` is a batch normalisation, and a batch of {images} image gives it one value for each channel, which has no variance{}; \
         use another batch size, or drop_last",
        of.map_or_else(String::new, |[all, batch]| format!(" ({all} training images in batches of {batch})"))
    )]
    OneValue {
        /// Name of the layer.
        layer: String,
        /// Images in the batch.
        images: usize,
        /// Where the last batch of an epoch is the one: all images, and those of a whole batch.
        of: Option<[usize; 2]>,
    },
    /// There is nothing to learn from.
    #[error("the {0} set is empty")]
    Empty(&'static str),
    /// Something is no longer a finite number.
    #[error(
        "{what} in epoch {epoch}, step {step}: training has diverged{}; try a lower learning rate than {lr}, or clip_norm",
        layer.as_ref().map_or_else(String::new, |layer| format!(", first at {layer}"))
    )]
    Diverged {
        /// Counted from 1.
        epoch: usize,
        /// Counted from 1, within the epoch.
        step: u64,
        /// What it is.
        what: String,
        /// The learning rate at that step.
        lr: f64,
        /// The first layer or parameter with such a value, if one has it.
        layer: Option<String>,
    },
    /// The run was asked to stop, and has saved.
    #[error("interrupted after step {step}{}", folder.as_ref().map_or_else(String::new, |folder| format!("; saved in {}", folder.display())))]
    Interrupted {
        /// Steps that are done.
        step: u64,
        /// The folder with its checkpoint, if it has one.
        folder: Option<PathBuf>,
    },
    /// A checkpoint cannot be written or read.
    #[error(transparent)]
    Checkpoint(#[from] checkpoint::CheckpointError),
    /// A weights file cannot be written.
    #[error(transparent)]
    Weights(#[from] crate::weights::WeightsError),
    /// A checkpoint is of another run.
    #[error("cannot go on from {}: {problem}", path.display())]
    Resume {
        /// The checkpoint.
        path: PathBuf,
        /// In what it differs.
        problem: String,
    },
    /// Another rank trains something else.
    #[error("rank 0 has other data or options: {0}")]
    Ranks(String),
    /// The device failed, most likely for want of memory.
    #[error("the device failed: {0}")]
    Device(String),
    /// The optimiser, or the average, was made for another network.
    #[error(transparent)]
    Optim(OptimError),
    /// A learner was used before [`Learner::begin`].
    #[error("this network has not been told how to learn")]
    NotBegun,
    /// The network has answered with something else than numbers.
    #[error("the network gives values that are not numbers; see whether its weights are")]
    NotNumbers,
    /// A callback objected.
    #[error(transparent)]
    Callback(#[from] CallbackError),
}

impl From<objective::Error> for TrainError {
    fn from(error: objective::Error) -> Self {
        match error {
            objective::Error::Objective(error) => error.into(),
            objective::Error::Data(error) => error.into(),
        }
    }
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

/// What a network learns from this data with these options, if it can; told before anything is made or computed.
///
/// # Errors
/// As [`Trainer::train`].
#[doc(hidden)]
pub fn objective_of(config: &Config, data: &Split, graph: &Graph) -> Result<Arc<dyn Objective>, TrainError> {
    feed::chosen(None, config, data, graph)
}

/// Loss, metrics and details on a dataset, for the objective that fits network and dataset; see [`evaluate_for`] for another one. (A network that was
/// trained on [`numbers`](crate::objective::Task::Numbers) needs the one that it was trained for, which [`of_weights`](crate::objective::of_weights) makes.)
///
/// # Errors
/// When the data does not fit or cannot be read, the network gives values that are not numbers, or the device fails.
pub fn evaluate<D: Backend<f32>>(
    net: &mut dyn AnyNetwork<f32, D>,
    device: &D,
    data: &Arc<dyn Dataset>,
    pipeline: Pipeline,
) -> Result<Evaluation, TrainError> {
    let std = &pipeline.preparation.normalisation.std;
    let objective = feed::objective(&Config::default(), data.as_ref(), "test", net.graph(), std)?;
    evaluate_for(&*objective, net, device, data, pipeline)
}

/// Loss, metrics and details on a dataset, for an objective.
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_for<D: Backend<f32>>(
    objective: &dyn Objective,
    net: &mut dyn AnyNetwork<f32, D>,
    device: &D,
    data: &Arc<dyn Dataset>,
    pipeline: Pipeline,
) -> Result<Evaluation, TrainError> {
    evaluate_watched(objective, net, device, data, pipeline, &mut |_, _| {})
}

/// As [`evaluate_for`]; `progress` hears how many images are done, and of how many.
///
/// # Errors
/// As [`evaluate`].
#[doc(hidden)]
pub fn evaluate_watched<D: Backend<f32>>(
    objective: &dyn Objective,
    net: &mut dyn AnyNetwork<f32, D>,
    device: &D,
    data: &Arc<dyn Dataset>,
    pipeline: Pipeline,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Evaluation, TrainError> {
    if data.is_empty() {
        return Err(TrainError::Empty("test"));
    }
    let loader = feed::judging(net.graph(), data, pipeline, OnBad::Stop, None, [0, 1]);
    let learner = NetworkLearner::new(net, device.clone());
    let mut done = 0;
    let evaluation = feed::evaluate(&*learner, objective, &loader, &Alone, &mut |images| {
        done += images;
        progress(done, data.len());
    })?;
    if evaluation.loss.is_nan() { Err(TrainError::NotNumbers) } else { Ok(evaluation) }
}

/// The probability of each class for each image `[C, H, W]` of `pixels`, by the first output.
///
/// # Errors
/// When the device fails.
pub fn predict<D: Backend<f32>>(
    net: &mut dyn AnyNetwork<f32, D>,
    device: &D,
    pixels: &[f32],
) -> Result<Vec<Prediction>, TrainError> {
    let (classes, len) = (net.graph().output_shape().len(), net.graph().output_len());
    let outputs = NetworkLearner::new(net, device.clone()).outputs(pixels.to_vec())?;
    Ok(outputs.chunks_exact(len).map(|output| Prediction::from_logits(&output[..classes])).collect())
}
