//! What is left of a run when it is over.

use super::metrics::{Epoch, Evaluation};
use crate::data::Pipeline;
use crate::weights::Metadata;

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
    /// classes, the seed.
    pub metadata: Metadata,
}
