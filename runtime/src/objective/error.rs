//! Why a network cannot have an objective.

use crate::data::TargetKind;
use crate::graph::Graph;
use crate::wording::{did_you_mean, either};

/// Why a network cannot learn from a dataset, or be measured on it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectiveError {
    /// A word or number that means nothing here.
    #[error("{what}: {found}; {expected}")]
    Option {
        /// Which option.
        what: String,
        /// What is wrong.
        found: String,
        /// What there is.
        expected: String,
    },
    /// A loss that is for another task.
    #[error("loss: there is no `{loss}` for the task `{task}`; it must be {known}")]
    Loss {
        /// The loss.
        loss: String,
        /// The task.
        task: String,
        /// What there is for it.
        known: String,
    },
    /// The dataset has another kind of target than the task asks for.
    #[error("the task `{task}` needs {wanted}, and the data has {found}")]
    Targets {
        /// The task.
        task: String,
        /// What it needs.
        wanted: TargetKind,
        /// What the dataset has.
        found: TargetKind,
    },
    /// The network's output has another shape than the targets.
    #[error("the data has {found}, and {network} gives {output}; {fix}")]
    Output {
        /// What the dataset has, with its numbers.
        found: String,
        /// Name of the network.
        network: String,
        /// Shape of its output.
        output: String,
        /// What to change.
        fix: String,
    },
    /// The network has several outputs, of which a task knows one.
    #[error(
        "{network} gives {outputs}, and the tasks that are built in know one output; \
         train it with an objective of your own (`Trainer::objective`), which gets all of them, or declare the others as `head`"
    )]
    Outputs {
        /// Name of the network.
        network: String,
        /// Its outputs with their shapes.
        outputs: String,
    },
    /// What a weights file says of the task has no meaning.
    #[error("the metadata says {key} = `{found}`; expected {expected}")]
    Metadata {
        /// The key.
        key: &'static str,
        /// What it says.
        found: String,
        /// What it might say.
        expected: String,
    },
}

impl ObjectiveError {
    /// Refuses a network with several outputs.
    #[doc(hidden)]
    pub fn of_one_output(graph: &Graph) -> Result<(), Self> {
        match graph.outputs.len() {
            0 | 1 => Ok(()),
            _ => Err(ObjectiveError::Outputs { network: graph.name.to_string(), outputs: graph.outputs_in_words() }),
        }
    }

    /// About a word that is none of those that there are.
    pub(super) fn word(what: &str, text: &str, names: &[&str]) -> Self {
        ObjectiveError::Option {
            what: what.into(),
            found: format!("there is no `{text}`"),
            expected: format!("it must be {}{}", either(names), did_you_mean(text, names)),
        }
    }
}
