//! The folder of a run.
//!
//! ```text
//! config.toml                     all options, as they were in force, and the version of the format
//! lock                            locked by the process that is at work in it
//! checkpoints/step-000000938.safetensors     the last ones; see [`super::checkpoint`]
//! best.safetensors                the weights of the best epoch
//! last.safetensors                the weights of the last one
//! log.jsonl, events.out.tfevents.*, report.html     what callbacks write
//! ```

use super::checkpoint::{self, Checkpoint, CheckpointError, Identity, Progress};
use super::config::Config;
use crate::atomic_file;
use crate::format_version;
use crate::regular_file;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// The folder of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

/// What [`RunFolder::latest`] has found.
#[derive(Debug)]
pub struct Latest {
    /// The newest checkpoint that is whole.
    pub checkpoint: Checkpoint,
    /// Its file.
    pub path: PathBuf,
    /// Newer ones that are damaged, and how.
    pub damaged: Vec<CheckpointError>,
}

/// A folder's lock. It is the system's, so it goes with the process however that ends; the file `lock` stays and means nothing.
#[derive(Debug)]
pub struct Lock {
    /// Nothing where the file system has no locks.
    file: Option<File>,
}

impl Lock {
    /// Whether the folder is really locked: some network file systems have no locks.
    pub fn holds(&self) -> bool {
        self.file.is_some()
    }
}

/// Whether a file has the name of one that is being written: `last.safetensors.4711.tmp`.
fn is_temporary(path: &Path) -> bool {
    let stem = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".tmp"));
    stem.and_then(|stem| stem.rsplit_once('.')).is_some_and(|(_, process)| process.parse::<u32>().is_ok())
}

impl RunFolder {
    /// Opens a folder, making it if need be.
    ///
    /// # Errors
    /// When it cannot be made or not be written to.
    pub fn open(path: &Path) -> Result<Self, CheckpointError> {
        let checkpoints = path.join("checkpoints");
        let write = |source| CheckpointError::Write { path: checkpoints.clone(), source };
        std::fs::create_dir_all(&checkpoints).map_err(write)?;
        // Better to learn now than after an epoch that nothing can be kept here.
        let probe = checkpoints.join("probe");
        atomic_file::write(&probe, b"").and_then(|()| std::fs::remove_file(&probe)).map_err(write)?;
        Ok(RunFolder { path: path.to_owned() })
    }

    /// The folder as it is, for who only looks: nothing is made in it.
    pub fn at(path: &Path) -> Self {
        RunFolder { path: path.to_owned() }
    }

    /// Whether a process is at work in it. Where the file system has no locks it cannot be known, and the answer is no.
    pub fn is_busy(&self) -> bool {
        // The lock is free again when the file is closed, at once.
        let lock = regular_file::open(&self.file("lock")).map(|file| file.try_lock_shared());
        matches!(lock, Ok(Err(TryLockError::WouldBlock)))
    }

    /// How far the run is, and what it is about, by its newest checkpoint that says so; none where there are no checkpoints. Only the
    /// heads of files are read.
    ///
    /// # Errors
    /// When there are checkpoints and none says so: the error of the newest.
    pub fn progress(&self) -> Result<Option<(Progress, Identity)>, CheckpointError> {
        let mut first = None;
        for (_, path) in self.checkpoints()?.into_iter().rev() {
            match checkpoint::progress(&path) {
                Ok(found) => return Ok(Some(found)),
                Err(error) => first = first.or(Some(error)),
            }
        }
        first.map_or(Ok(None), Err)
    }

    /// Keeps other processes from working in the folder, and tidies up what a crash has left in it.
    ///
    /// # Errors
    /// When another process is at work in it, or the file `lock` cannot be made.
    pub fn lock(&self) -> Result<Lock, CheckpointError> {
        let path = self.file("lock");
        let write = |source| CheckpointError::Write { path: path.clone(), source };
        let file = File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(write)?;
        let file = match file.try_lock() {
            Ok(()) => Some(file),
            Err(TryLockError::WouldBlock) => return Err(CheckpointError::Busy { path: self.path.clone() }),
            // Of a file system without locks.
            Err(TryLockError::Error(_)) => None,
        };
        for folder in [self.path.clone(), self.path.join("checkpoints")] {
            for entry in std::fs::read_dir(&folder).map_err(write)?.flatten() {
                if is_temporary(&entry.path()) {
                    // Should it stay, it is in nobody's way.
                    let _ = std::fs::remove_file(entry.path());
                }
            }
        }
        Ok(Lock { file })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a file of it is.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a small file, atomically.
    ///
    /// # Errors
    /// When that fails; an older one is unchanged.
    pub fn write(&self, name: &str, text: &str) -> Result<(), CheckpointError> {
        let path = self.file(name);
        atomic_file::write(&path, text.as_bytes()).map_err(|source| CheckpointError::Write { path, source })
    }

    /// Writes the options of the run, behind the [`format_version`] and the entries of `record`.
    ///
    /// # Errors
    /// As [`RunFolder::write`].
    pub fn write_config(&self, config: &Config, record: &toml::Table) -> Result<(), CheckpointError> {
        let text = |table: Result<String, toml::ser::Error>| table.unwrap_or_default();
        let mut record = record.clone();
        record.insert(format_version::KEY.into(), format_version::CURRENT.into());
        self.write("config.toml", &(text(toml::to_string(&record)) + &text(toml::to_string(config))))
    }

    /// The checkpoints, oldest first, by the step after which they were written.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn checkpoints(&self) -> Result<Vec<(u64, PathBuf)>, CheckpointError> {
        let folder = self.path.join("checkpoints");
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(CheckpointError::Read { path: folder, source }),
        };
        let step =
            |path: &Path| path.file_name()?.to_str()?.strip_prefix("step-")?.strip_suffix(".safetensors")?.parse().ok();
        let paths = entries.flatten().map(|entry| entry.path());
        let mut found: Vec<(u64, PathBuf)> = paths.filter_map(|path| Some((step(&path)?, path))).collect();
        found.sort();
        Ok(found)
    }

    /// Writes a checkpoint and removes all older ones but `keep`.
    ///
    /// # Errors
    /// When it cannot be written; the older ones are then all there.
    pub fn save(&self, checkpoint: &Checkpoint, keep: usize) -> Result<PathBuf, CheckpointError> {
        let path = self.path.join(format!("checkpoints/step-{:09}.safetensors", checkpoint.progress.step));
        checkpoint::write(&path, checkpoint)?;
        let all = self.checkpoints()?;
        for (_, old) in &all[..all.len().saturating_sub(keep.max(1))] {
            // One that cannot be removed is a matter of space, not of the run.
            let _ = std::fs::remove_file(old);
        }
        Ok(path)
    }

    /// The newest checkpoint that is whole; none where there are no checkpoints.
    ///
    /// # Errors
    /// When there are some, and all are damaged: the error of the newest. Also when one of an unknown version is met on the way
    /// back: a newer program has gone on with the run, and going on from before that would throw its steps away.
    pub fn latest(&self) -> Result<Option<Latest>, CheckpointError> {
        let mut damaged = Vec::new();
        for (_, path) in self.checkpoints()?.into_iter().rev() {
            match checkpoint::read(&path) {
                Ok(checkpoint) => return Ok(Some(Latest { checkpoint, path, damaged })),
                Err(error @ CheckpointError::Version { .. }) => return Err(error),
                Err(error) => damaged.push(error),
            }
        }
        match damaged.into_iter().next() {
            Some(error) => Err(error),
            None => Ok(None),
        }
    }
}
