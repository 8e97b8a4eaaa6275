//! Training for all tasks: each is learned, goes on bit for bit after an interruption, and is the same on several ranks as on one.

use convnet::data::{DataError, Dataset, IGNORED, Image, Split, Target, TargetKind};
use convnet::graph::Graph;
use convnet::net::Network;
use convnet::objective::{self, Evaluation, Metric, Objective, Task};
use convnet::prelude::*;
use convnet::train::{CallbackError, Config, Event, Flow, Run, TrainError, Trainer, evaluate_for};
use convnet::weights;
use std::sync::Arc;

const SIDE: usize = 12;

/// A bright square on a dark ground, in one of two sizes, whose place and size follow from the number of the image.
struct Squares(TargetKind, usize);

impl Squares {
    /// Its first row, first column and side.
    fn square(i: usize) -> [usize; 3] {
        let side = 3 + i % 2 * 3;
        [i * 5 % (SIDE - side + 1), i * 7 / 3 % (SIDE - side + 1), side]
    }

    fn at(i: usize) -> impl Fn(usize) -> bool {
        let [top, left, side] = Self::square(i);
        move |at| (top..top + side).contains(&(at / SIDE)) && (left..left + side).contains(&(at % SIDE))
    }
}

impl Dataset for Squares {
    fn len(&self) -> usize {
        self.1
    }

    fn classes(&self) -> &[String] {
        static NAMES: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
        let names = NAMES.get_or_init(|| ["small", "large"].map(String::from).to_vec());
        if self.0 == TargetKind::Nothing { &[] } else { names }
    }

    fn label(&self, i: usize) -> usize {
        i % 2
    }

    fn image(&self, i: usize) -> Result<Image<'_>, DataError> {
        let inside = Self::at(i);
        let pixels: Vec<u8> =
            (0..SIDE * SIDE).map(|at| if inside(at) { 200 } else { 20 + (at * 31 + i) as u8 % 20 }).collect();
        Ok(Image { shape: [1, SIDE, SIDE], pixels: pixels.into() })
    }

    fn in_memory(&self) -> bool {
        true
    }

    fn target_kind(&self) -> TargetKind {
        self.0
    }

    fn target(&self, i: usize) -> Result<Target<'_>, DataError> {
        let [top, left, side] = Self::square(i);
        let inside = Self::at(i);
        Ok(match self.0 {
            TargetKind::Class => Target::Class(i % 2),
            TargetKind::Labels => Target::Labels(vec![top < 3, left < 3].into()),
            TargetKind::Mask => {
                let class = |at: usize| if at == 0 { IGNORED } else { u8::from(inside(at)) };
                Target::Mask(Image {
                    shape: [1, SIDE, SIDE],
                    pixels: (0..SIDE * SIDE).map(class).collect::<Vec<u8>>().into(),
                })
            }
            TargetKind::Numbers => Target::Numbers(vec![100.0 + 10.0 * top as f32, side as f32 / 1000.0].into()),
            _ => Target::Nothing,
        })
    }
}

cnn! {
    struct Vector: [1, 12, 12] -> [2] { conv(6, kernel = 3, pad = 1); relu; max_pool(2); flatten; linear(24); relu; linear(2); }

    #[allow(narrow_receptive_field)]
    struct Pixels: [1, 12, 12] -> [2, 12, 12] { conv(6, kernel = 3, pad = 1); relu; conv(2, kernel = 3, pad = 1); }

    struct Back: [1, 12, 12] -> [1, 12, 12] {
        conv(8, kernel = 4, stride = 4); relu;
        conv_transpose(1, kernel = 4, stride = 4);
        sigmoid;
    }
}

fn graph() -> &'static Graph {
    <Vector<f32, Cpu>>::GRAPH
}

fn data(kind: TargetKind) -> Split {
    Split { train: Squares(kind, 90), test: Squares(kind, 41) }.shared()
}

fn config() -> Config {
    let config = Config { epochs: 12, batch: 16, optimizer: "adam".parse().unwrap(), lr: 0.01, ..Config::default() };
    Config { augment: Vec::new(), ema: Some(0.5), workers: Some(0), ..config }
}

/// A network that is trained, its weights, and what came of it.
macro_rules! trained {
    ($net:ident, $kind:expr, $config:expr) => {{
        let dev = Cpu::seed_from_u64(3);
        let mut net = dev.build_module::<$net, f32>();
        let summary = Trainer::new(&mut net, &dev).config($config).train(&data($kind)).unwrap();
        (weights::state_dict(&net).unwrap(), summary, net, dev)
    }};
}

#[test]
fn each_task_is_learned() {
    let check = |evaluation: &Evaluation, name: &str, least: f64| {
        let (metric, value) = evaluation.metrics[0];
        assert_eq!(metric.name, name);
        let good = if metric.higher_is_better { value > least } else { value < least };
        assert!(good, "{name}: {value}");
    };
    check(&trained!(Vector, TargetKind::Class, config()).1.evaluation, "accuracy", 0.95);
    check(&trained!(Vector, TargetKind::Labels, config()).1.evaluation, "mean_ap", 0.95);
    check(&trained!(Vector, TargetKind::Numbers, config()).1.evaluation, "mae", 8.0);
    check(&trained!(Pixels, TargetKind::Mask, config()).1.evaluation, "mean_iou", 0.9);
    // A network without a code that is worth its name: the mean of all images has 11 dB.
    let longer = Config { epochs: 60, lr: 0.02, ..config() };
    check(&trained!(Back, TargetKind::Nothing, longer).1.evaluation, "psnr", 14.0);
    for loss in ["dice", "cross-entropy+dice", "focal"] {
        let config = Config { loss: loss.parse().unwrap(), ..config() };
        check(&trained!(Pixels, TargetKind::Mask, config).1.evaluation, "mean_iou", 0.85);
    }
}

#[test]
fn weights_say_how_answers_are_read() {
    let (_, summary, mut net, dev) = trained!(Vector, TargetKind::Numbers, config());
    let about = &summary.metadata;
    let std = &summary.pipeline.preparation.normalisation.std;
    let (task, objective) = objective::of_weights(about, graph(), std).unwrap();
    assert_eq!(task, Task::Numbers);
    let data = data(TargetKind::Numbers);
    let again = evaluate_for(&*objective, &mut net, &dev, &data.test, summary.pipeline.clone()).unwrap();
    assert_eq!(again, summary.evaluation);
    let mut broken = about.clone();
    broken.insert("numbers_std".into(), "1,0".into());
    let error = objective::of_weights(&broken, graph(), std).map(|_| ()).unwrap_err().to_string();
    assert_eq!(error, "the metadata says numbers_std = `1,0`; expected 2 numbers between commas");
    broken.insert("task".into(), "poetry".into());
    let error = objective::of_weights(&broken, graph(), std).map(|_| ()).unwrap_err().to_string();
    assert_eq!(
        error,
        "the metadata says task = `poetry`; expected one of classes, multi-label, masks, numbers, itself"
    );
}

#[test]
fn a_run_that_was_interrupted_goes_on_as_if_it_had_not_been() {
    macro_rules! goes_on {
        ($net:ident, $kind:expr) => {{
            let config = || Config { epochs: 4, augment: vec!["crop(pad = 1)".parse().unwrap()], ..config() };
            let (whole, ..) = trained!($net, $kind, config());
            let folder = tempfile::tempdir().unwrap();
            let dev = Cpu::seed_from_u64(3);
            let mut net = dev.build_module::<$net, f32>();
            let stop: Arc<std::sync::atomic::AtomicBool> = Arc::default();
            let flag = stop.clone();
            let ends = move |event: Event<'_>, run: &Run<'_>| -> Result<Flow, CallbackError> {
                let middle = matches!(event, Event::Step(_)) && run.progress.step == 9;
                flag.fetch_or(middle, std::sync::atomic::Ordering::Relaxed);
                Ok(Flow::Continue)
            };
            let trainer = Trainer::new(&mut net, &dev).config(config()).folder(folder.path());
            let error = trainer.stop_when(stop).callback(ends).train(&data($kind)).unwrap_err();
            assert!(matches!(error, TrainError::Interrupted { step: 9, .. }), "{error}");
            let mut net = Cpu::seed_from_u64(77).build_module::<$net, f32>();
            let trainer = Trainer::new(&mut net, &dev).config(config()).folder(folder.path()).resume();
            trainer.train(&data($kind)).unwrap();
            assert_eq!(weights::state_dict(&net).unwrap().entries, whole.entries, "{:?}", $kind);
        }};
    }
    goes_on!(Vector, TargetKind::Labels);
    goes_on!(Vector, TargetKind::Numbers);
    goes_on!(Pixels, TargetKind::Mask);
    goes_on!(Back, TargetKind::Nothing);
}

#[test]
fn the_epoch_that_is_kept_and_the_end_follow_the_metric_that_is_monitored() {
    let config = Config { monitor: Some("mean_dice".into()), early_stop: Some(2), lr: 1e-9, ..config() };
    let (_, summary, ..) = trained!(Pixels, TargetKind::Mask, config.clone());
    assert!(summary.history.len() < 12, "{} epochs", summary.history.len());
    assert!(summary.history.iter().all(|epoch| epoch.metric("test_mean_dice").is_finite()));
    let dev = Cpu::seed_from_u64(3);
    let mut net = dev.build_module::<Pixels, f32>();
    let config = Config { monitor: Some("accuracy".into()), ..config };
    let error = Trainer::new(&mut net, &dev).config(config).train(&data(TargetKind::Mask)).unwrap_err().to_string();
    assert!(
        error.starts_with("monitor is `accuracy`; it must be mean_iou, mean_dice, pixel_accuracy or loss"),
        "{error}"
    );
}

/// The absolute error of the first number alone.
struct First;

impl Objective for First {
    fn name(&self) -> &str {
        "first"
    }

    fn loss(&self, output: &[f64], target: &[f32], gradient: &mut [f64]) -> f64 {
        let off = output[0] - f64::from(target[0]) / 100.0;
        gradient.fill(0.0);
        gradient[0] = off.signum();
        off.abs()
    }

    fn metrics(&self) -> Vec<Metric> {
        vec![Metric::lower("off", "absolute error")]
    }

    fn score(&self, output: &[f64], target: &[f32]) -> f64 {
        (output[0] - f64::from(target[0]) / 100.0).abs()
    }
}

#[test]
fn an_objective_of_ones_own_is_trained_and_measured() {
    let dev = Cpu::seed_from_u64(3);
    let mut net = dev.build_module::<Vector, f32>();
    let trainer = Trainer::new(&mut net, &dev).config(config()).objective(First);
    let summary = trainer.train(&data(TargetKind::Numbers)).unwrap();
    assert!(summary.evaluation.metric("off") < 0.15, "{:?}", summary.evaluation.metrics);
    assert_eq!(summary.metadata["task"], "first");
    assert!(summary.history[0].metric("off").is_finite());
}
