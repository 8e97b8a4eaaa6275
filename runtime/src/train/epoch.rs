//! The figures of an epoch.

use crate::objective::{Evaluation, Metric};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The figures of one epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: usize,
    /// Steps of the run at its end.
    pub step: u64,
    /// Mean loss while training.
    pub loss: f64,
    /// Loss on the test set.
    pub test_loss: f64,
    /// Learning rate of the last step.
    pub lr: f64,
    /// Seconds since the run began, in all its sessions.
    pub seconds: f64,
    /// Metrics by their names: `accuracy` is that of training, and `test_accuracy` that of the test set. What is not defined is left out.
    #[serde(flatten)]
    pub metrics: BTreeMap<String, f64>,
}

impl Epoch {
    /// The metric of this name, such as `test_accuracy`; not a number, if there is none.
    pub fn metric(&self, name: &str) -> f64 {
        self.metrics.get(name).copied().unwrap_or(f64::NAN)
    }

    /// A metric on the test set.
    pub(crate) fn tested(&self, metric: &Metric) -> f64 {
        self.metric(&test_key(metric.name))
    }

    /// Takes over what was measured.
    pub(super) fn measured(mut self, in_training: (&str, f64), evaluation: &Evaluation) -> Self {
        let tested = evaluation.metrics.iter().map(|(metric, value)| (test_key(metric.name), *value));
        let all = tested.chain([(in_training.0.to_string(), in_training.1)]);
        // A file of JSON has no other numbers.
        self.metrics.extend(all.filter(|(_, value)| value.is_finite()));
        self
    }
}

/// What a metric on the test set is called.
pub(crate) fn test_key(name: &str) -> String {
    format!("test_{name}")
}
