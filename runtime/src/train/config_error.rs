//! Why an option cannot be what it is.

use crate::wording::{did_you_mean, either};

/// An option without a meaning.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A value that is not among those that the option may have.
    #[error("{option} is {found}; it must be {expected}")]
    Value {
        /// Which option.
        option: String,
        /// Its value.
        found: String,
        /// What it may be, and what was most likely meant.
        expected: String,
    },
    /// A value that cannot be read.
    #[error("{option} is {found}: {problem}")]
    Form {
        /// Which option.
        option: String,
        /// Its value.
        found: String,
        /// What is wrong with it, and what there is.
        problem: String,
    },
}

impl ConfigError {
    pub(super) fn value(option: &str, found: String, expected: &str) -> Self {
        ConfigError::Value { option: option.into(), found, expected: expected.into() }
    }

    /// A word that is none of `names`.
    pub(super) fn word(option: &str, found: &str, names: &[&str]) -> Self {
        Self::value(option, format!("`{found}`"), &format!("{}{}", either(names), did_you_mean(found, names)))
    }

    /// The key of the option.
    pub fn option(&self) -> &str {
        match self {
            ConfigError::Value { option, .. } | ConfigError::Form { option, .. } => option,
        }
    }
}
