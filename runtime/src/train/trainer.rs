//! The training loop: batches in, a trained network and its history out.
//!
//! The loop owns nothing but its progress: batches are a function of seed, epoch and number, dropout of seed and step, the
//! learning rate of the step and the history. So a run that goes on from a [`Checkpoint`] is the run that was never
//! interrupted, bit for bit. It prints nothing; what happens is told to callbacks.

use super::callback::{Callback, EarlyStop};
use super::checkpoint::{Identity, Progress};
use super::config::Config;
use super::fine_tune::Phase;
use super::front::Front;
use super::hyperparameters::Hyperparameters;
use super::learner::{Learner, NetworkLearner};
use super::phases::Phases;
use super::session::{Kept, Session};
use super::summary::Summary;
use super::variance::have_variance;
use super::{TrainError, feed};
use crate::backend::Backend;
use crate::data::Split;
use crate::distributed::{Alone, Communicator};
use crate::net::AnyNetwork;
use crate::objective::Objective;
use crate::weights::Metadata;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// A run before it begins.
///
/// ```no_run
/// use convnet::data::mnist;
/// use convnet::prelude::*;
/// use convnet::train::{Config, Trainer};
///
/// cnn! { struct Net: [1, 28, 28] -> [10] { conv(8, kernel = 5); relu; max_pool(2); flatten; linear(10); } }
///
/// let dev = Cpu::default();
/// let mut net = dev.build_module::<Net, f32>();
/// let config = Config { epochs: 3, augment: vec!["crop(pad = 2)".parse()?], ..Config::default() };
/// let summary = Trainer::new(&mut net, &dev).config(config).folder("runs/net").train(&mnist::bundled()?.shared())?;
/// println!("{:.2} %", summary.evaluation.accuracy() * 100.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Trainer<'a> {
    learner: Box<dyn Learner + 'a>,
    config: Config,
    folder: Option<PathBuf>,
    record: toml::Table,
    about: Metadata,
    resume: bool,
    stop: Arc<AtomicBool>,
    callbacks: Vec<Box<dyn Callback + 'a>>,
    ranks: &'a dyn Communicator,
    objective: Option<Arc<dyn Objective>>,
}

impl<'a> Trainer<'a> {
    /// For `net`, with default options.
    pub fn new<D: Backend<f32>>(net: &'a mut dyn AnyNetwork<f32, D>, device: &D) -> Self {
        Self::boxed(NetworkLearner::new(net, device.clone()).into_inner())
    }

    /// For anything that learns.
    pub fn of(learner: impl Learner + 'a) -> Self {
        Self::boxed(Box::new(learner))
    }

    fn boxed(learner: Box<dyn Learner + 'a>) -> Self {
        let (config, stop) = (Config::default(), Arc::default());
        let (folder, record, about, callbacks) = (None, toml::Table::new(), Metadata::new(), Vec::new());
        Trainer {
            learner,
            config,
            folder,
            record,
            about,
            resume: false,
            stop,
            callbacks,
            ranks: &Alone,
            objective: None,
        }
    }

    /// With these options.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// For an objective of one's own, and not one of the five that fit network and data. Options about the loss have no part in it.
    #[must_use]
    pub fn objective(mut self, objective: impl Objective + 'static) -> Self {
        self.objective = Some(Arc::new(objective));
        self
    }

    /// Keeps checkpoints in this folder, which no other process may train in at the same time, and which may hold another run's
    /// checkpoints only if this one goes on with them ([`Trainer::resume`]).
    #[must_use]
    pub fn folder(mut self, path: impl Into<PathBuf>) -> Self {
        self.folder = Some(path.into());
        self
    }

    /// Keeps these entries in the run's `config.toml`, beside the options.
    #[must_use]
    pub fn record(mut self, record: toml::Table) -> Self {
        self.record = record;
        self
    }

    /// Says this in weights files, beside what the trainer knows itself.
    #[must_use]
    pub fn about(mut self, about: Metadata) -> Self {
        self.about = about;
        self
    }

    /// Goes on from the last checkpoint of the folder, if there is one.
    #[must_use]
    pub fn resume(mut self) -> Self {
        self.resume = true;
        self
    }

    /// Tells `callback` what happens; callbacks are called in the order in which they were added.
    #[must_use]
    pub fn callback(mut self, callback: impl Callback + 'a) -> Self {
        self.callbacks.push(Box::new(callback));
        self
    }

    /// Trains on all these processes, each of which has the same options and data and does its part of every batch; see
    /// [`crate::distributed::start`]. The first one keeps the folder and tells the callbacks.
    #[must_use]
    pub fn ranks(mut self, ranks: &'a dyn Communicator) -> Self {
        self.ranks = ranks;
        self
    }

    /// Finishes its step, saves and ends the run as soon as `stop` is true. A step whose images are still being waited for is not
    /// waited for longer.
    #[must_use]
    pub fn stop_when(mut self, stop: Arc<AtomicBool>) -> Self {
        self.stop = stop;
        self
    }

    /// Trains.
    ///
    /// The same options give the same weights, bit for bit on one kind of processor, for any number of threads and workers,
    /// and however often the run was interrupted. So they do on any one number of ranks; on another number, sums are rounded
    /// in another order, batch normalisation sees other batches, and dropout and mixing draw other numbers.
    ///
    /// # Errors
    /// When an option has no meaning, the data does not fit, the loss diverges, a checkpoint cannot be written or is of
    /// another run, the device fails or a callback objects; checkpoints that are there stay. When the run was asked to stop:
    /// [`TrainError::Interrupted`], after it has saved.
    pub fn train(mut self, data: &Split) -> Result<Summary, TrainError> {
        let ranks = self.ranks;
        if ranks.rank() > 0 {
            self.folder = None;
            self.callbacks.clear();
        }
        let outcome = self.begin(data).and_then(|(session, resume)| session.run(resume));
        match &outcome {
            // All ranks end with these.
            Ok(_) | Err(TrainError::Interrupted { .. }) => {}
            Err(error) => ranks.fail(&error.to_string()),
        }
        outcome
    }

    /// All that can be said before the first step.
    fn begin(self, data: &Split) -> Result<(Session<'a>, bool), TrainError> {
        let Trainer { mut learner, config, folder, record, about, resume, stop, mut callbacks, ranks, objective } =
            self;
        config.check()?;
        // First of all that takes time: nothing is computed for a folder that cannot be used.
        let folder = folder.map(|path| Kept::open(&path, resume)).transpose()?;
        let graph = learner.graph();
        let chosen = objective.is_none();
        let objective = feed::chosen(objective, &config, data, graph)?;
        // What learns in the end; before that less may.
        let last = Hyperparameters::of(&config, graph, Phase::of(&config, config.epochs))?;
        have_variance(graph, data.train.len(), &config, &Front::of(graph, &last.params).fixed)?;
        let rules = Hyperparameters::new(&config, graph)?;
        learner.begin(rules)?;
        let graph = learner.graph();
        let rank = [ranks.rank(), ranks.size()];
        let loaders = feed::loaders(graph, data, &config, rank, &stop, &*objective)?;
        let objective = match chosen {
            true => feed::with_normalisation(objective, &config, &loaders, data, graph)?,
            false => objective,
        };
        let steps = (loaders.train.batches() as u64).div_ceil(config.accumulate as u64);
        if let Some(patience) = config.early_stop {
            callbacks.push(Box::new(EarlyStop { patience }));
        }
        let identity = Identity {
            network: graph.name.to_string(),
            task: objective.name().into(),
            classes: data.train.classes().to_vec(),
            train: data.train.len(),
            test: data.test.len(),
        };
        let session = Session {
            curve: config.curve(steps),
            notes: feed::notes(graph, &config, data, &*objective),
            objective,
            phases: Phases::new(&config, loaders),
            learner,
            config,
            folder,
            record,
            about,
            identity,
            callbacks,
            ranks,
            stop,
            steps,
            progress: Progress { epoch: 1, ..Progress::default() },
            evaluation: None,
            resumed: false,
            since: Instant::now(),
            before: 0.0,
        };
        Ok((session, resume))
    }
}
