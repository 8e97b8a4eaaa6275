//! Everything that a run depends on, in one file: the network, the optimiser, the average of the weights, and how far it is.
//!
//! A checkpoint is a safetensors file whose metadata holds the rest as JSON, with a BLAKE3 digest over all of it, so that a
//! flipped bit is found and not trained on. It is written to a sibling, synchronised and renamed: after a crash at any moment
//! there is the old one, or the new one. Random numbers need no state of their own: every draw is a function of the seed and
//! of the numbers in [`Progress`]. The [`format_version`] is looked at before the digest, which another version may compute in
//! another way.

use super::config::Config;
use super::epoch::Epoch;
use crate::atomic_file;
use crate::format_version::{self, UnknownVersion};
use crate::weights::{self, Format, FormatError, StateDict};
use crate::wording::counted;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// The epoch it is in, counted from 1.
    pub epoch: usize,
    /// Batches of that epoch that are done.
    pub batch: usize,
    /// Steps that are done.
    pub step: u64,
    /// Images of the epoch that have been seen.
    pub seen: usize,
    /// The sum of their scores; of classes, how many were found.
    #[serde(alias = "correct")]
    pub score: f64,
    /// The sum of their losses.
    pub loss: f64,
    /// Seconds spent in all sessions.
    pub seconds: f64,
    /// The epochs that are done.
    pub history: Vec<Epoch>,
    /// Whether a callback has ended it.
    pub over: bool,
}

impl Progress {
    /// The epoch of the last step, or the first one before that.
    pub fn last_epoch(&self) -> usize {
        if self.batch == 0 { self.epoch.saturating_sub(1).max(1) } else { self.epoch }
    }
}

/// What a network was trained on, so that a run is not continued with something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Name of the network.
    pub network: String,
    /// What the network's output means.
    #[serde(default = "classes")]
    pub task: String,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Images to train on.
    pub train: usize,
    /// Images to evaluate on.
    pub test: usize,
}

impl Identity {
    /// In what a run differs from the one of a file.
    pub(super) fn differing(&self, of_file: &Identity) -> String {
        let here = self;
        let list = |identity: &Identity| {
            format!("{}: {}", counted(identity.classes.len(), "class"), identity.classes.join(", "))
        };
        let images = |identity: &Identity| {
            format!("{} and {}", counted(identity.train, "training image"), counted(identity.test, "test image"))
        };
        let difference = |a: String, b: String| format!("it is of a run with {a}, not {b}");
        if of_file.network != here.network {
            return difference(format!("the network {}", of_file.network), here.network.clone());
        }
        if of_file.task != here.task {
            return difference(format!("the task `{}`", of_file.task), format!("`{}`", here.task));
        }
        if of_file.classes != here.classes {
            return difference(list(of_file), list(here));
        }
        difference(images(of_file), images(here))
    }
}

/// The task of files of version 0.1, which had no other.
fn classes() -> String {
    "classes".into()
}

/// A run at a moment between two steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// How far it is.
    pub progress: Progress,
    /// Its options.
    pub config: Config,
    /// What it is about.
    pub identity: Identity,
    /// Network, optimiser and average.
    pub state: StateDict,
}

/// Why a checkpoint could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The file could not be written; older ones are untouched.
    #[error("cannot write {}: {source}; the checkpoints that are there are unchanged", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Another process is at work in the folder of the run.
    #[error("another process is training in {}; wait for it, end it, or train in another folder", path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// A new run was to begin in the folder of another one.
    #[error("{} holds a run already; go on with it (`resume`), or name another folder", path.display())]
    Taken {
        /// The folder.
        path: PathBuf,
    },
    /// The file is of a version that this program does not know.
    #[error("{}: {source}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Which version it is, and which ones are read.
        source: UnknownVersion,
    },
    /// The file is no checkpoint, or damaged.
    #[error("{}: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

/// What is wrong with the bytes of a checkpoint.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    /// They are of a version that this program does not know.
    #[error(transparent)]
    Version(#[from] UnknownVersion),
    /// They are no checkpoint, or damaged.
    #[error("{0}")]
    Damaged(String),
}

const DIGEST: &str = "blake3";
const KEYS: [&str; 3] = ["progress", "config", "identity"];

/// Writes a checkpoint, atomically.
///
/// # Errors
/// When that fails; then nothing has changed.
pub fn write(path: &Path, checkpoint: &Checkpoint) -> Result<(), CheckpointError> {
    let write = |source| CheckpointError::Write { path: path.to_owned(), source };
    let bytes = encode(checkpoint).map_err(|problem| write(std::io::Error::other(problem)))?;
    atomic_file::write(path, &bytes).map_err(write)
}

/// The bytes of its file.
pub(super) fn encode(checkpoint: &Checkpoint) -> Result<Vec<u8>, String> {
    let mut dict = checkpoint.state.clone();
    let parts = [
        serde_json::to_string(&checkpoint.progress),
        serde_json::to_string(&checkpoint.config),
        serde_json::to_string(&checkpoint.identity),
    ];
    for (key, part) in KEYS.iter().zip(parts) {
        dict.metadata.insert((*key).into(), part.map_err(|error| error.to_string())?);
    }
    format_version::mark(&mut dict.metadata);
    dict.metadata.insert(DIGEST.into(), digest(&dict));
    weights::encode(&dict, Format::Safetensors).map_err(|error| error.to_string())
}

/// Reads a checkpoint and checks its digest.
///
/// # Errors
/// When it cannot be read, is no checkpoint, is of an unknown version, or has been changed by a single bit.
pub fn read(path: &Path) -> Result<Checkpoint, CheckpointError> {
    let bytes =
        crate::regular_file::read(path).map_err(|source| CheckpointError::Read { path: path.to_owned(), source })?;
    decode(&bytes).map_err(|problem| match problem {
        Problem::Version(source) => CheckpointError::Version { path: path.to_owned(), source },
        Problem::Damaged(problem) => CheckpointError::Damaged { path: path.to_owned(), problem },
    })
}

/// How far the run of a checkpoint is, and what it is about, from the head of the file: its tensors are not read, and so its digest
/// is not checked.
///
/// # Errors
/// When it cannot be read, is no checkpoint, or is of an unknown version.
pub fn progress(path: &Path) -> Result<(Progress, Identity), CheckpointError> {
    let damaged = |problem: String| CheckpointError::Damaged { path: path.to_owned(), problem };
    let about = weights::metadata(path).map_err(|error| damaged(error.to_string()))?;
    format_version::check(&about).map_err(|source| CheckpointError::Version { path: path.to_owned(), source })?;
    let part = |key: &str| about.get(key).ok_or_else(|| damaged(format!("no checkpoint of a run: no {key}")));
    let other = |error: serde_json::Error| damaged(format!("written by another version: {error}"));
    let progress = serde_json::from_str(part(KEYS[0])?).map_err(other)?;
    Ok((progress, serde_json::from_str(part(KEYS[2])?).map_err(other)?))
}

/// What the bytes of a file hold.
pub(super) fn decode(bytes: &[u8]) -> Result<Checkpoint, Problem> {
    let dict = weights::parse(bytes).map_err(|error| match error {
        FormatError::Version(version) => Problem::Version(version),
        other => Problem::Damaged(other.to_string()),
    })?;
    unpack(dict).map_err(Problem::Damaged)
}

/// The checkpoint in a file whose version is known, if its digest is right.
fn unpack(mut dict: StateDict) -> Result<Checkpoint, String> {
    let written = dict.metadata.remove(DIGEST).ok_or("no checkpoint of a run: it has no digest")?;
    let found = digest(&dict);
    if written != found {
        return Err(format!("damaged: its digest is {found}, but {written} was written"));
    }
    format_version::unmark(&mut dict.metadata);
    let mut part = |key: &str| dict.metadata.remove(key).ok_or_else(|| format!("no checkpoint of a run: no {key}"));
    let [progress, config, identity] = [part(KEYS[0])?, part(KEYS[1])?, part(KEYS[2])?];
    let other = |error: serde_json::Error| format!("written by another version: {error}");
    Ok(Checkpoint {
        progress: serde_json::from_str(&progress).map_err(other)?,
        config: serde_json::from_str(&config).map_err(other)?,
        identity: serde_json::from_str(&identity).map_err(other)?,
        state: dict,
    })
}

/// The digest of all tensors and of what the file says about itself.
fn digest(dict: &StateDict) -> String {
    let mut hasher = blake3::Hasher::new();
    // Each part with its length, so that none can pass for two others.
    let mut part = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    // By name: a file may have them in another order.
    let mut entries: Vec<_> = dict.entries.iter().collect();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    for entry in entries {
        part(entry.name.as_bytes());
        part(format!("{} {:?}", entry.dtype, entry.shape).as_bytes());
        part(&entry.bytes);
    }
    for (key, value) in &dict.metadata {
        part(key.as_bytes());
        part(value.as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::Entry;

    fn checkpoint() -> Checkpoint {
        let entries = vec![
            Entry::from_f32("model.fc.weight", &[2, 3], &[0.1, -2.0, f32::MIN_POSITIVE, 3.0, 4.0, 5.5]),
            Entry::from_f32("optimizer.velocity.fc.weight", &[2, 3], &[0.0; 6]),
            Entry::from_f32("average.fc.weight", &[2, 3], &[1.0; 6]),
        ];
        let state = StateDict { entries, metadata: [("optimizer.step".to_string(), "7".to_string())].into() };
        let progress =
            Progress { epoch: 2, batch: 3, step: 7, loss: 0.1 + 0.2, seconds: 1.0 / 3.0, ..Progress::default() };
        let identity = Identity {
            network: "Net".into(),
            task: classes(),
            classes: vec!["a".into(), "b".into()],
            train: 5,
            test: 1,
        };
        Checkpoint { progress, config: Config { lr: 0.1 / 3.0, ..Config::default() }, identity, state }
    }

    #[test]
    fn what_is_written_is_read_back_bit_for_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.safetensors");
        write(&path, &checkpoint()).unwrap();
        assert_eq!(sorted(read(&path).unwrap()), sorted(checkpoint()));
    }

    fn sorted(mut checkpoint: Checkpoint) -> Checkpoint {
        checkpoint.state.entries.sort_by(|a, b| a.name.cmp(&b.name));
        checkpoint
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.safetensors");
        write(&path, &checkpoint()).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for i in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[i / 8] ^= 1 << (i % 8);
            std::fs::write(&path, &changed).unwrap();
            // A blank of the header may become another one, which changes nothing.
            if let Ok(same) = read(&path) {
                assert_eq!(sorted(same), sorted(checkpoint()), "bit {i}");
            }
        }
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("s.safetensors"));
    }

    #[test]
    fn a_weight_file_is_no_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        let bytes = weights::encode(&checkpoint().state, Format::Safetensors).unwrap();
        std::fs::write(&path, bytes).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("no checkpoint of a run"));
    }

    /// The bytes of a file whose metadata says another version; its digest is no longer right, which must not matter.
    fn of_version(version: &str) -> Vec<u8> {
        let mut dict = weights::parse(&encode(&checkpoint()).unwrap()).unwrap();
        dict.metadata.insert(format_version::KEY.into(), version.into());
        weights::encode(&dict, Format::Safetensors).unwrap()
    }

    #[test]
    fn an_unknown_version_is_said_before_anything_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.safetensors");
        for version in ["2", "", "new"] {
            std::fs::write(&path, of_version(version)).unwrap();
            let error = read(&path).unwrap_err();
            assert!(
                matches!(&error, CheckpointError::Version { path: named, source } if *named == path && source.found == version),
                "{error}"
            );
            assert!(error.to_string().contains("s.safetensors: its format version is "), "{error}");
        }
    }

    #[test]
    fn a_run_does_not_go_back_behind_a_newer_version() {
        let folder = tempfile::tempdir().unwrap();
        let run = super::super::folder::RunFolder::open(folder.path()).unwrap();
        let older = run.save(&checkpoint(), 9).unwrap();
        let newer = folder.path().join("checkpoints/step-000000008.safetensors");
        std::fs::write(&newer, "damaged").unwrap();
        assert_eq!(run.latest().unwrap().unwrap().path, older);
        std::fs::write(&newer, of_version("2")).unwrap();
        assert!(matches!(run.latest(), Err(CheckpointError::Version { path, .. }) if path == newer));
    }

    #[test]
    fn a_checkpoint_without_a_version_is_of_0_1() {
        let mut dict = weights::parse(&encode(&checkpoint()).unwrap()).unwrap();
        assert_eq!(dict.metadata.get(format_version::KEY).map(String::as_str), Some("1"));
        format_version::unmark(&mut dict.metadata);
        dict.metadata.remove(DIGEST);
        dict.metadata.insert(DIGEST.into(), digest(&dict));
        let bytes = weights::encode(&dict, Format::Safetensors).unwrap();
        assert_eq!(sorted(decode(&bytes).unwrap()), sorted(checkpoint()));
    }
}
