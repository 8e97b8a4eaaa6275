//! What is left of a run when it is over.

use super::config::Config;
use super::epoch::Epoch;
use crate::data::Pipeline;
use crate::objective::Evaluation;
use crate::weights::Metadata;
use serde_json::json;

/// What a run has led to.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// All epochs, those of earlier sessions included.
    pub history: Vec<Epoch>,
    /// The network on the test set, at the end.
    pub evaluation: Evaluation,
    /// Steps of all sessions.
    pub steps: u64,
    /// Seconds of all sessions.
    pub seconds: f64,
    /// Images that could not be read and were left out.
    pub skipped: usize,
    /// How images are to be brought to the network from now on.
    pub pipeline: Pipeline,
    /// What a weights file of the network should say about itself, for [`weights::save`](crate::weights::save): how images are prepared, the names of the
    /// classes, how it was trained.
    pub metadata: Metadata,
}

/// How a network was trained, as JSON for the metadata of its weights: what somebody who wants to do it again, or better, asks first.
pub(super) fn training(config: &Config, done: Option<&Epoch>) -> String {
    let Config { optimizer, lr, schedule, weight_decay, epochs, batch, accumulate, augment, seed, .. } = config;
    let augment: Vec<String> = augment.iter().map(ToString::to_string).collect();
    let mut about = json!({
        "optimizer": optimizer.to_string(),
        "lr": lr,
        "schedule": schedule.to_string(),
        "weight_decay": weight_decay,
        "batch": batch * accumulate,
        "epochs": epochs,
        "augment": augment,
        "seed": seed,
        "epoch": done.map(|done| done.epoch),
    });
    for (name, value) in done.iter().flat_map(|done| &done.metrics) {
        about[name] = (*value).into();
    }
    if let Some(head) = config.fine_tune {
        about["fine_tune"] = head.into();
    }
    for (key, list) in [("freeze", &config.freeze), ("lr_scale", &config.lr_scale)] {
        if !list.is_empty() {
            about[key] = list.clone().into();
        }
    }
    about.to_string()
}
