//! The version of the files that are written here: weights, checkpoints of runs, and a run's `config.toml`.
//!
//! This is the one place that knows it. Safetensors files have it in their metadata beside `format = "convnet"`, which tells
//! ours from those of others; `config.toml` has it as a key. A file of ours without it is of version 0.1, which wrote none, and
//! is read as such. A file with another one is refused before anything else in it is believed: what a newer version means by a
//! key, or adds to a digest, cannot be known here. The number grows when a file of today would be misread by the program of
//! yesterday, not when keys are added that older programs may leave unread.

use std::collections::BTreeMap;

/// The key of the version, in metadata and in `config.toml`.
pub const KEY: &str = "format_version";

/// The version of what is written.
pub const CURRENT: u32 = 1;

/// The key that tells our files from those of others, and its value in ours.
const FORMAT: (&str, &str) = ("format", "convnet");

/// A file of ours has a version that this program does not know. The file's name is the caller's to add.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "its format version is `{found}`, but this program reads version {CURRENT}, and files without one, which are older; {}",
    self.fix()
)]
#[non_exhaustive]
pub struct UnknownVersion {
    /// What the file says.
    pub found: String,
}

impl UnknownVersion {
    fn fix(&self) -> &'static str {
        match self.found.parse::<u64>() {
            Ok(found) if found > u64::from(CURRENT) => "use a newer convnet",
            _ => "no convnet writes that: the file was changed, so take another copy of it",
        }
    }
}

/// Marks metadata as ours, in the version of today.
pub fn mark(about: &mut BTreeMap<String, String>) {
    about.insert(FORMAT.0.into(), FORMAT.1.into());
    about.insert(KEY.into(), CURRENT.to_string());
}

/// Takes off what [`mark`] has put there.
pub(crate) fn unmark(about: &mut BTreeMap<String, String>) {
    about.remove(FORMAT.0);
    about.remove(KEY);
}

/// Whether metadata is that of a file of ours.
pub fn is_ours(about: &BTreeMap<String, String>) -> bool {
    about.get(FORMAT.0).is_some_and(|format| format == FORMAT.1)
}

/// Checks the version in a file's metadata. What a file of others says under the same key is not looked at.
///
/// # Errors
/// When the file is ours and its version is unknown.
pub fn check(about: &BTreeMap<String, String>) -> Result<(), UnknownVersion> {
    match about.get(KEY) {
        Some(found) if is_ours(about) => check_text(found),
        _ => Ok(()),
    }
}

/// Checks a version that a file of ours says.
///
/// # Errors
/// When it is unknown.
pub fn check_text(found: &str) -> Result<(), UnknownVersion> {
    if found == CURRENT.to_string() { Ok(()) } else { Err(UnknownVersion { found: found.into() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(keys: &[(&str, &str)]) -> BTreeMap<String, String> {
        keys.iter().map(|(key, value)| ((*key).to_string(), (*value).to_string())).collect()
    }

    #[test]
    fn what_is_marked_is_ours_and_known() {
        let mut marked = about(&[("note", "x")]);
        mark(&mut marked);
        assert_eq!(marked, about(&[("format", "convnet"), ("format_version", "1"), ("note", "x")]));
        assert!(is_ours(&marked) && check(&marked).is_ok());
        unmark(&mut marked);
        assert_eq!(marked, about(&[("note", "x")]));
    }

    #[test]
    fn only_an_unknown_version_of_ours_is_refused() {
        for known in [&[][..], &[("format", "convnet")], &[("format", "pt")]] {
            assert_eq!(check(&about(known)), Ok(()));
        }
        // The word may mean anything in a file of others.
        assert_eq!(check(&about(&[("format", "pt"), (KEY, "2")])), Ok(()));
        assert_eq!(check(&about(&[(KEY, "2")])), Ok(()));
        let error = check(&about(&[("format", "convnet"), (KEY, "2")])).unwrap_err().to_string();
        assert_eq!(
            error,
            "its format version is `2`, but this program reads version 1, and files without one, which are older; use a newer \
             convnet"
        );
        for nonsense in ["", "0", "-1", "1.0", "01", " 1", "one", "99999999999999999999999"] {
            let error = check(&about(&[("format", "convnet"), (KEY, nonsense)])).unwrap_err().to_string();
            assert!(error.contains(&format!("`{nonsense}`")) && error.contains("take another copy"), "{error}");
        }
    }
}
