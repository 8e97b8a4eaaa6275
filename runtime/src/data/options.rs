//! How a loader cuts a dataset into batches.

use super::{DataError, word};
use crate::wording::word_of;
use std::fmt;
use std::str::FromStr;

/// What an image that cannot be read does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnBad {
    /// Ends the epoch with an error.
    #[default]
    Stop,
    /// Is left out of its batch, and remembered.
    Skip,
}

impl OnBad {
    pub(crate) const NAMES: [(&str, OnBad); 2] = [("stop", OnBad::Stop), ("skip", OnBad::Skip)];
}

impl FromStr for OnBad {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self, DataError> {
        word("on_bad", &OnBad::NAMES, text)
    }
}

impl fmt::Display for OnBad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(word_of(&OnBad::NAMES, self))
    }
}

/// Which images an epoch has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Sampling {
    /// All, in the order of the dataset.
    InOrder,
    /// All, in a random order.
    #[default]
    Shuffled,
    /// As many as there are, drawn with replacement so that each class comes equally often. Where images have not one class each, as
    /// `Shuffled`.
    Balanced,
}

/// How a dataset is cut into batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoaderOptions {
    /// Images of a batch.
    pub batch: usize,
    /// Which images an epoch has.
    pub sampling: Sampling,
    /// Random seed of the order and of the augmentation.
    pub seed: u64,
    /// Leaves out a last batch that is not full, unless it is the only one.
    pub drop_last: bool,
    /// What an image that cannot be read does.
    pub on_bad: OnBad,
    /// Threads that make batches; with 0 the caller makes them. Nothing said: 0 for images in memory to which nothing is
    /// done, else by the number of cores.
    pub workers: Option<usize>,
    /// The number of this rank, counted from 0, and how many ranks there are: each makes its own part of every batch.
    pub rank: [usize; 2],
}

impl Default for LoaderOptions {
    fn default() -> Self {
        let (sampling, on_bad) = (Sampling::default(), OnBad::default());
        LoaderOptions { batch: 64, sampling, seed: 0, drop_last: false, on_bad, workers: None, rank: [0, 1] }
    }
}
