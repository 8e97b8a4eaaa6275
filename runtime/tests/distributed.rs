//! Training on several ranks, which are threads here: the weights of one process, the same bits each time, runs that go on.
#![deny(warnings)]

#[path = "common/stripes.rs"]
mod stripes;

use convnet::data::Split;
use convnet::data::augment::Augment;
use convnet::distributed::Communicator;
use convnet::net::{Network, named_tensors};
use convnet::prelude::*;
use convnet::train::{Balance, Config, Event, Flow, Run, RunFolder, Summary, TrainError, Trainer};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use stripes::stripes;

cnn! {
    /// The same whatever batches its images come in.
    struct Plain: [1, 8, 8] -> [3] { conv: conv(4, kernel = 3, pad = 1); relu; max_pool(2); flatten; fc: linear(3); }
}

cnn! {
    /// With statistics and draws that depend on the batch.
    #[allow(bias_before_norm)]
    struct Whole: [1, 8, 8] -> [3] {
        conv: conv(4, kernel = 3, pad = 1); norm: batch_norm; relu; max_pool(2); dropout(0.2); flatten; fc: linear(3);
    }
}

/// What each rank has put on the table, and two moments at which all wait for each other.
struct Table {
    parts: Mutex<Vec<Vec<f64>>>,
    bytes: Mutex<Vec<u8>>,
    barrier: Barrier,
}

/// Ranks that are threads of one process.
struct Threads {
    rank: usize,
    size: usize,
    table: Arc<Table>,
}

impl Threads {
    fn all(size: usize) -> Vec<Threads> {
        let parts = Mutex::new(vec![Vec::new(); size]);
        let table = Arc::new(Table { parts, bytes: Mutex::default(), barrier: Barrier::new(size) });
        (0..size).map(|rank| Threads { rank, size, table: table.clone() }).collect()
    }
}

impl Communicator for Threads {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn sum(&self, values: &mut [f32]) {
        let own: Vec<f64> = values.iter().map(|x| f64::from(*x)).collect();
        values.fill(0.0);
        for part in self.gather(&own) {
            values.iter_mut().zip(part).for_each(|(sum, x)| *sum += x as f32);
        }
    }

    fn gather(&self, own: &[f64]) -> Vec<Vec<f64>> {
        self.table.parts.lock().unwrap()[self.rank] = own.to_vec();
        self.table.barrier.wait();
        let all = self.table.parts.lock().unwrap().clone();
        self.table.barrier.wait();
        all
    }

    fn broadcast(&self, bytes: Vec<u8>) -> Vec<u8> {
        if self.rank == 0 {
            *self.table.bytes.lock().unwrap() = bytes;
        }
        self.table.barrier.wait();
        let all = self.table.bytes.lock().unwrap().clone();
        self.table.barrier.wait();
        all
    }

    fn fail(&self, _: &str) {}
}

fn split() -> Split {
    Split { train: stripes(70), test: stripes(601) }.shared()
}

fn augment(words: &[&str]) -> Vec<Augment> {
    words.iter().map(|word| word.parse().unwrap()).collect()
}

/// The last batch has 6 images: one rank of 4 gets one of them.
fn config() -> Config {
    Config {
        epochs: 2,
        batch: 16,
        accumulate: 2,
        lr: 0.05,
        clip_norm: Some(1.0),
        label_smoothing: 0.1,
        balance: Balance::Loss,
        augment: augment(&["crop(1)", "flip"]),
        seed: 7,
        ..Config::default()
    }
}

type Outcome = (Vec<f32>, Result<Summary, TrainError>);

fn plain(seed: u64) -> Plain<f32, Cpu> {
    Cpu::seed_from_u64(seed).build_module::<Plain, f32>()
}

fn whole(seed: u64) -> Whole<f32, Cpu> {
    Cpu::seed_from_u64(seed).build_module::<Whole, f32>()
}

/// Trains on so many ranks, whose random weights differ, and gives what each of them has. The first one is asked to stop after
/// a step.
fn runs<N: Network<f32, Cpu>>(
    build: fn(u64) -> N,
    ranks: usize,
    config: &Config,
    folder: Option<&Path>,
    stop_at: Option<u64>,
) -> Vec<Outcome> {
    let one = |ranks: Threads| {
        let mut net = build(1 + ranks.rank as u64);
        let stop = Arc::new(AtomicBool::new(false));
        let flag = stop.clone();
        let mut trainer = Trainer::new(&mut net, &Cpu::default()).config(config.clone()).ranks(&ranks).stop_when(stop);
        trainer = trainer.callback(move |event: Event<'_>, run: &Run<'_>| {
            if matches!(event, Event::Step(_)) && Some(run.progress.step) == stop_at {
                flag.store(true, Ordering::Relaxed);
            }
            Ok(Flow::Continue)
        });
        if let Some(folder) = folder {
            trainer = trainer.folder(folder).resume();
        }
        let outcome = trainer.train(&split());
        (named_tensors(&net).unwrap().into_iter().flat_map(|tensor| tensor.values).collect(), outcome)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = Threads::all(ranks).into_iter().map(|ranks| scope.spawn(move || one(ranks))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn several_ranks_learn_what_one_does() {
    let alone = runs(plain, 1, &config(), None, None).remove(0);
    let largest = alone.0.iter().fold(0.0_f32, |max, x| max.max(x.abs()));
    for ranks in [2, 3, 4] {
        let all = runs(plain, ranks, &config(), None, None);
        for (weights, summary) in &all {
            assert!(*weights == all[0].0, "{ranks} ranks differ from each other");
            let off = weights.iter().zip(&alone.0).fold(0.0_f32, |max, (a, b)| max.max((a - b).abs()));
            assert!(off < 1e-4 * largest, "{ranks} ranks are off by {off} of {largest}");
            let (summary, expected) = (summary.as_ref().unwrap(), alone.1.as_ref().unwrap());
            assert_eq!(summary.steps, expected.steps);
            assert_eq!(summary.evaluation.images, 601);
            let confusion = |summary: &Summary| summary.evaluation.classes().map(|found| found.confusion.clone());
            assert_eq!(confusion(summary), confusion(expected));
            let (a, b) = (&summary.history[1], &expected.history[1]);
            assert!((a.loss - b.loss).abs() < 1e-4 && a.metric("accuracy") == b.metric("accuracy"), "{a:?} {b:?}");
        }
    }
}

#[test]
fn the_same_ranks_give_the_same_bits_and_can_go_on() {
    let config = Config { ema: Some(0.9), augment: augment(&["mixup(0.4)"]), ..config() };
    let all = runs(whole, 2, &config, None, None);
    assert!(all[0].0 == all[1].0, "ranks have other running statistics");
    let folder = tempfile::tempdir().unwrap();
    for (_, outcome) in runs(whole, 2, &config, Some(folder.path()), Some(4)) {
        assert!(matches!(outcome, Err(TrainError::Interrupted { step: 4, .. })), "{outcome:?}");
    }
    let again = runs(whole, 2, &config, Some(folder.path()), None);
    assert!(again[1].0 == all[0].0);
    assert_eq!(again[1].1.as_ref().unwrap().evaluation, all[0].1.as_ref().unwrap().evaluation);
}

#[test]
fn a_checkpoint_of_two_ranks_is_one_of_one() {
    let folder = tempfile::tempdir().unwrap();
    let two = runs(plain, 2, &config(), Some(folder.path()), Some(3));
    assert!(two[1].1.is_err());
    let one = runs(plain, 1, &config(), Some(folder.path()), None).remove(0);
    let alone = runs(plain, 1, &config(), None, None).remove(0);
    assert_eq!(one.1.unwrap().steps, alone.1.unwrap().steps);
    for (a, b) in one.0.iter().zip(&alone.0) {
        assert!((a - b).abs() < 1e-4, "{a} {b}");
    }
}

/// The second of two ranks, which hears what the first one says and nothing more.
struct Second(Vec<u8>);

impl Communicator for Second {
    fn rank(&self) -> usize {
        1
    }

    fn size(&self) -> usize {
        2
    }

    fn sum(&self, _: &mut [f32]) {}

    fn gather(&self, own: &[f64]) -> Vec<Vec<f64>> {
        vec![vec![0.0; own.len()], own.to_vec()]
    }

    fn broadcast(&self, _: Vec<u8>) -> Vec<u8> {
        self.0.clone()
    }

    fn fail(&self, _: &str) {}
}

#[test]
fn a_rank_with_other_options_does_not_begin() {
    let folder = tempfile::tempdir().unwrap();
    runs(plain, 1, &config(), Some(folder.path()), None).remove(0).1.unwrap();
    let newest = RunFolder::open(folder.path()).unwrap().checkpoints().unwrap().pop().unwrap();
    let first = Second(std::fs::read(newest.1).unwrap());
    let mut net = plain(1);
    let trainer = Trainer::new(&mut net, &Cpu::default()).config(Config { lr: 0.2, ..config() }).ranks(&first);
    let error = trainer.train(&split()).unwrap_err().to_string();
    assert!(error.contains("rank 0 has other data or options") && error.contains("lr was 0.05"), "{error}");
}
