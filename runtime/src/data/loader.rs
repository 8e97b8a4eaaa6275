//! Batches in an order, and with random draws, that are functions of the seed, the epoch and the image alone.
//!
//! Worker `w` of `n` makes the batches `w`, `w + n` ... and puts each into a short queue of its own, from which the consumer
//! takes them in turn: batches come in order, memory is bounded, and nothing depends on how fast anybody is. A single queue
//! would need a place to put batches in order, and that place would need a bound of its own.

use super::options::{LoaderOptions, OnBad, Sampling};
use super::queue::Queue;
use super::{Batch, DataError, Dataset, KnownValues, Pipeline, Target, TargetKind, augment, name_of, target};
use convnet_engine::random::mix;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Images at once when nothing has to be kept for a backward pass.
pub(crate) const EVALUATION_BATCH: usize = 250;

/// Batches that a worker may be ahead, at least and at most.
const AHEAD: [usize; 2] = [2, 8];
/// Bytes that a worker may be ahead, if that is more than the fewest batches.
const AHEAD_BYTES: usize = 64 << 20;

/// Bytes that come from memory at once.
const CACHE_LINE: usize = 64;

/// Makes the batches of a dataset. A clone is the same loader.
#[derive(Clone)]
pub struct Loader(Arc<Inner>);

struct Inner {
    data: Arc<dyn Dataset>,
    pipeline: Pipeline,
    options: LoaderOptions,
    workers: usize,
    skipped: Mutex<BTreeMap<usize, String>>,
    inverted: Mutex<BTreeSet<usize>>,
    /// What stands in place of pixels, if something does.
    known: Option<KnownValues>,
}

impl Loader {
    /// A loader of `data`.
    pub fn new(data: Arc<dyn Dataset>, pipeline: Pipeline, options: LoaderOptions) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
        let idle = data.in_memory() && pipeline.augment.is_empty();
        let workers = options.workers.unwrap_or(if idle { 0 } else { cores.div_ceil(2).min(8) });
        let options = LoaderOptions { batch: options.batch.max(1), ..options };
        Loader(Arc::new(Inner {
            data,
            pipeline,
            options,
            workers,
            skipped: Mutex::default(),
            inverted: Mutex::default(),
            known: None,
        }))
    }

    /// A loader that gives each of the same images once, in the order of the dataset, in batches of [`EVALUATION_BATCH`].
    pub(crate) fn in_order(&self) -> Self {
        let Inner { data, pipeline, options, .. } = &*self.0;
        let options =
            LoaderOptions { batch: EVALUATION_BATCH, sampling: Sampling::InOrder, drop_last: false, ..*options };
        Loader::new(data.clone(), pipeline.clone(), options)
    }

    /// A loader of the same batches that gives `values` in place of pixels. `reader` is the loader whose images they were computed from; what
    /// it left out is left out here, too.
    pub(crate) fn with_known(&self, values: KnownValues, reader: &Loader) -> Self {
        let Inner { data, pipeline, options, .. } = &*self.0;
        Loader(Arc::new(Inner {
            data: data.clone(),
            pipeline: pipeline.clone(),
            options: *options,
            workers: 0,
            skipped: Mutex::new(reader.skipped()),
            inverted: Mutex::new(reader.inverted()),
            known: Some(values),
        }))
    }

    /// Whether its batches have known values in place of pixels.
    pub(crate) fn is_known(&self) -> bool {
        self.0.known.is_some()
    }

    /// How many images the dataset has.
    pub(crate) fn images(&self) -> usize {
        self.0.data.len()
    }

    /// What is done to images.
    pub fn pipeline(&self) -> &Pipeline {
        &self.0.pipeline
    }

    /// Batches of an epoch.
    pub fn batches(&self) -> usize {
        let (images, batch) = (self.0.data.len(), self.0.options.batch);
        match self.0.options.drop_last && images >= batch {
            true => images / batch,
            false => images.div_ceil(batch),
        }
    }

    /// The batches of an epoch from number `first` on.
    pub fn epoch(&self, epoch: usize, first: usize) -> Batches {
        let (order, last) = (Arc::new(self.0.order(epoch)), self.batches());
        let mut workers = Vec::new();
        for worker in 0..self.0.workers.min(last.saturating_sub(first)) {
            let shape = self.0.pipeline.preparation.shape;
            let numbers = shape.iter().product::<usize>() + target::row_len(self.0.data.as_ref(), shape);
            let bytes = self.0.options.batch * numbers * size_of::<f32>();
            let queue = Arc::new(Queue::new((AHEAD_BYTES / bytes.max(1)).clamp(AHEAD[0], AHEAD[1])));
            let (inner, order, step, to) = (self.0.clone(), order.clone(), self.0.workers, queue.clone());
            let work = move || inner.work(epoch, &order, (first + worker..last).step_by(step), &to);
            // Where no thread can be had, the caller makes the batches.
            match std::thread::Builder::new().name(format!("loader-{worker}")).spawn(work) {
                Ok(thread) => workers.push((queue, thread)),
                Err(_) => {
                    stop(&mut workers);
                    break;
                }
            }
        }
        let (inner, waited) = (self.0.clone(), Duration::ZERO);
        Batches { inner, order, epoch, first, next: first, last, workers, waited, stop: Arc::default() }
    }

    /// The images in which dark and bright have changed places, because the preparation says so.
    pub fn inverted(&self) -> BTreeSet<usize> {
        self.0.inverted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The images that were left out because they could not be read, with the reason.
    pub fn skipped(&self) -> BTreeMap<usize, String> {
        self.0.skipped.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A generator for one purpose: a function of these numbers alone.
pub(super) fn generator(seed: u64, purpose: u64, epoch: usize, index: usize) -> ChaCha8Rng {
    let mut z = seed;
    for number in [purpose, epoch as u64, index as u64] {
        z = mix(z.wrapping_add(number).wrapping_add(0x9E37_79B9_7F4A_7C15));
    }
    ChaCha8Rng::seed_from_u64(z)
}

const ORDER: u64 = 1;
pub(super) const IMAGE: u64 = 2;
pub(super) const MIX: u64 = 3;

impl Inner {
    fn order(&self, epoch: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.data.len()).collect();
        let mut rng = generator(self.options.seed, ORDER, epoch, 0);
        match self.options.sampling {
            Sampling::InOrder => {}
            // Without one class for each image there is nothing to balance.
            Sampling::Balanced if self.data.target_kind() != TargetKind::Class => order.shuffle(&mut rng),
            Sampling::Shuffled => order.shuffle(&mut rng),
            Sampling::Balanced => self.balance(&mut order, &mut rng),
        }
        order
    }

    /// Draws each image anew, so that each class comes equally often.
    fn balance(&self, order: &mut [usize], rng: &mut ChaCha8Rng) {
        let mut classes = vec![Vec::new(); self.data.classes().len()];
        for i in order.iter() {
            // One of no class is an error once it is read, and cannot be drawn.
            classes.get_mut(self.data.label(*i)).into_iter().for_each(|class| class.push(*i));
        }
        classes.retain(|class| !class.is_empty());
        if classes.is_empty() {
            return;
        }
        for i in order {
            let class = &classes[rng.gen_range(0..classes.len())];
            *i = class[rng.gen_range(0..class.len())];
        }
    }

    fn work(&self, epoch: usize, order: &[usize], numbers: impl Iterator<Item = usize>, to: &Queue) {
        for number in numbers {
            let batch = self.batch(epoch, order, number);
            let failed = batch.is_err();
            // Nobody is there any more to take it, or will want another one.
            if !to.push(batch) || failed {
                return;
            }
        }
    }

    fn batch(&self, epoch: usize, order: &[usize], number: usize) -> Result<Batch, DataError> {
        let LoaderOptions { batch: size, seed, rank: [rank, ranks], .. } = self.options;
        let (start, end) = ((number * size).min(order.len()), ((number + 1) * size).min(order.len()));
        let part = |rank: usize| start + (end - start) * rank / ranks;
        let chosen = part(rank)..part(rank + 1);
        let mut batch = match &self.known {
            Some(known) => self.of_known(known, &order[chosen])?,
            None => self.read(epoch, order, chosen)?,
        };
        let (shape, kind) = (self.pipeline.preparation.shape, self.data.target_kind());
        let mut rng = generator(seed, MIX, epoch, number);
        augment::mix::apply(&self.pipeline.augment, &mut batch, shape, kind, &mut rng);
        Ok(batch)
    }

    /// A batch of nothing, with room for so many images of `len` numbers each.
    fn empty(&self, images: usize, len: usize) -> Batch {
        let row = target::row_len(self.data.as_ref(), self.pipeline.preparation.shape);
        Batch {
            pixels: Vec::with_capacity(images * len),
            targets: Vec::with_capacity(images * row),
            labels: Vec::with_capacity(images),
            indices: Vec::with_capacity(images),
        }
    }

    /// Images of a batch, with what is known of them in place of pixels; those of which nothing is known could not be read.
    fn of_known(&self, known: &KnownValues, indices: &[usize]) -> Result<Batch, DataError> {
        let names = self.data.classes().len();
        let mut batch = self.empty(indices.len(), known.len());
        for (index, values) in indices.iter().filter_map(|index| Some((*index, known.of(*index)?))) {
            let target = || match target::of(self.data.as_ref(), index)? {
                Target::Mask(mask) => Ok(Target::Mask(self.pipeline.preparation.framed_mask(mask)?)),
                target => Ok(target),
            };
            if let Some(target) = self.tried(index, target)? {
                target.extend(names, &mut batch.targets);
                batch.pixels.extend_from_slice(values);
                batch.labels.push(target::label(self.data.as_ref(), index));
                batch.indices.push(index);
            }
        }
        Ok(batch)
    }

    /// Reads the images at these places of the order.
    fn read(&self, epoch: usize, order: &[usize], chosen: Range<usize>) -> Result<Batch, DataError> {
        let len = self.pipeline.preparation.shape.iter().product::<usize>();
        let mut batch = self.empty(chosen.len(), len);
        if self.data.in_memory() {
            // They lie all over memory. Asked for together, they come in half the time that one after the other takes.
            for index in &order[chosen.clone()] {
                if let Ok(image) = self.data.image(*index) {
                    black_box(image.pixels.iter().step_by(CACHE_LINE).fold(0, |sum, x| sum ^ x));
                }
            }
        }
        for (place, index) in chosen.clone().zip(&order[chosen]) {
            // By its place in the epoch: an image that is drawn twice is another one each time.
            let mut rng = generator(self.options.seed, IMAGE, epoch, place);
            let starts = [batch.pixels.len(), batch.targets.len()];
            match self.tried(*index, || self.load(*index, &mut rng, &mut batch))? {
                Some(inverted) => {
                    if inverted {
                        self.inverted.lock().unwrap_or_else(PoisonError::into_inner).insert(*index);
                    }
                    batch.labels.push(target::label(self.data.as_ref(), *index));
                    batch.indices.push(*index);
                }
                None => {
                    batch.pixels.truncate(starts[0]);
                    batch.targets.truncate(starts[1]);
                }
            }
        }
        Ok(batch)
    }

    /// Puts the pixels and the target of an image behind those of a batch; says whether dark and bright have changed places.
    fn load(&self, index: usize, rng: &mut ChaCha8Rng, batch: &mut Batch) -> Result<bool, DataError> {
        let image = self.data.image(index)?;
        let names = self.data.classes().len();
        match target::of(self.data.as_ref(), index)? {
            Target::Mask(mask) => {
                target::check_size(&mask, &image)?;
                let (inverted, mask) = self.pipeline.extend_masked(image, Some(mask), rng, &mut batch.pixels)?;
                mask.into_iter().for_each(|mask| Target::Mask(mask).extend(names, &mut batch.targets));
                Ok(inverted)
            }
            target => {
                target.extend(names, &mut batch.targets);
                self.pipeline.extend(image, rng, &mut batch.pixels)
            }
        }
    }

    /// What `read` gives for an image; nothing where it cannot be read and is to be left out. Panics are errors too.
    fn tried<T>(&self, index: usize, read: impl FnOnce() -> Result<T, DataError>) -> Result<Option<T>, DataError> {
        let done = catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|panic| {
            let message = panic.downcast_ref::<String>().cloned();
            let message = message.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
            Err(DataError::Panic { index, message: message.unwrap_or_default() })
        });
        match done.map_err(|error| error.about(|| name_of(self.data.as_ref(), index))) {
            Ok(done) => Ok(Some(done)),
            Err(error) if self.options.on_bad == OnBad::Skip => {
                let mut skipped = self.skipped.lock().unwrap_or_else(PoisonError::into_inner);
                skipped.insert(index, error.to_string());
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// The batches of an epoch, in order.
pub struct Batches {
    inner: Arc<Inner>,
    order: Arc<Vec<usize>>,
    epoch: usize,
    first: usize,
    next: usize,
    last: usize,
    workers: Vec<(Arc<Queue>, JoinHandle<()>)>,
    waited: Duration,
    stop: Arc<AtomicBool>,
}

impl Batches {
    /// Waits for no batch any more once `stop` is true: what is not ready is then an error.
    pub fn stop_when(&mut self, stop: Arc<AtomicBool>) {
        self.stop = stop;
    }

    /// Whether they have been told to stop.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Does without the rest, and without waiting for threads that may wait for a file themselves. They end after that.
    pub fn leave(mut self) {
        self.workers.drain(..).for_each(|(queue, _)| queue.close());
    }

    /// How long the caller has waited for batches.
    pub fn waited(&self) -> Duration {
        self.waited
    }
}

impl Iterator for Batches {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.last {
            return None;
        }
        let start = Instant::now();
        let number = self.next;
        self.next += 1;
        let batch = match self.workers.len() {
            0 => self.inner.batch(self.epoch, &self.order, number),
            n => {
                let (queue, thread) = &self.workers[(number - self.first) % n];
                let gone = || DataError::Panic { index: number, message: "a thread of the loader has ended".into() };
                queue.pop(|| thread.is_finished() || self.stop.load(Ordering::Relaxed)).unwrap_or_else(|| Err(gone()))
            }
        };
        self.waited += start.elapsed();
        if batch.is_err() {
            self.next = self.last;
        }
        Some(batch)
    }
}

impl Drop for Batches {
    fn drop(&mut self) {
        stop(&mut self.workers);
    }
}

/// Ends workers with the batches that they are at.
fn stop(workers: &mut Vec<(Arc<Queue>, JoinHandle<()>)>) {
    workers.iter().for_each(|(queue, _)| queue.close());
    for (_, thread) in workers.drain(..) {
        // Its panics have been turned into errors.
        let _ = thread.join();
    }
}
