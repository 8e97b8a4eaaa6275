//! The training loop: batches in, a trained network and its history out.
//!
//! The loop owns nothing but its progress: batches are a function of seed, epoch and number, dropout of seed and step, the
//! learning rate of the step and the history. So a run that goes on from a [`Checkpoint`] is the run that was never
//! interrupted, bit for bit. It prints nothing; what happens is told to callbacks.

use super::callback::{Callback, EarlyStop, Event, Flow, Run, StepInfo, drops};
use super::checkpoint::{self, Checkpoint, CheckpointError, Identity, Progress};
use super::config::Config;
use super::fine_tune::Phase;
use super::folder::{Lock, RunFolder};
use super::front::Front;
use super::hyperparameters::Hyperparameters;
use super::learner::{Learner, NetworkLearner};
use super::metrics::{Epoch, Evaluation, count_correct};
use super::phases::Phases;
use super::schedule::LearningRateCurve;
use super::summary::{Summary, training};
use super::variance::have_variance;
use super::{TrainError, feed};
use crate::backend::Backend;
use crate::data::{Batch, Classes, DataError, Split};
use crate::distributed::{Alone, Communicator};
use crate::format_version;
use crate::net::AnyNetwork;
use crate::optim::Step;
use crate::weights::Format;
use crate::weights::{self, Metadata};
use crate::wording::counted;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
        Trainer { learner, config, folder, record, about, resume: false, stop, callbacks, ranks: &Alone }
    }

    /// With these options.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
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
        let Trainer { mut learner, config, folder, record, about, resume, stop, mut callbacks, ranks } = self;
        config.check()?;
        // First of all that takes time: nothing is computed for a folder that cannot be used.
        let folder = folder.map(|path| Kept::open(&path, resume)).transpose()?;
        let graph = learner.graph();
        feed::fits(graph, data.train.as_ref(), "training")?;
        feed::fits(graph, data.test.as_ref(), "test")?;
        // What learns in the end; before that less may.
        let last = Hyperparameters::of(&config, graph, Phase::of(&config, config.epochs))?;
        have_variance(graph, data.train.len(), &config, &Front::of(graph, &last.params).fixed)?;
        let counts = feed::counts(data.train.as_ref());
        let rules = Hyperparameters::new(&config, graph)?;
        learner.begin(rules)?;
        let graph = learner.graph();
        let rank = [ranks.rank(), ranks.size()];
        let loaders = feed::loaders(graph, &data.train, &data.test, &config, rank, &stop)?;
        let steps = (loaders.train.batches() as u64).div_ceil(config.accumulate as u64);
        if let Some(patience) = config.early_stop {
            callbacks.push(Box::new(EarlyStop { patience }));
        }
        let identity = Identity {
            network: graph.name.to_string(),
            classes: data.train.classes().to_vec(),
            train: data.train.len(),
            test: data.test.len(),
        };
        let session = Session {
            curve: config.curve(steps),
            loss_weights: config.loss_weights(&counts)?,
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

/// The folder of a run, which is this process's alone as long as it trains.
struct Kept {
    folder: RunFolder,
    lock: Lock,
}

impl Kept {
    fn open(path: &Path, resume: bool) -> Result<Self, TrainError> {
        let folder = RunFolder::open(path)?;
        let lock = folder.lock()?;
        // Its checkpoints would be taken for those of the new run.
        if !resume && !folder.checkpoints()?.is_empty() {
            return Err(CheckpointError::Taken { path: path.to_owned() }.into());
        }
        Ok(Kept { folder, lock })
    }
}

/// A run while it goes on.
struct Session<'a> {
    learner: Box<dyn Learner + 'a>,
    config: Config,
    record: toml::Table,
    about: Metadata,
    curve: LearningRateCurve,
    loss_weights: Vec<f64>,
    folder: Option<Kept>,
    identity: Identity,
    callbacks: Vec<Box<dyn Callback + 'a>>,
    ranks: &'a dyn Communicator,
    stop: Arc<AtomicBool>,
    phases: Phases,
    /// Steps in an epoch.
    steps: u64,
    progress: Progress,
    /// The last one of this session.
    evaluation: Option<Evaluation>,
    resumed: bool,
    since: Instant,
    /// Seconds of earlier sessions.
    before: f64,
}

impl Session<'_> {
    /// Goes back to the newest checkpoint that is whole; says what a user should know.
    fn resume(&mut self) -> Result<Vec<String>, TrainError> {
        let Some(Kept { folder, .. }) = &self.folder else { return Ok(Vec::new()) };
        let Some(found) = folder.latest()? else {
            return Ok(vec![format!("{} has no checkpoint: starting anew", folder.path().display())]);
        };
        let mut notes: Vec<String> =
            found.damaged.iter().map(|error| format!("{error}; going back to the checkpoint before")).collect();
        let Checkpoint { progress, config, identity, state } = found.checkpoint;
        let other = |problem: String| TrainError::Resume { path: found.path.clone(), problem };
        if identity != self.identity {
            return Err(other(self.identity.differing(&identity)));
        }
        notes.extend(self.config.compared(&config).map_err(other)?);
        self.phases.begin(progress.last_epoch(), self.learner.as_mut(), &self.config)?;
        self.learner.restore(&state).map_err(|error| other(error.to_string()))?;
        self.before = progress.seconds;
        self.progress = progress;
        self.resumed = true;
        notes.push(format!("going on from {}, after step {}", found.path.display(), self.progress.step));
        Ok(notes)
    }

    /// Brings all ranks to where the first one is.
    fn join(&mut self) -> Result<(), TrainError> {
        if self.ranks.size() == 1 {
            return Ok(());
        }
        let own = if self.ranks.rank() == 0 { checkpoint::encode(&self.checkpoint()?) } else { Ok(Vec::new()) };
        let first = self.ranks.broadcast(own.map_err(TrainError::Ranks)?);
        let Checkpoint { progress, config, identity, state } =
            checkpoint::decode(&first).map_err(|problem| TrainError::Ranks(problem.to_string()))?;
        if identity != self.identity {
            return Err(TrainError::Ranks(self.identity.differing(&identity)));
        }
        self.config.compared(&config).map_err(TrainError::Ranks)?;
        self.phases.begin(progress.last_epoch(), self.learner.as_mut(), &self.config)?;
        self.learner.restore(&state).map_err(|error| TrainError::Ranks(error.to_string()))?;
        self.progress = progress;
        Ok(())
    }

    fn run(mut self, resume: bool) -> Result<Summary, TrainError> {
        let mut notes = if resume { self.resume()? } else { Vec::new() };
        self.join()?;
        if self.ranks.size() > 1 {
            notes.push(format!("{}, each with its part of every batch", counted(self.ranks.size(), "process")));
        }
        if let Some(Kept { folder, lock }) = &self.folder {
            folder.write_config(&self.config, &self.record)?;
            if !lock.holds() {
                let path = folder.path().display();
                notes.push(format!("the file system of {path} has no locks: see that one process alone trains there"));
            }
        }
        self.tell(Event::Start)?;
        for note in &notes {
            self.tell(Event::Note(note))?;
        }
        let mut measured = None;
        while self.progress.epoch <= self.config.epochs && !self.progress.over {
            measured = self.epoch()?;
        }
        self.learner.swap_average()?;
        let evaluation = match measured {
            Some(evaluation) => evaluation,
            None => feed::evaluate(self.learner.as_ref(), self.phases.test(), self.ranks, &mut |_| {})?,
        };
        let skipped = self.phases.train().skipped().len() + self.phases.test().skipped().len();
        let summary = Summary {
            history: self.progress.history.clone(),
            evaluation,
            steps: self.progress.step,
            seconds: self.seconds(),
            skipped: self.ranks.total(&[skipped as f64])[0] as usize,
            pipeline: self.phases.test().pipeline().clone(),
            metadata: self.metadata(self.progress.history.last()),
        };
        self.tell(Event::End(&summary))?;
        Ok(summary)
    }

    fn interrupted(&self) -> TrainError {
        let folder = self.folder.as_ref().map(|kept| kept.folder.path().to_owned());
        TrainError::Interrupted { step: self.progress.step, folder }
    }

    fn seconds(&self) -> f64 {
        self.before + self.since.elapsed().as_secs_f64()
    }

    /// Gets ready for an epoch; false if the run was told to stop meanwhile, and is saved.
    fn enter(&mut self) -> Result<bool, TrainError> {
        let (epoch, ranks) = (self.progress.epoch, self.ranks.size());
        let begun = self.phases.is(epoch, &self.config);
        self.phases.begin(epoch, self.learner.as_mut(), &self.config)?;
        for note in self.phases.settle(epoch, self.learner.as_ref(), &self.config, ranks) {
            self.tell(Event::Note(&note))?;
        }
        let ready = self.phases.read_ahead(self.learner.as_ref(), &self.stop)?;
        // Where it was to begin another phase, the checkpoint of the epoch before is what to go on from.
        if !ready && begun {
            self.save()?;
        }
        Ok(ready)
    }

    /// The rest of an epoch, from wherever the progress is. Gives how the network did at its end, if it came to that.
    fn epoch(&mut self) -> Result<Option<Evaluation>, TrainError> {
        if !self.enter()? {
            return Err(self.interrupted());
        }
        let mut batches = self.phases.train().epoch(self.progress.epoch, self.progress.batch);
        // Several ranks decide together, after a step.
        if self.ranks.size() == 1 {
            batches.stop_when(self.stop.clone());
        }
        loop {
            let (start, before) = (Instant::now(), batches.waited());
            let group = batches.by_ref().take(self.config.accumulate).collect::<Result<Vec<Batch>, _>>();
            if group.is_err() && batches.is_stopped() {
                // It waited for images that may never come; nothing of the last step is lost.
                batches.leave();
                self.save()?;
                return Err(self.interrupted());
            }
            let group = group?;
            if group.is_empty() {
                break;
            }
            let waited = (batches.waited() - before).as_secs_f64();
            let flow = self.step(group, start, waited)?;
            let flags = [flow == Flow::Stop, self.stop.load(Ordering::Relaxed)].map(|flag| f64::from(u8::from(flag)));
            let any = self.ranks.total(&flags);
            let (over, interrupted) = (any[0] > 0.0, any[1] > 0.0);
            let every = self.config.checkpoint_every as u64;
            self.progress.over = over;
            if interrupted || self.progress.over || (every > 0 && self.progress.step.is_multiple_of(every)) {
                self.save()?;
            }
            if interrupted {
                return Err(self.interrupted());
            }
            if self.progress.over {
                return Ok(None);
            }
        }
        drop(batches);
        self.measure().map(Some)
    }

    /// One step of the optimiser, on one batch or several.
    fn step(&mut self, group: Vec<Batch>, start: Instant, waited: f64) -> Result<Flow, TrainError> {
        let step = self.progress.step;
        let losses = self.config.scheduled(&self.progress.history).iter().map(|epoch| epoch.test_loss);
        let lr = self.curve.lr(step, drops(losses, self.config.patience));
        let batches = group.len();
        // Of each batch its images, and what they count.
        let part = |batch: &Batch| [batch.labels.len() as f64, feed::weight(batch, &self.loss_weights)];
        let whole = self.ranks.total(&group.iter().flat_map(part).collect::<Vec<f64>>());
        let images = whole.iter().step_by(2).sum::<f64>() as usize;
        // Weighted means of batches do not make the weighted mean of a step, so weights are divided by that of all of them.
        let mean = whole.iter().skip(1).step_by(2).sum::<f64>() / images.max(1) as f64;
        if images == 0 {
            // None of them could be read.
            self.progress.batch += batches;
            return Ok(Flow::Continue);
        }
        let (sum, correct) = self.passes(group, lr, images, mean)?;
        let (clip_norm, clip_value) = (self.config.clip_norm, self.config.clip_value);
        let update = Step { clip_norm, clip_value, ..Step::new(lr) };
        let report = self.learner.update(&update)?;
        if !report.finite {
            let batch = self.phases.images().train.epoch(self.progress.epoch, self.progress.batch).next();
            return Err(self.diverged("a gradient is no finite number".into(), lr, batch));
        }
        let progress = &mut self.progress;
        progress.step += 1;
        progress.batch += batches;
        progress.seen += images;
        progress.correct += correct;
        progress.loss += sum;
        let info = StepInfo {
            step: (progress.batch as u64).div_ceil(self.config.accumulate as u64),
            images,
            loss: sum / images as f64,
            mean_loss: progress.loss / progress.seen as f64,
            accuracy: progress.correct as f64 / progress.seen as f64,
            lr,
            grad_norm: report.grad_norm,
            waited,
            seconds: start.elapsed().as_secs_f64(),
        };
        self.tell(Event::Step(&info))
    }

    /// Adds up the gradients of the batches of a step, over all ranks; gives the sum of the losses and how many images were
    /// classified correctly. `mean` is that of the weights of the step's images.
    fn passes(&mut self, group: Vec<Batch>, lr: f64, images: usize, mean: f64) -> Result<(f64, usize), TrainError> {
        let (mut sum, mut correct) = (0.0, 0);
        let (rank, ranks) = (self.ranks.rank(), self.ranks.size());
        for (i, mut batch) in group.into_iter().enumerate().filter(|(_, batch)| !batch.labels.is_empty()) {
            let targets = feed::targets(&mut batch, &self.loss_weights, mean, self.config.label_smoothing);
            let share = batch.labels.len() as f32 / images as f32;
            let seed = feed::dropout_seed(self.config.seed, self.progress.step, i * ranks + rank);
            let pass = match self.phases.train().is_known() {
                true => self.learner.pass_behind_front(batch.pixels, targets, share, seed)?,
                false => self.learner.pass(batch.pixels, targets, share, seed)?,
            };
            if !pass.loss.is_finite() {
                let batch = self.phases.images().train.epoch(self.progress.epoch, self.progress.batch + i).next();
                return Err(self.diverged(format!("the loss is {}", pass.loss), lr, batch));
            }
            sum += f64::from(pass.loss) * batch.labels.len() as f64;
            correct += count_correct(&pass.logits, &batch.labels);
        }
        if ranks > 1 {
            self.learner.share(self.ranks)?;
        }
        let total = self.ranks.total(&[sum, correct as f64]);
        Ok((total[0], total[1] as usize))
    }

    /// Looks for the layer at fault with a batch.
    fn diverged(&self, what: String, lr: f64, batch: Option<Result<Batch, DataError>>) -> TrainError {
        let layer = batch.and_then(Result::ok).and_then(|batch| self.learner.fault(&batch.pixels));
        let step = self.progress.batch as u64 / self.config.accumulate as u64 + 1;
        TrainError::Diverged { epoch: self.progress.epoch, step, what, lr, layer }
    }

    /// The end of an epoch: the network is measured and kept.
    fn measure(&mut self) -> Result<Evaluation, TrainError> {
        self.learner.swap_average()?;
        let evaluation = feed::evaluate(self.learner.as_ref(), self.phases.test(), self.ranks, &mut |_| {});
        let weights = self.folder.is_some().then(|| self.learner.weights()).transpose()?;
        self.learner.swap_average()?;
        let evaluation = evaluation?;
        let losses = self.config.scheduled(&self.progress.history).iter().map(|epoch| epoch.test_loss);
        let lr = self.curve.lr(self.progress.step.saturating_sub(1), drops(losses, self.config.patience));
        if !evaluation.loss.is_finite() {
            return Err(self.diverged(
                format!("the test loss is {}", evaluation.loss),
                lr,
                self.phases.images().test.epoch(0, 0).next(),
            ));
        }
        let done = Epoch {
            epoch: self.progress.epoch,
            step: self.progress.step,
            loss: self.progress.loss / self.progress.seen.max(1) as f64,
            accuracy: self.progress.correct as f64 / self.progress.seen.max(1) as f64,
            test_loss: evaluation.loss,
            test_accuracy: evaluation.accuracy(),
            lr,
            seconds: self.seconds(),
        };
        let best = self.progress.history.iter().all(|epoch| epoch.test_accuracy < done.test_accuracy);
        if let (Some(Kept { folder, .. }), Some(mut weights)) = (&self.folder, weights) {
            weights.metadata = self.metadata(Some(&done));
            for (name, wanted) in [("last.safetensors", true), ("best.safetensors", best)] {
                if wanted {
                    weights::write(&weights, &folder.file(name), Format::Safetensors)?;
                }
            }
        }
        self.progress.history.push(done.clone());
        self.evaluation = Some(evaluation.clone());
        let over = self.tell(Event::Epoch(&done))? == Flow::Stop;
        self.progress.over = self.ranks.total(&[f64::from(u8::from(over))])[0] > 0.0;
        let Progress { epoch, batch, seen, correct, loss, .. } = &mut self.progress;
        (*epoch, *batch, *seen, *correct, *loss) = (done.epoch + 1, 0, 0, 0, 0.0);
        self.save()?;
        Ok(evaluation)
    }

    /// What a weights file says about itself, so that `eval` and `predict` need nothing else.
    fn metadata(&self, done: Option<&Epoch>) -> Metadata {
        let mut about = self.about.clone();
        format_version::mark(&mut about);
        about.insert("network".into(), self.identity.network.clone());
        about.insert("seed".into(), self.config.seed.to_string());
        about.insert("training".into(), training(&self.config, done));
        if let Some(done) = done {
            about.insert("epoch".into(), done.epoch.to_string());
            about.insert("test_accuracy".into(), done.test_accuracy.to_string());
        }
        self.phases.test().pipeline().preparation.to_metadata(&mut about);
        Classes::trained_on(&self.identity.classes).to_metadata(&mut about);
        about
    }

    fn save(&mut self) -> Result<(), TrainError> {
        self.progress.seconds = self.seconds();
        let Some(Kept { folder, .. }) = &self.folder else { return Ok(()) };
        let path = folder.save(&self.checkpoint()?, self.config.keep)?;
        self.tell(Event::Saved(&path)).map(|_| ())
    }

    fn checkpoint(&self) -> Result<Checkpoint, TrainError> {
        let (progress, config, identity) = (self.progress.clone(), self.config.clone(), self.identity.clone());
        Ok(Checkpoint { progress, config, identity, state: self.learner.state()? })
    }

    fn tell(&mut self, event: Event<'_>) -> Result<Flow, TrainError> {
        let run = Run {
            config: &self.config,
            graph: self.learner.graph(),
            classes: &self.identity.classes,
            train_images: self.identity.train,
            test_images: self.identity.test,
            steps: self.steps,
            progress: &self.progress,
            resumed: self.resumed,
            folder: self.folder.as_ref().map(|kept| kept.folder.path()),
            evaluation: self.evaluation.as_ref(),
            learner: self.learner.as_ref(),
        };
        let mut flow = Flow::Continue;
        for callback in &mut self.callbacks {
            if callback.on(event, &run)? == Flow::Stop {
                flow = Flow::Stop;
            }
        }
        Ok(flow)
    }
}
