//! `log.jsonl`: a JSON object for each step and each epoch, one a line.
//!
//! A run that goes on after an interruption does steps again whose checkpoint was never written; their lines are cut off first,
//! so that each step is in the log once.

use super::{ReportError, failed};
use crate::atomic_file;
use crate::train::{Callback, CallbackError, Epoch, Event, Flow, Run};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Line {
    /// A session begins, after so many steps.
    Start {
        /// Steps that are done.
        step: u64,
        /// Whether another session came before it.
        resumed: bool,
    },
    /// A step is done.
    Step {
        /// Counted from 1, over the run.
        step: u64,
        /// Counted from 1.
        epoch: usize,
        /// Its mean loss.
        loss: f64,
        /// The metric of the epoch so far that is told in training, by its name.
        #[serde(flatten)]
        metric: BTreeMap<String, f64>,
        /// Its learning rate.
        lr: f64,
        /// The norm of the gradient, where it was asked for.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        grad_norm: Option<f64>,
        /// Seconds it took.
        seconds: f64,
        /// Seconds of these in which it waited for images.
        waited: f64,
    },
    /// An epoch is done.
    Epoch(Epoch),
    /// Something that was decided.
    Note {
        /// Steps that are done.
        step: u64,
        /// What it is.
        text: String,
    },
}

impl Line {
    /// Steps of the run that were done when it was written.
    pub fn step(&self) -> u64 {
        match self {
            Line::Start { step, .. } | Line::Step { step, .. } | Line::Note { step, .. } => *step,
            Line::Epoch(epoch) => epoch.step,
        }
    }

    /// The lines of a log; what is no line of it, such as a torn last one, is left out.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn read(path: &Path) -> std::io::Result<Vec<Line>> {
        match std::fs::read(path) {
            Ok(bytes) => {
                Ok(bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

/// Writes the log of a run.
#[derive(Debug)]
pub struct JsonLines {
    path: PathBuf,
    file: Option<File>,
}

impl JsonLines {
    /// To this file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        JsonLines { path: path.into(), file: None }
    }

    /// Opens the file, and cuts off what comes after step `step`; all of it in a run that is new.
    fn open(&mut self, step: u64, resumed: bool) -> Result<(), ReportError> {
        let mut kept = Vec::new();
        if resumed {
            for line in Line::read(&self.path).map_err(failed(&self.path))?.iter().filter(|line| line.step() <= step) {
                kept.extend(text(line));
            }
        }
        atomic_file::write(&self.path, &kept).map_err(failed(&self.path))?;
        let file = OpenOptions::new().append(true).open(&self.path).map_err(failed(&self.path))?;
        self.file = Some(file);
        Ok(())
    }

    fn write(&mut self, line: &Line) -> Result<(), ReportError> {
        match &mut self.file {
            // In one piece, so that a crash tears no more than the last line.
            Some(file) => file.write_all(&text(line)).map_err(failed(&self.path)),
            None => Ok(()),
        }
    }
}

fn text(line: &Line) -> Vec<u8> {
    // Numbers that are not finite become `null`; nothing else can go wrong with plain data.
    let mut text = serde_json::to_vec(line).unwrap_or_default();
    text.push(b'\n');
    text
}

impl Callback for JsonLines {
    fn on(&mut self, event: Event<'_>, run: &Run<'_>) -> Result<Flow, CallbackError> {
        let (step, resumed) = (run.progress.step, run.resumed);
        match event {
            Event::Start => {
                self.open(step, resumed)?;
                self.write(&Line::Start { step, resumed })?;
            }
            Event::Step(info) => self.write(&Line::Step {
                step,
                epoch: run.progress.epoch,
                loss: info.loss,
                metric: [(run.objective.metric_in_training().to_string(), info.score)].into(),
                lr: info.lr,
                grad_norm: info.grad_norm,
                seconds: info.seconds,
                waited: info.waited,
            })?,
            Event::Epoch(epoch) => self.write(&Line::Epoch(epoch.clone()))?,
            Event::Note(note) => self.write(&Line::Note { step, text: note.into() })?,
            _ => {}
        }
        Ok(Flow::Continue)
    }
}
