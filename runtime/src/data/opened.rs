//! A dataset in its parts, whatever it was opened from.

use super::files::{FileParts, FileTarget, Files};
use super::{Dataset, Split, Subset, TargetKind};
use std::path::Path;
use std::sync::Arc;

/// The share of a dataset without a test set that becomes one.
const TEST_SHARE: f64 = 0.2;

/// A dataset that has been opened, in its parts.
#[derive(Clone)]
#[non_exhaustive]
pub struct Opened {
    /// What a network learns from.
    pub train: Arc<dyn Dataset>,
    /// What epochs are evaluated on, where the source has images for training, for validation and for a test.
    pub validation: Option<Arc<dyn Dataset>>,
    /// What the network is evaluated on in the end.
    pub test: Arc<dyn Dataset>,
    /// Whether the source was in one piece, so that the test set was drawn from it here by a random seed.
    pub divided: bool,
    /// What was left out, guessed or split: a plain sentence each.
    pub notes: Vec<String>,
}

impl Opened {
    /// The training and the test set alone.
    pub fn into_split(self) -> Split {
        Split { train: self.train, test: self.test }
    }

    pub(super) fn of(split: Split) -> Self {
        Opened { train: split.train, validation: None, test: split.test, divided: false, notes: Vec::new() }
    }

    /// What a folder or a list of images holds; a part for the test is made where there is none.
    pub(super) fn of_files<T: FileTarget>(path: &Path, parts: FileParts<T>, seed: u64) -> Self {
        let train: Arc<dyn Dataset> = Arc::new(parts.train);
        let shared = |part: Option<Files<T>>| part.map(|part| Arc::new(part) as Arc<dyn Dataset>);
        let (validation, test) = (shared(parts.validation), shared(parts.test));
        let mut notes = parts.notes;
        let opened = match (validation, test) {
            (validation, Some(test)) => Opened { validation, ..Opened::of(Split { train, test }) },
            (None, None) => {
                let (train, test) = Subset::split(train, TEST_SHARE, seed);
                let fifth =
                    if T::KIND == TargetKind::Class { "a fifth of each class" } else { "a fifth of its images" };
                notes.push(format!(
                    "{} has no test set; {fifth}, drawn by random seed {seed}, is kept for it",
                    path.display()
                ));
                Opened { divided: true, ..Opened::of(Split { train, test }.shared()) }
            }
            (Some(test), None) => {
                notes.push(format!("{} has no test set, so its validation set is used as one", path.display()));
                Opened::of(Split { train, test })
            }
        };
        Opened { notes, ..opened }
    }
}
