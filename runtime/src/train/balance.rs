//! What is done about classes of unequal size.

use super::config_error::ConfigError;
use crate::wording::{meaning, word_of};
use std::fmt;
use std::str::FromStr;

/// What is done about classes of unequal size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Balance {
    /// Nothing.
    #[default]
    None,
    /// Images of small classes weigh more in the loss.
    Loss,
    /// Images of small classes are drawn more often.
    Sampling,
}

impl Balance {
    pub(super) const NAMES: [(&str, Balance); 3] =
        [("none", Balance::None), ("loss", Balance::Loss), ("sampling", Balance::Sampling)];
}

impl FromStr for Balance {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let names = Balance::NAMES.map(|(name, _)| name);
        meaning(&Balance::NAMES, text).ok_or_else(|| ConfigError::word("balance", text, &names))
    }
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(word_of(&Balance::NAMES, self))
    }
}
