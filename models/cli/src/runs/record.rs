//! A training run as its folder tells it, in this version's form or that of version 0.1. Nothing in the folder is changed.

use convnet::format_version;
use convnet::objective::{self, Metric};
use convnet::regular_file;
use convnet::train::{Epoch, RunFolder};
use serde::Serialize;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Finished,
    Interrupted,
    Running,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Finished => "finished",
            State::Interrupted => "interrupted",
            State::Running => "running",
        })
    }
}

/// A run. Losses and metrics are those of the images that epochs are evaluated on.
#[derive(Debug, Clone)]
pub struct Record {
    pub folder: PathBuf,
    pub network: String,
    pub data: String,
    pub state: State,
    /// Epochs that were asked for.
    pub planned: usize,
    pub history: Vec<Epoch>,
    /// Nothing where no file of the run tells.
    pub started: Option<SystemTime>,
    /// Seconds of training in all sessions, up to the last checkpoint.
    pub seconds: f64,
    /// The main metric of its task.
    pub metric: Metric,
    /// What `config.toml` says, as text.
    pub settings: BTreeMap<String, String>,
}

impl Record {
    /// Whether a folder has what a run begins with.
    pub fn is_in(folder: &Path) -> bool {
        folder.join("config.toml").is_file()
    }

    /// Reads what there is of a run.
    pub fn read(path: &Path) -> Result<Record, Box<dyn Error>> {
        let folder = RunFolder::at(path);
        let settings = settings(&folder.file("config.toml"))?;
        let planned = settings.get("epochs").and_then(|epochs| epochs.parse().ok());
        let planned = planned.ok_or_else(|| {
            let file = folder.file("config.toml");
            format!("{}: is not of a training run: it says no whole number of `epochs`", file.display())
        })?;
        let running = folder.is_busy();
        let (progress, identity) = folder.progress()?.unzip();
        let progress = progress.unwrap_or_default();
        let state = match progress.over || progress.history.len() >= planned {
            _ if running => State::Running,
            true => State::Finished,
            false => State::Interrupted,
        };
        let task = identity.as_ref().map_or("classes", |identity| identity.task.as_str());
        let metric = objective::main_metric(task).unwrap_or(Metric::lower("loss", "loss"));
        let said = |key: &str| settings.get(key).map(|text| file_name(text));
        Ok(Record {
            folder: path.to_owned(),
            network: said("model").or(identity.map(|identity| identity.network)).unwrap_or_else(|| "–".into()),
            data: said("data").or(said("dataset")).unwrap_or_else(|| "bundled digits".into()),
            state,
            planned,
            metric,
            history: progress.history,
            started: started(path),
            seconds: progress.seconds,
            settings,
        })
    }

    /// The main metric of an epoch; not a number, if it is not defined.
    pub fn tested(&self, epoch: &Epoch) -> f64 {
        epoch.metric(&format!("test_{}", self.metric.name))
    }

    /// The best metric and the smallest loss of all epochs.
    pub fn best(&self) -> Option<[f64; 2]> {
        let better = |best: f64, new: f64| if best.is_nan() || self.metric.is_better(new, best) { new } else { best };
        let metric = self.history.iter().map(|epoch| self.tested(epoch)).fold(f64::NAN, better);
        Some([metric, self.history.iter().map(|epoch| epoch.test_loss).min_by(f64::total_cmp)?])
    }

    /// Metric and loss of the last epoch.
    pub fn last(&self) -> Option<[f64; 2]> {
        self.history.last().map(|epoch| [self.tested(epoch), epoch.test_loss])
    }
}

/// The options of a run as text.
fn settings(path: &Path) -> Result<BTreeMap<String, String>, Box<dyn Error>> {
    let text =
        regular_file::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let table: toml::Table = text.parse().map_err(|error| format!("{}: {error}", path.display()))?;
    let text = |value: &toml::Value| value.as_str().map_or_else(|| value.to_string(), String::from);
    let mut settings: BTreeMap<String, String> = table.iter().map(|(key, value)| (key.clone(), text(value))).collect();
    if let Some(version) = settings.remove(format_version::KEY) {
        format_version::check_text(&version).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(settings)
}

/// The last part of a path, or a word as it is.
fn file_name(text: &str) -> String {
    Path::new(text).file_name().map_or_else(|| text.to_string(), |name| name.to_string_lossy().into_owned())
}

/// When the first session began: the names of TensorBoard's files say so, in milliseconds, and keep it when a folder is copied.
fn started(folder: &Path) -> Option<SystemTime> {
    let names = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.file_name());
    let moment = |name: std::ffi::OsString| -> Option<u64> {
        name.to_str()?.strip_prefix("events.out.tfevents.")?.split('.').next()?.parse().ok()
    };
    UNIX_EPOCH.checked_add(Duration::from_millis(names.filter_map(moment).min()?))
}
