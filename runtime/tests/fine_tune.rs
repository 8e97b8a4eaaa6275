//! Frozen layers and fine-tuning: what learns when, how fast, and that what is computed once is what would be computed each time.

#[path = "common/stripes.rs"]
mod stripes;

use convnet::data::{DataError, Dataset, Image, Images, NormalisationKind, Split};
use convnet::net::{AnyNetwork, named_tensors};
use convnet::prelude::*;
use convnet::train::{Config, Event, Flow, Run, Schedule, Summary, TrainError, Trainer};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use stripes::stripes;

cnn! {
    /// Three layers and a head; two values go past the second layer, and a frozen layer stands behind chance.
    #[allow(bias_before_norm)]
    struct Net: [1, 8, 8] -> [3] {
        first: { conv(4, kernel = 3, pad = 1); batch_norm; relu; max_pool(2); }
        second: residual { conv(4, kernel = 3, pad = 1); batch_norm; }
        relu;
        flatten;
        dropout(0.2);
        third: { linear(16); relu; }
        head: linear(3);
    }
}

type Built = Net<f32, Cpu>;
type Values = BTreeMap<String, Vec<f32>>;

fn network() -> Built {
    Cpu::seed_from_u64(1).build_module::<Net, f32>()
}

fn values<N: AnyNetwork<f32, Cpu>>(net: &N) -> Values {
    named_tensors(net).unwrap().into_iter().map(|tensor| (tensor.name, tensor.values)).collect()
}

fn split() -> Split {
    Split { train: stripes(70), test: stripes(21) }.shared()
}

fn config() -> Config {
    let normalisation = NormalisationKind::None;
    Config { epochs: 4, batch: 16, schedule: Schedule::Cosine, ema: Some(0.9), normalisation, ..Config::default() }
}

/// A run and what it said.
fn train(data: &Split, config: &Config) -> (Values, Summary, Vec<String>) {
    let (mut net, mut notes) = (network(), Vec::new());
    let listen = |event: Event<'_>, _: &Run<'_>| {
        if let Event::Note(note) = event {
            notes.push(note.to_string());
        }
        Ok(Flow::Continue)
    };
    let summary = Trainer::new(&mut net, &Cpu::default()).config(config.clone()).callback(listen).train(data).unwrap();
    (values(&net), summary, notes)
}

/// A dataset that counts how often it is read.
struct Counted(Images, AtomicUsize);

impl Dataset for Counted {
    fn len(&self) -> usize {
        self.0.len()
    }
    fn classes(&self) -> &[String] {
        self.0.classes()
    }
    fn label(&self, i: usize) -> usize {
        self.0.label(i)
    }
    fn image(&self, i: usize) -> Result<Image<'_>, DataError> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.image(i)
    }
}

/// Turning images by nothing changes none, but is augmentation.
fn uncached(config: &Config) -> Config {
    Config { augment: vec!["rotate(0)".parse().unwrap()], ..config.clone() }
}

#[test]
fn what_is_computed_once_gives_the_bits_of_what_is_computed_in_each_epoch() {
    let freeze = |patterns: &[&str]| Config { freeze: patterns.iter().map(ToString::to_string).collect(), ..config() };
    for (config, front) in [
        (Config { fine_tune: Some(4), ..config() }, 64),
        (Config { fine_tune: Some(2), ..config() }, 64),
        // The front ends at two values that a sum reads.
        (freeze(&["first", "second.0.weight"]), 64),
        (freeze(&["first", "second", "third"]), 64),
        (freeze(&["*"]), 64),
        // Statistics are not named, and stay as they are all the same.
        (freeze(&["*.weight", "first.*.bias"]), 64),
    ] {
        let data = || [70, 21].map(|n| Arc::new(Counted(stripes(n), AtomicUsize::new(0))));
        let ([seen, seen_test], [all, all_test]) = (data(), data());
        let split = |train: &Arc<Counted>, test: &Arc<Counted>| Split {
            train: train.clone() as Arc<dyn Dataset>,
            test: test.clone(),
        };
        let (cached, summary, said) = train(&split(&seen, &seen_test), &config);
        let (computed, other, why) = train(&split(&all, &all_test), &uncached(&config));
        assert!(cached == computed, "{config:?}");
        assert_eq!(summary.evaluation, other.evaluation);
        let losses =
            |summary: &Summary| summary.history.iter().map(|epoch| (epoch.loss, epoch.test_loss)).collect::<Vec<_>>();
        assert_eq!(losses(&summary), losses(&other));
        let once = format!("the frozen layers are computed once, now: {front} numbers of each of 91 images are kept");
        assert!(said.contains(&once), "{said:?}");
        assert!(
            why.contains(
                &"the frozen layers are computed in every epoch: augmentation changes the images in every epoch".into()
            ),
            "{why:?}"
        );
        // Once to see what they are, and once for all epochs in which the front is frozen.
        let epochs = config.fine_tune.map_or(1, |head| 1 + config.epochs - head);
        assert_eq!(seen.1.load(Ordering::Relaxed), 70 * (1 + epochs));
        assert_eq!(seen_test.1.load(Ordering::Relaxed), 21 * epochs);
        assert_eq!(all.1.load(Ordering::Relaxed), 70 * (1 + config.epochs));
    }
}

#[test]
fn the_head_learns_first_and_layers_near_the_input_learn_slowly() {
    let before = values(&network());
    let config = Config { ema: None, ..config() };
    let (head, ..) = train(&split(), &Config { fine_tune: Some(4), ..config.clone() });
    for (name, values) in &before {
        assert_eq!(head[name] != *values, name.starts_with("head"), "{name}");
    }
    let (all, _, notes) = train(&split(), &Config { fine_tune: Some(2), ..config.clone() });
    let same: Vec<&String> =
        all.iter().filter(|(name, values)| **values == before[*name]).map(|(name, _)| name).collect();
    // In front of a normalisation a bias has no gradient.
    assert_eq!(same, ["first.0.bias", "second.0.bias"]);
    assert!(notes.contains(&"up to epoch 2 the head alone learns".into()), "{notes:?}");
    assert!(
        notes.contains(&"from epoch 3 on everything that is not frozen learns, more slowly towards the input".into()),
        "{notes:?}"
    );
    // One step by plain gradients: what a parameter moves is its gradient times its rate.
    let step =
        Config { epochs: 1, batch: 70, momentum: 0.0, weight_decay: 0.0, schedule: Schedule::Constant, ..config };
    let moved = |config: &Config| -> BTreeMap<String, f64> {
        let (after, ..) = train(&split(), config);
        let moved = |(name, old): (&String, &Vec<f32>)| {
            (name.clone(), old.iter().zip(&after[name]).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt())
        };
        before.iter().map(moved).collect()
    };
    let whole = moved(&step);
    let scaled = moved(&Config { lr_scale: ["first=0.5", "*.bias = 0", "head=1"].map(String::from).into(), ..step });
    let share = |name: &str| scaled[name] / whole[name];
    for (name, expected) in
        [("first.0.weight", 0.5), ("second.0.weight", 1.0), ("third.0.bias", 0.0), ("head.bias", 1.0)]
    {
        assert!((share(name) - expected).abs() < 1e-3, "{name}: {}", share(name));
    }
}

/// Its loss in training is then that of evaluation.
#[test]
fn a_frozen_batch_normalisation_takes_its_running_statistics() {
    cnn! { #[allow(bias_before_norm)] struct Plain: [1, 8, 8] -> [3] { conv(4, kernel = 3); norm: batch_norm; relu; flatten; fc: linear(3); } }
    let losses = |freeze: &[&str]| {
        let mut net = Cpu::seed_from_u64(3).build_module::<Plain, f32>();
        let freeze = freeze.iter().map(ToString::to_string).collect();
        let config = Config {
            epochs: 1,
            batch: 70,
            lr: 1e-12,
            freeze,
            normalisation: NormalisationKind::None,
            ..Config::default()
        };
        let data = Split { train: stripes(70), test: stripes(70) }.shared();
        let summary = Trainer::new(&mut net, &Cpu::default()).config(config).train(&data).unwrap();
        (summary.history[0].loss, summary.history[0].test_loss, values(&net))
    };
    let (loss, test_loss, net) = losses(&["norm.weight", "norm.bias"]);
    assert!((loss - test_loss).abs() < 1e-5, "{loss} {test_loss}");
    assert!(net["norm.running_mean"].iter().all(|mean| *mean == 0.0));
    let (loss, test_loss, net) = losses(&["norm.weight"]);
    assert!((loss - test_loss).abs() > 1e-3, "{loss} {test_loss}");
    assert!(net["norm.running_mean"].iter().all(|mean| *mean != 0.0));
}

/// A run that stops after some steps, and one that goes on from there.
fn interrupted(folder: &Path, at: u64, config: &Config) -> Values {
    let (mut net, stop) = (network(), Arc::new(AtomicBool::new(false)));
    let flag = stop.clone();
    let trainer = Trainer::new(&mut net, &Cpu::default()).config(config.clone()).folder(folder).stop_when(stop);
    let error = trainer.callback(move |event: Event<'_>, run: &Run<'_>| {
        flag.fetch_or(matches!(event, Event::Step(_)) && run.progress.step == at, Ordering::Relaxed);
        Ok(Flow::Continue)
    });
    let error = error.train(&split()).unwrap_err();
    assert!(matches!(error, TrainError::Interrupted { step, .. } if step == at), "{error}");
    let mut net = network();
    Trainer::new(&mut net, &Cpu::default()).config(config.clone()).folder(folder).resume().train(&split()).unwrap();
    values(&net)
}

#[test]
fn a_run_goes_on_in_the_phase_that_it_was_in() {
    let config = Config { fine_tune: Some(2), batch: 24, ..config() };
    let (whole, summary, _) = train(&split(), &config);
    assert_eq!(summary.steps, 12);
    for at in 1..12 {
        let folder = tempfile::tempdir().unwrap();
        assert!(interrupted(folder.path(), at, &config) == whole, "interrupted after step {at}");
    }
}

#[test]
fn options_without_a_meaning_are_errors() {
    let error = |config: Config| {
        let mut net = network();
        Trainer::new(&mut net, &Cpu::default()).config(config).train(&split()).unwrap_err().to_string()
    };
    for (fine_tune, found) in [(0, "0"), (5, "5")] {
        let said = error(Config { fine_tune: Some(fine_tune), ..config() });
        assert_eq!(said, format!("fine_tune is {found}; it must be from 1 to the number of epochs, 4"));
    }
    let said = error(Config { fine_tune: Some(3), warmup: 1.5, ..config() });
    assert_eq!(said, "warmup is 1.5; it must be less than the epochs of the schedule, 1");
    for scale in ["head", "head=", "=0.1", "head=-1", "head=inf", "head=0,1"] {
        let said = error(Config { lr_scale: vec![scale.into()], ..config() });
        assert_eq!(
            said,
            format!("lr_scale is `{scale}`; it must be a pattern and a number from 0 on, as in features.*=0.1")
        );
    }
    let said = error(Config { lr_scale: vec!["haed=0.1".into()], ..config() });
    assert!(said.starts_with("lr_scale is `haed`; it must be a pattern that a parameter of Net matches"), "{said}");
    assert!(said.ends_with("did you mean `head`?"), "{said}");
}
