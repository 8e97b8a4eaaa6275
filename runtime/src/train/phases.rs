//! The phases of a run: which rules the network learns by in an epoch, and what it reads. Where the front of the network is frozen and its
//! images are the same in each epoch, it reads what the front makes of them, which is computed once.

use super::config::Config;
use super::feed::Loaders;
use super::fine_tune::Phase;
use super::hyperparameters::Hyperparameters;
use super::{Learner, TrainError};
use crate::data::{KnownValues, Loader};
use crate::wording::{counted, memory};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The most numbers that are kept: 1 GiB.
const MOST: usize = 1 << 28;

/// The phase that a run is in.
pub(super) struct Phases {
    phase: Phase,
    /// The loaders of the images.
    images: Loaders,
    /// Loaders of what the frozen front makes of the images, once it has been computed.
    known: Option<Loaders>,
    /// How many numbers the front gives for each image, from the decision to compute them until they have been computed.
    wanted: Option<usize>,
    /// Whether it has been decided for this phase if the front is computed once.
    settled: bool,
}

impl Phases {
    /// The phase of the first epoch, by whose rules the learner has begun already.
    pub fn new(config: &Config, images: Loaders) -> Self {
        Phases { phase: Phase::of(config, 1), images, known: None, wanted: None, settled: false }
    }

    /// The loader of the training set: of its images or, once it has been computed, of what the front makes of them.
    pub fn train(&self) -> &Loader {
        &self.known.as_ref().unwrap_or(&self.images).train
    }

    /// The loader of the images that epochs are evaluated on, or of what the front makes of them.
    pub fn test(&self) -> &Loader {
        &self.known.as_ref().unwrap_or(&self.images).test
    }

    /// The loaders of the images, whatever is known of them.
    pub fn images(&self) -> &Loaders {
        &self.images
    }

    /// Whether an epoch belongs to this phase.
    pub fn is(&self, epoch: usize, config: &Config) -> bool {
        Phase::of(config, epoch) == self.phase
    }

    /// Begins the phase that an epoch belongs to, if it is another one: `learner` begins anew by its rules.
    pub fn begin(&mut self, epoch: usize, learner: &mut dyn Learner, config: &Config) -> Result<(), TrainError> {
        let phase = Phase::of(config, epoch);
        if phase != self.phase {
            learner.begin(Hyperparameters::of(config, learner.graph(), phase)?)?;
            *self = Phases { phase, images: self.images.clone(), known: None, wanted: None, settled: false };
        }
        Ok(())
    }

    /// Decides, once in each phase, whether the front is computed once. `of_input` says whether the network learns its own input. Gives notes for the user, which say that and what learns.
    pub fn settle(
        &mut self,
        epoch: usize,
        learner: &dyn Learner,
        config: &Config,
        ranks: usize,
        of_input: bool,
    ) -> Vec<String> {
        if std::mem::replace(&mut self.settled, true) {
            return Vec::new();
        }
        let mut notes = Vec::new();
        let head = config.fine_tune.unwrap_or(0);
        let last = if self.phase == Phase::Head { head } else { config.epochs };
        match self.phase {
            Phase::Head => notes.push(format!("up to epoch {head} the head alone learns")),
            Phase::All if head > 0 => notes.push(format!(
                "from epoch {} on everything that is not frozen learns, more slowly towards the input",
                head + 1
            )),
            Phase::All => {}
        }
        let Some(front) = learner.front().filter(|_| last > epoch) else { return notes };
        let images = self.images.train.images() + self.images.test.images();
        match obstacle(config, front, images, ranks, of_input) {
            Some(why) => notes.push(format!("the frozen layers are computed in every epoch: {why}")),
            None => {
                self.wanted = Some(front);
                let (images, numbers) = (counted(images, "image"), counted(front, "number"));
                notes.push(format!("the frozen layers are computed once, now: {numbers} of each of {images} are kept"));
            }
        }
        notes
    }

    /// Computes what the front makes of all images, if that was decided. Gives false if the run was told to stop meanwhile.
    pub fn read_ahead(&mut self, learner: &dyn Learner, stop: &Arc<AtomicBool>) -> Result<bool, TrainError> {
        let Some(front) = self.wanted else { return Ok(true) };
        let Loaders { train, test } = &self.images;
        let [Some(train), Some(test)] = [known(learner, front, train, stop)?, known(learner, front, test, stop)?]
        else {
            return Ok(false);
        };
        (self.known, self.wanted) = (Some(Loaders { train, test }), None);
        Ok(true)
    }
}

/// Why the front has to be computed in every epoch, if it has to be.
fn obstacle(config: &Config, front: usize, images: usize, ranks: usize, of_input: bool) -> Option<String> {
    let numbers = front.saturating_mul(images);
    match () {
        () if !config.augment.is_empty() => Some("augmentation changes the images in every epoch".into()),
        () if of_input => Some("the images are also what is learned".into()),
        () if ranks > 1 => Some("there are several processes".into()),
        () if numbers > MOST => {
            Some(format!("what they make of {images} images takes {}, more than {}", memory(numbers), memory(MOST)))
        }
        () => None,
    }
}

/// Computes what the front makes of all images of a loader. Gives a loader of the same batches with these values in place of pixels, or
/// none if the run was told to stop meanwhile.
fn known(
    learner: &dyn Learner,
    front: usize,
    images: &Loader,
    stop: &Arc<AtomicBool>,
) -> Result<Option<Loader>, TrainError> {
    let (reader, mut values) = (images.in_order(), KnownValues::with_capacity(front * images.images()));
    let mut batches = reader.epoch(0, 0);
    batches.stop_when(stop.clone());
    while let Some(batch) = batches.next() {
        if batches.is_stopped() {
            batches.leave();
            return Ok(None);
        }
        let batch = batch?;
        if !batch.indices.is_empty() {
            values.add(&batch.indices, learner.front_values(batch.pixels)?);
        }
    }
    Ok(Some(images.with_known(values, &reader)))
}
