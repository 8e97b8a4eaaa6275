//! What a run tells while it goes on, and how it can be ended.
//!
//! One method and an enum: a closure is a callback, and one that listens to epochs alone does not have to name the rest.

use super::checkpoint::Progress;
use super::config::Config;
use super::epoch::Epoch;
use super::learner::Learner;
use super::monitor::monitored;
use super::summary::Summary;
use crate::data::Preparation;
use crate::graph::Graph;
use crate::objective::{Evaluation, Objective};
use std::path::Path;

/// What has happened.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Training begins, or goes on.
    Start,
    /// A step is done.
    Step(&'a StepInfo),
    /// An epoch is done, and the network measured.
    Epoch(&'a Epoch),
    /// A checkpoint has been written.
    Saved(&'a Path),
    /// Something that was decided, and that the user should know.
    Note(&'a str),
    /// Training is over.
    End(&'a Summary),
}

/// The figures of one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepInfo {
    /// Counted from 1, within the epoch.
    pub step: u64,
    /// Images in it.
    pub images: usize,
    /// Its mean loss.
    pub loss: f64,
    /// Mean loss of the epoch so far.
    pub mean_loss: f64,
    /// The mean score of the epoch so far, such as the accuracy: what it is says [`Objective::metric_in_training`].
    pub score: f64,
    /// Its learning rate.
    pub lr: f64,
    /// The norm of the whole gradient, where it was asked for.
    pub grad_norm: Option<f64>,
    /// Seconds in which it waited for images.
    pub waited: f64,
    /// Seconds it took, these included.
    pub seconds: f64,
}

/// A run, seen from outside.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// Its options.
    pub config: &'a Config,
    /// The network.
    pub graph: &'a Graph,
    /// What it learns.
    pub objective: &'a dyn Objective,
    /// Names of the classes.
    pub classes: &'a [String],
    /// Images to train on.
    pub train_images: usize,
    /// Images to evaluate on.
    pub test_images: usize,
    /// Steps in an epoch.
    pub steps: u64,
    /// How far it is.
    pub progress: &'a Progress,
    /// Whether it goes on where another session ended.
    pub resumed: bool,
    /// Its folder, if it has one.
    pub folder: Option<&'a Path>,
    /// How the images to evaluate on come to the network.
    pub preparation: &'a Preparation,
    /// How the network did on the images to evaluate on when it was last measured in this session.
    pub evaluation: Option<&'a Evaluation>,
    /// The network itself.
    pub learner: &'a dyn Learner,
}

/// What is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// More steps.
    Continue,
    /// No more: the run ends after this event as if it were complete.
    Stop,
}

/// An error of a callback's own kind; it ends the training.
pub type CallbackError = Box<dyn std::error::Error + Send + Sync>;

/// Something that listens to a run.
pub trait Callback {
    /// Hears of an event.
    ///
    /// # Errors
    /// Its own; the run then ends with it.
    fn on(&mut self, event: Event<'_>, run: &Run<'_>) -> Result<Flow, CallbackError>;
}

impl<F: FnMut(Event<'_>, &Run<'_>) -> Result<Flow, CallbackError>> Callback for F {
    fn on(&mut self, event: Event<'_>, run: &Run<'_>) -> Result<Flow, CallbackError> {
        self(event, run)
    }
}

/// Ends a run whose test loss, or whatever is monitored, has not become better for `patience` epochs.
#[derive(Debug, Clone, Copy)]
pub struct EarlyStop {
    /// How many.
    pub patience: usize,
}

impl Callback for EarlyStop {
    fn on(&mut self, event: Event<'_>, run: &Run<'_>) -> Result<Flow, CallbackError> {
        let Event::Epoch(_) = event else { return Ok(Flow::Continue) };
        let stale = stale_epochs(monitored(run.config, &run.progress.history, &run.objective.metrics()));
        Ok(if stale >= self.patience { Flow::Stop } else { Flow::Continue })
    }
}

/// How many epochs ago the loss was lowest.
pub(super) fn stale_epochs(losses: impl IntoIterator<Item = f64>) -> usize {
    let (mut best, mut stale) = (f64::INFINITY, 0);
    for loss in losses {
        if loss < best {
            (best, stale) = (loss, 0);
        } else {
            stale += 1;
        }
    }
    stale
}

/// How often a plateau of `patience` epochs has made the learning rate drop, as PyTorch's `ReduceLROnPlateau`.
pub(super) fn drops(losses: impl IntoIterator<Item = f64>, patience: usize) -> u32 {
    let (mut best, mut stale, mut drops) = (f64::INFINITY, 0, 0);
    for loss in losses {
        // Of a metric of which more is better its negative is looked at.
        if loss < best - 1e-4 * f64::abs(best) || best.is_infinite() {
            (best, stale) = (loss, 0);
        } else {
            stale += 1;
        }
        if stale > patience {
            (stale, drops) = (0, drops + 1);
        }
    }
    drops
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stale_epochs_count_from_the_lowest_loss() {
        assert_eq!(stale_epochs([]), 0);
        assert_eq!(stale_epochs([3.0, 2.0, 1.0]), 0);
        assert_eq!(stale_epochs([3.0, 1.0, 1.0, f64::NAN]), 2);
    }

    #[test]
    fn drops_are_those_of_pytorch() {
        // torch.optim.lr_scheduler.ReduceLROnPlateau(patience = 2, factor = 0.1): the rate is 1e-2 of the first at the end.
        let losses = [1.0, 0.9, 0.95, 0.9, 0.91, 0.92, 0.93, 0.94, 0.95, 0.5];
        let expected = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2];
        for (n, expected) in expected.into_iter().enumerate() {
            assert_eq!(drops(losses[..=n].iter().copied(), 2), expected, "after {} epochs", n + 1);
        }
    }
}
