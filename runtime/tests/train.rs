//! Runs of the trainer: the same bits however they are interrupted, and errors for what cannot be trained.
#![deny(warnings)]

#[path = "common/stripes.rs"]
mod stripes;

use convnet::data::{DataError, Dataset, Image, Images, NormalisationKind, OnBad, Split};
use convnet::net::named_tensors;
use convnet::optim::OptimizerKind;
use convnet::prelude::*;
use convnet::train::{Config, Event, Flow, Run, RunFolder, Schedule, Summary, TrainError, Trainer, find_lr, overfit};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use stripes::stripes;

cnn! {
    /// With batch normalisation and dropout, whose state and draws have to survive an interruption.
    #[allow(bias_before_norm)]
    struct Net: [1, 8, 8] -> [3] {
        conv: conv(4, kernel = 3, pad = 1); norm: batch_norm; relu; max_pool(2);
        dropout(0.2);
        flatten;
        fc: linear(3);
    }
}

type Built = Net<f32, Cpu>;

fn split() -> Split {
    Split { train: stripes(70), test: stripes(21) }.shared()
}

/// Everything at once: average, accumulation, augmentation with mixing, clipping, a schedule with warm-up.
fn config() -> Config {
    Config {
        epochs: 3,
        batch: 8,
        accumulate: 2,
        optimizer: OptimizerKind::AdamW,
        lr: 0.01,
        warmup: 0.5,
        schedule: Schedule::Plateau,
        patience: 1,
        clip_norm: Some(1.0),
        label_smoothing: 0.1,
        ema: Some(0.9),
        augment: ["crop(1)", "flip", "mixup(0.4)"].map(|word| word.parse().unwrap()).into(),
        seed: 7,
        ..Config::default()
    }
}

fn network() -> Built {
    Cpu::seed_from_u64(1).build_module::<Net, f32>()
}

fn bits(net: &Built) -> Vec<u32> {
    named_tensors(net).unwrap().into_iter().flat_map(|tensor| tensor.values).map(f32::to_bits).collect()
}

/// A run that stops after each of the steps `at`, in a process that knows nothing of the one before.
fn run(folder: Option<&Path>, at: &[u64], config: &Config) -> (Vec<u32>, Summary) {
    for stop_at in at {
        let mut net = network();
        let stop = Arc::new(AtomicBool::new(false));
        let flag = stop.clone();
        let trainer = Trainer::new(&mut net, &Cpu::default()).config(config.clone()).stop_when(stop);
        let trainer = trainer.folder(folder.unwrap()).resume().callback(move |event: Event<'_>, run: &Run<'_>| {
            if matches!(event, Event::Step(_)) && run.progress.step == *stop_at {
                flag.store(true, Ordering::Relaxed);
            }
            Ok(Flow::Continue)
        });
        let error = trainer.train(&split()).unwrap_err();
        assert!(matches!(error, TrainError::Interrupted { step, .. } if step == *stop_at), "{error}");
    }
    let mut net = network();
    let mut trainer = Trainer::new(&mut net, &Cpu::default()).config(config.clone());
    if let Some(folder) = folder {
        trainer = trainer.folder(folder).resume();
    }
    let summary = trainer.train(&split()).unwrap();
    (bits(&net), summary)
}

#[test]
fn a_run_that_goes_on_is_the_run_that_was_never_interrupted() {
    let (whole, summary) = run(None, &[], &config());
    // 70 images are nine batches, which are five steps an epoch.
    assert_eq!((summary.steps, summary.history.len()), (15, 3));
    for step in 1..15 {
        let folder = tempfile::tempdir().unwrap();
        let (bits, again) = run(Some(folder.path()), &[step], &config());
        assert!(bits == whole, "interrupted after step {step}");
        for (a, b) in summary.history.iter().zip(&again.history) {
            assert_eq!((a.loss, &a.metrics, a.test_loss, a.lr), (b.loss, &b.metrics, b.test_loss, b.lr));
        }
        assert_eq!(again.evaluation, summary.evaluation);
    }
    let folder = tempfile::tempdir().unwrap();
    assert!(run(Some(folder.path()), &[2, 3, 9, 14], &config()).0 == whole, "interrupted four times");
}

#[test]
fn threads_that_read_ahead_do_not_change_a_bit() {
    let [alone, two, five] = [0, 2, 5].map(|workers| run(None, &[], &Config { workers: Some(workers), ..config() }).0);
    assert!(alone == two && alone == five);
    let other = run(None, &[], &Config { seed: 8, ..config() }).0;
    assert!(alone != other);
}

#[test]
fn every_optimiser_and_schedule_learns() {
    for (optimizer, lr) in [
        (OptimizerKind::Sgd, 0.05),
        (OptimizerKind::Adam, 0.01),
        (OptimizerKind::AdamW, 0.01),
        (OptimizerKind::RmsProp, 0.003),
    ] {
        for schedule in [Schedule::Constant, Schedule::Cosine, Schedule::Step, Schedule::OneCycle, Schedule::Plateau] {
            let config = Config {
                epochs: 8,
                batch: 8,
                optimizer,
                schedule,
                lr,
                momentum: if optimizer == OptimizerKind::Sgd { 0.9 } else { 0.0 },
                ..Config::default()
            };
            let (_, summary) = run(None, &[], &config);
            assert!(summary.evaluation.accuracy() > 0.9, "{optimizer}, {schedule}: {:?}", summary.history);
        }
    }
}

#[test]
fn accumulated_batches_are_one_large_one() {
    // Without batch normalisation, whose statistics are those of a batch.
    cnn! { struct Plain: [1, 8, 8] -> [3] { conv(4, kernel = 3); relu; flatten; linear(3); } }
    let train = |batch, accumulate| {
        let mut net = Cpu::seed_from_u64(1).build_module::<Plain, f32>();
        let config = Config { epochs: 1, batch, accumulate, ..Config::default() };
        Trainer::new(&mut net, &Cpu::default()).config(config).train(&split()).unwrap();
        named_tensors(&net).unwrap().into_iter().flat_map(|tensor| tensor.values).collect::<Vec<f32>>()
    };
    let error = train(32, 1).into_iter().zip(train(8, 4)).fold(0.0_f32, |max, (a, b)| max.max((a - b).abs()));
    assert!(error < 1e-5, "{error}");
}

#[test]
fn frozen_layers_keep_their_values_and_statistics() {
    let mut net = network();
    let before = named_tensors(&net).unwrap();
    let config = Config { epochs: 1, freeze: vec!["conv".into(), "norm.*".into()], ..config() };
    Trainer::new(&mut net, &Cpu::default()).config(config).train(&split()).unwrap();
    for (before, after) in before.iter().zip(named_tensors(&net).unwrap()) {
        assert_eq!(before.values == after.values, !before.name.starts_with("fc"), "{}", before.name);
    }
}

#[test]
fn a_run_ends_early_where_nothing_improves() {
    let config = Config { epochs: 50, lr: 1e-12, early_stop: Some(3), ema: None, ..config() };
    let (_, summary) = run(None, &[], &config);
    assert!(summary.history.len() < 10, "{} epochs", summary.history.len());
    // A run that was ended so does not begin again.
    let folder = tempfile::tempdir().unwrap();
    let once = run(Some(folder.path()), &[], &config);
    let again = run(Some(folder.path()), &[], &config);
    assert!(once.0 == again.0 && again.1.history == once.1.history, "{} epochs", again.1.history.len());
}

#[test]
fn what_is_not_finite_stops_the_run_within_a_step_and_names_the_layer() {
    let folder = tempfile::tempdir().unwrap();
    let diverged = |spoil: &dyn Fn(&mut Built), lr| {
        let mut net = network();
        spoil(&mut net);
        let config = Config { lr, clip_norm: None, ..config() };
        Trainer::new(&mut net, &Cpu::default()).config(config).folder(folder.path()).train(&split()).unwrap_err()
    };
    let nan = |name: &'static str, len: usize| {
        move |net: &mut Built| {
            let mut values = vec![0.1; len];
            values[len / 2] = f32::NAN;
            convnet::net::set_named_tensors(net, &[(name.to_string(), values)]);
        }
    };
    let error = diverged(&nan("fc.bias", 3), 0.01).to_string();
    assert!(error.contains("epoch 1, step 1: training has diverged, first at `fc.bias`, a parameter"), "{error}");
    let error = diverged(&nan("conv.weight", 36), 0.01).to_string();
    assert!(error.contains("first at `conv.weight`"), "{error}");
    // Running statistics are used in evaluation only.
    let error = diverged(&nan("norm.running_mean", 4), 0.01).to_string();
    assert!(error.contains("the test loss is NaN in epoch 1"), "{error}");
    assert!(error.contains("first at `norm.running_mean`, a parameter"), "{error}");
    let error = diverged(&|_| {}, 1e30);
    assert!(matches!(error, TrainError::Diverged { epoch: 1, .. }), "{error}");
    assert!(error.to_string().contains("try a lower learning rate"), "{error}");
    // None of these has left a checkpoint.
    assert!(RunFolder::open(folder.path()).unwrap().checkpoints().unwrap().is_empty());
}

#[test]
fn a_damaged_checkpoint_is_passed_over_and_the_one_before_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, _) = run(None, &[], &config());
    let config = Config { checkpoint_every: 1, keep: 3, ..config() };
    run(Some(folder.path()), &[], &config);
    let checkpoints = RunFolder::open(folder.path()).unwrap().checkpoints().unwrap();
    assert_eq!(checkpoints.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [13, 14, 15]);
    for (_, path) in &checkpoints[1..] {
        let mut bytes = std::fs::read(path).unwrap();
        // Of the numbers, which are at the end; the header before them is text, of which a bit may make no header at all.
        *bytes.last_mut().unwrap() ^= 16;
        std::fs::write(path, bytes).unwrap();
    }
    let mut notes = Vec::new();
    let mut net = network();
    let listen = |event: Event<'_>, _: &Run<'_>| {
        if let Event::Note(note) = event {
            notes.push(note.to_string());
        }
        Ok(Flow::Continue)
    };
    let trainer = Trainer::new(&mut net, &Cpu::default()).config(config).folder(folder.path()).resume();
    trainer.callback(listen).train(&split()).unwrap();
    assert!(bits(&net) == whole);
    assert_eq!(notes.len(), 3, "{notes:?}");
    assert!(notes[0].contains("step-000000015") && notes[0].contains("damaged"), "{notes:?}");
    assert!(notes[2].contains("after step 13"), "{notes:?}");
}

#[test]
fn another_run_is_not_continued() {
    let folder = tempfile::tempdir().unwrap();
    run(Some(folder.path()), &[4], &Config { epochs: 3, ..config() }.clone());
    let error = |config: Config, data: &Split| {
        let mut net = network();
        let trainer = Trainer::new(&mut net, &Cpu::default()).config(config).folder(folder.path()).resume();
        trainer.train(data).unwrap_err().to_string()
    };
    let changed = error(Config { lr: 0.5, workers: Some(1), ..config() }, &split());
    assert!(changed.contains("lr was 0.01 and is now 0.5") && !changed.contains("workers"), "{changed}");
    let smaller = Split { train: stripes(60), test: stripes(21) }.shared();
    let fewer = error(config(), &smaller);
    assert!(fewer.contains("70 training images and 21 test images, not 60 training images"), "{fewer}");
}

/// A dataset that fails for some images.
struct Flaky(Images, fn(usize) -> bool, bool);

impl Dataset for Flaky {
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
        match (self.1)(i) {
            true if self.2 => panic!("image {i} makes the reader panic"),
            true => Err(DataError::Image { path: format!("{i}.png").into(), problem: "is torn".into() }),
            false => self.0.image(i),
        }
    }
}

#[test]
fn images_that_cannot_be_read_stop_a_run_or_are_left_out() {
    let train = |on_bad: OnBad, bad: fn(usize) -> bool, panics, workers| {
        let data =
            Split { train: Arc::new(Flaky(stripes(70), bad, panics)) as Arc<dyn Dataset>, test: Arc::new(stripes(21)) };
        let config =
            Config { on_bad, workers: Some(workers), normalisation: NormalisationKind::None, epochs: 2, ..config() };
        Trainer::new(&mut network(), &Cpu::default()).config(config).train(&data)
    };
    for workers in [0, 1, 3] {
        let error = train(OnBad::Stop, |i| i == 33, false, workers).unwrap_err().to_string();
        assert_eq!(error, "33.png: is torn");
        let error = train(OnBad::Stop, |i| i == 33, true, workers).unwrap_err().to_string();
        assert!(error.contains("image 33") && error.contains("makes the reader panic"), "{error}");
        assert_eq!(train(OnBad::Skip, |i| i % 10 == 3, false, workers).unwrap().skipped, 7);
        // Whole batches may be missing.
        assert_eq!(train(OnBad::Skip, |i| i != 5, true, workers).unwrap().skipped, 69);
    }
}

#[test]
fn data_that_does_not_fit_is_refused() {
    let error = |data: Split| {
        let mut net = network();
        Trainer::new(&mut net, &Cpu::default()).config(config()).train(&data).unwrap_err().to_string()
    };
    let mut four = stripes(20);
    four.classes.push("dots".into());
    assert_eq!(
        error(Split { train: four, test: stripes(9) }.shared()),
        "the training set has 4 classes, but Net has 3 outputs"
    );
    assert_eq!(error(Split { train: stripes(20), test: stripes(0) }.shared()), "the test set is empty");
}

#[test]
fn probes_leave_the_network_as_it_was() {
    let mut net = network();
    let before = bits(&net);
    let mut learner = convnet::train::NetworkLearner::new(&mut net, Cpu::default());
    let plain = Config { batch: 8, optimizer: OptimizerKind::Adam, lr: 0.01, momentum: 0.0, ..Config::default() };
    let (probes, steepest) = find_lr(&mut *learner, &split(), &plain, 60).unwrap();
    let steepest = steepest.unwrap();
    assert!(probes.len() > 20 && (1e-3..5.0).contains(&steepest), "{steepest}: {probes:?}");
    let steps = overfit(&mut *learner, &split(), &plain, 500, 0.05).unwrap();
    assert!(steps.last().unwrap().loss < 0.05, "{:?}", steps.last());
    drop(learner);
    assert!(bits(&net) == before);
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error_before_training() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("taken");
    std::fs::write(&file, "").unwrap();
    let error = Trainer::new(&mut network(), &Cpu::default()).folder(&file).train(&split()).unwrap_err();
    assert!(error.to_string().contains("cannot write") && error.to_string().contains("taken"), "{error}");
}

#[test]
fn a_folder_is_one_run_of_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let start = |resume: bool| {
        let mut net = network();
        let trainer = Trainer::new(&mut net, &Cpu::default()).config(Config { epochs: 1, ..config() }).folder(path);
        let trainer = if resume { trainer.resume() } else { trainer };
        trainer.train(&split()).map(|_| ()).map_err(|error| error.to_string())
    };
    let lock = RunFolder::open(path).unwrap().lock().unwrap();
    assert!(lock.holds());
    // Of a process that is writing, and of one that is not there any more.
    let writing = path.join("checkpoints/step-000000001.safetensors.1.tmp");
    std::fs::write(&writing, "").unwrap();
    for resume in [false, true] {
        let error = start(resume).unwrap_err();
        assert!(error.contains("another process is training in") && error.contains(path.to_str().unwrap()), "{error}");
    }
    assert!(writing.exists() && !path.join("config.toml").exists(), "the other process was disturbed");
    drop(lock);
    std::fs::write(path.join("notes.tmp"), "the user's").unwrap();
    start(false).unwrap();
    assert!(!writing.exists() && path.join("notes.tmp").exists());
    let error = start(false).unwrap_err();
    assert!(error.contains("holds a run already; go on with it (`resume`)"), "{error}");
    start(true).unwrap();
}

/// A dataset of which one image does not come before its gate is opened.
struct Slow(Images, Arc<(std::sync::Mutex<bool>, std::sync::Condvar)>);

impl Dataset for Slow {
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
        if i == 33 {
            drop(self.1.1.wait_while(self.1.0.lock().unwrap(), |open| !*open).unwrap());
        }
        self.0.image(i)
    }
}

#[test]
fn a_run_that_waits_for_an_image_can_be_stopped_and_goes_on() {
    let (whole, _) = run(None, &[], &Config { normalisation: NormalisationKind::None, ..config() });
    let config = Config { workers: Some(2), normalisation: NormalisationKind::None, ..config() };
    let folder = tempfile::tempdir().unwrap();
    let gate = Arc::<(std::sync::Mutex<bool>, std::sync::Condvar)>::default();
    let train = |stop: Arc<AtomicBool>| {
        let data =
            Split { train: Arc::new(Slow(stripes(70), gate.clone())) as Arc<dyn Dataset>, test: Arc::new(stripes(21)) };
        let mut net = network();
        let trainer = Trainer::new(&mut net, &Cpu::default()).config(config.clone()).folder(folder.path()).resume();
        trainer.stop_when(stop).train(&data).map(|_| bits(&net))
    };
    let stop = Arc::new(AtomicBool::new(false));
    let (flag, ended) = (stop.clone(), Arc::new(AtomicBool::new(false)));
    let watch = ended.clone();
    let gate_of_watch = gate.clone();
    let watchman = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(300));
        flag.store(true, Ordering::Relaxed);
        // Without the stop it would wait for ever; then the gate opens, and the test fails.
        for _ in 0..300 {
            std::thread::sleep(std::time::Duration::from_millis(100));
            if watch.load(Ordering::Relaxed) {
                return true;
            }
        }
        *gate_of_watch.0.lock().unwrap() = true;
        gate_of_watch.1.notify_all();
        false
    });
    let error = train(stop).unwrap_err();
    ended.store(true, Ordering::Relaxed);
    assert!(watchman.join().unwrap(), "it waited for the image");
    assert!(matches!(error, TrainError::Interrupted { step, .. } if step < 5), "{error}");
    *gate.0.lock().unwrap() = true;
    gate.1.notify_all();
    assert!(train(Arc::default()).unwrap() == whole);
}
