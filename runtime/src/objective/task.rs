//! The five tasks, and the words for them.

use super::ObjectiveError;
use crate::data::TargetKind;
use crate::format_version;
use crate::weights::Metadata;
use crate::wording::{meaning, word_of};
use std::fmt;
use std::str::FromStr;

/// The key of a weights file's metadata that says what the network's output means. Files of version 0.1 do not have it: theirs are classes.
pub(crate) const KEY: &str = "task";

/// What the output of a network means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Task {
    /// To be told from the dataset and the shape of the output.
    #[default]
    Auto,
    /// `[classes]`: a logit for each class, of which an image has one.
    Classes,
    /// `[classes]`: a logit for each class, of which an image may have any number.
    MultiLabel,
    /// `[classes, H, W]`: a logit for each class at each pixel.
    Masks,
    /// `[N]`: numbers.
    Numbers,
    /// `[C, H, W]`: the image itself, from what is left of it in the middle of the network.
    Itself,
}

impl Task {
    pub(crate) const NAMES: [(&str, Task); 6] = [
        ("auto", Task::Auto),
        ("classes", Task::Classes),
        ("multi-label", Task::MultiLabel),
        ("masks", Task::Masks),
        ("numbers", Task::Numbers),
        ("itself", Task::Itself),
    ];

    /// The kind of target that a dataset has to have for it; none, where any will do.
    pub fn target_kind(self) -> Option<TargetKind> {
        match self {
            Task::Auto | Task::Itself => None,
            Task::Classes => Some(TargetKind::Class),
            Task::MultiLabel => Some(TargetKind::Labels),
            Task::Masks => Some(TargetKind::Mask),
            Task::Numbers => Some(TargetKind::Numbers),
        }
    }

    /// The task of a network that has been trained, from the metadata of its weights; classes, where it does not say.
    ///
    /// # Errors
    /// When it is none of those that there are.
    pub fn of(about: &Metadata) -> Result<Task, ObjectiveError> {
        let said = about.get(KEY).filter(|_| format_version::is_ours(about));
        let known = Task::NAMES.iter().filter(|(_, task)| *task != Task::Auto);
        let Some(text) = said else { return Ok(Task::Classes) };
        known.clone().find(|(name, _)| name == text).map(|(_, task)| *task).ok_or_else(|| ObjectiveError::Metadata {
            key: KEY,
            found: text.clone(),
            expected: format!("one of {}", known.map(|(name, _)| *name).collect::<Vec<_>>().join(", ")),
        })
    }
}

impl FromStr for Task {
    type Err = ObjectiveError;

    fn from_str(text: &str) -> Result<Self, ObjectiveError> {
        meaning(&Task::NAMES, text)
            .ok_or_else(|| ObjectiveError::word("task", text, &Task::NAMES.map(|(name, _)| name)))
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(word_of(&Task::NAMES, self))
    }
}
