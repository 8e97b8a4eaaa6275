//! A run while it goes on: steps, epochs, checkpoints, and what is told to callbacks.

use super::callback::{Callback, Event, Flow, Run, StepInfo, drops};
use super::checkpoint::{self, Checkpoint, CheckpointError, Identity, Progress};
use super::config::Config;
use super::epoch::Epoch;
use super::folder::{Lock, RunFolder};
use super::learner::{Goal, Learner};
use super::monitor::{is_best, monitored};
use super::phases::Phases;
use super::schedule::LearningRateCurve;
use super::summary::{Summary, training};
use super::{TrainError, feed};
use crate::data::{Batch, Classes, DataError};
use crate::distributed::Communicator;
use crate::format_version;
use crate::objective::{Evaluation, Objective};
use crate::optim::Step;
use crate::weights::Format;
use crate::weights::{self, Metadata};
use crate::wording::counted;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// The folder of a run, which is this process's alone as long as it trains.
pub(super) struct Kept {
    folder: RunFolder,
    lock: Lock,
}

impl Kept {
    pub fn open(path: &Path, resume: bool) -> Result<Self, TrainError> {
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
pub(super) struct Session<'a> {
    pub learner: Box<dyn Learner + 'a>,
    pub config: Config,
    pub record: toml::Table,
    pub about: Metadata,
    pub curve: LearningRateCurve,
    pub objective: Arc<dyn Objective>,
    /// What the user should know before the first step.
    pub notes: Vec<String>,
    pub folder: Option<Kept>,
    pub identity: Identity,
    pub callbacks: Vec<Box<dyn Callback + 'a>>,
    pub ranks: &'a dyn Communicator,
    pub stop: Arc<AtomicBool>,
    pub phases: Phases,
    /// Steps in an epoch.
    pub steps: u64,
    pub progress: Progress,
    /// The last one of this session.
    pub evaluation: Option<Evaluation>,
    pub resumed: bool,
    pub since: Instant,
    /// Seconds of earlier sessions.
    pub before: f64,
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

    pub fn run(mut self, resume: bool) -> Result<Summary, TrainError> {
        let mut notes = std::mem::take(&mut self.notes);
        notes.extend(if resume { self.resume()? } else { Vec::new() });
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
            None => self.evaluated()?,
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
        for note in self.phases.settle(epoch, self.learner.as_ref(), &self.config, ranks, self.objective.is_of_input())
        {
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
        let lr = self.lr(step);
        let batches = group.len();
        // Of each batch its images, and what they count.
        let part = |batch: &Batch| [batch.indices.len() as f64, feed::weight(batch, &*self.objective)];
        let whole = self.ranks.total(&group.iter().flat_map(part).collect::<Vec<f64>>());
        let images = whole.iter().step_by(2).sum::<f64>() as usize;
        // Weighted means of batches do not make the weighted mean of a step, so each sum is divided by what all of them count.
        let total = whole.iter().skip(1).step_by(2).sum::<f64>();
        if images == 0 || total <= 0.0 {
            // None of them could be read, or none of their pixels has a class.
            self.progress.batch += batches;
            return Ok(Flow::Continue);
        }
        let (loss, score) = self.passes(group, lr, images, total)?;
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
        progress.score += score;
        progress.loss += loss * images as f64;
        let info = StepInfo {
            step: (progress.batch as u64).div_ceil(self.config.accumulate as u64),
            images,
            loss,
            mean_loss: progress.loss / progress.seen as f64,
            score: progress.score / progress.seen as f64,
            lr,
            grad_norm: report.grad_norm,
            waited,
            seconds: start.elapsed().as_secs_f64(),
        };
        self.tell(Event::Step(&info))
    }

    /// Adds up the gradients of the batches of a step, over all ranks; gives the loss and the sum of the images' scores. `total` is what all
    /// `images` of the step count together.
    fn passes(&mut self, group: Vec<Batch>, lr: f64, images: usize, total: f64) -> Result<(f64, f64), TrainError> {
        let (mut loss, mut score) = (0.0, 0.0);
        let (rank, ranks) = (self.ranks.rank(), self.ranks.size());
        for (i, mut batch) in group.into_iter().enumerate().filter(|(_, batch)| !batch.indices.is_empty()) {
            let targets = feed::targets(&mut batch, &*self.objective);
            let goal = Goal { objective: &*self.objective, targets: &targets, total, images };
            let seed = feed::dropout_seed(self.config.seed, self.progress.step, i * ranks + rank);
            let pass = match self.phases.train().is_known() {
                true => self.learner.pass_behind_front(batch.pixels, goal, seed)?,
                false => self.learner.pass(batch.pixels, goal, seed)?,
            };
            if !pass.loss.is_finite() {
                let batch = self.phases.images().train.epoch(self.progress.epoch, self.progress.batch + i).next();
                return Err(self.diverged(format!("the loss is {}", pass.loss), lr, batch));
            }
            loss += pass.loss;
            score += pass.score;
        }
        if ranks > 1 {
            self.learner.share(self.ranks)?;
        }
        let sums = self.ranks.total(&[loss, score]);
        Ok((sums[0], sums[1]))
    }

    /// The learning rate of a step.
    fn lr(&self, step: u64) -> f64 {
        let values = monitored(&self.config, &self.progress.history, &self.objective.metrics());
        self.curve.lr(step, drops(values, self.config.patience))
    }

    /// How the network does on the images to evaluate on.
    fn evaluated(&self) -> Result<Evaluation, TrainError> {
        feed::evaluate(self.learner.as_ref(), &*self.objective, self.phases.test(), self.ranks, &mut |_| {})
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
        let evaluation = self.evaluated();
        let weights = self.folder.is_some().then(|| self.learner.weights()).transpose()?;
        self.learner.swap_average()?;
        let evaluation = evaluation?;
        let lr = self.lr(self.progress.step.saturating_sub(1));
        if !evaluation.loss.is_finite() {
            return Err(self.diverged(
                format!("the test loss is {}", evaluation.loss),
                lr,
                self.phases.images().test.epoch(0, 0).next(),
            ));
        }
        let seen = self.progress.seen.max(1) as f64;
        let done = Epoch {
            epoch: self.progress.epoch,
            step: self.progress.step,
            loss: self.progress.loss / seen,
            test_loss: evaluation.loss,
            lr,
            seconds: self.seconds(),
            metrics: BTreeMap::new(),
        };
        let done = done.measured((self.objective.metric_in_training(), self.progress.score / seen), &evaluation);
        let best = is_best(&self.config, &self.progress.history, &done, &self.objective.metrics());
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
        let Progress { epoch, batch, seen, score, loss, .. } = &mut self.progress;
        (*epoch, *batch, *seen, *score, *loss) = (done.epoch + 1, 0, 0, 0.0, 0.0);
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
            about.extend(
                done.metrics
                    .iter()
                    .filter(|(name, _)| name.starts_with("test_"))
                    .map(|(k, v)| (k.clone(), v.to_string())),
            );
        }
        self.phases.test().pipeline().preparation.to_metadata(&mut about);
        if !self.objective.is_of_input() {
            Classes::trained_on(&self.identity.classes).to_metadata(&mut about);
        }
        self.objective.to_metadata(&mut about);
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
            objective: &*self.objective,
            classes: &self.identity.classes,
            train_images: self.identity.train,
            test_images: self.identity.test,
            steps: self.steps,
            progress: &self.progress,
            resumed: self.resumed,
            folder: self.folder.as_ref().map(|kept| kept.folder.path()),
            preparation: &self.phases.test().pipeline().preparation,
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
