//! Losses with their gradients, and metrics, against PyTorch and torchmetrics (`golden/objectives.py`), and gradients against finite differences.

use convnet::data::{DataError, Dataset, IGNORED, Image, Target, TargetKind};
use convnet::graph::{Graph, Shape};
use convnet::net::Network;
use convnet::objective::{Objective, Options, Task, choose};
use convnet::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Deserialize)]
struct Case {
    task: String,
    shape: Vec<usize>,
    outputs: Vec<Vec<f64>>,
    targets: Vec<Vec<f64>>,
    loss: f64,
    gradient: Vec<Vec<f64>>,
    metrics: BTreeMap<String, f64>,
    loss_word: String,
    #[serde(default)]
    smoothing: f64,
    #[serde(default)]
    weights: Vec<f64>,
    #[serde(default)]
    ignore: Option<usize>,
    #[serde(default)]
    std: Vec<f32>,
}

/// Targets without images.
struct Told {
    kind: TargetKind,
    names: Vec<String>,
    rows: Vec<Vec<f32>>,
}

impl Dataset for Told {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn classes(&self) -> &[String] {
        &self.names
    }

    fn label(&self, _: usize) -> usize {
        0
    }

    fn image(&self, _: usize) -> Result<Image<'_>, DataError> {
        unreachable!("nobody asks for images")
    }

    fn target_kind(&self) -> TargetKind {
        self.kind
    }

    fn target(&self, i: usize) -> Result<Target<'_>, DataError> {
        Ok(match self.kind {
            TargetKind::Numbers => Target::Numbers((&self.rows[i]).into()),
            _ => Target::Nothing,
        })
    }
}

cnn! { struct Any: [1, 2, 2] -> [1] { flatten; linear(1); } }

/// A graph with this input and output, of which nothing else is looked at.
fn graph(input: Shape, output: Shape) -> Graph {
    let mut graph = <Any<f32, Cpu>>::GRAPH.clone();
    let last = graph.output();
    let nodes = graph.nodes.to_mut();
    nodes[0].shape = input;
    nodes[last].shape = output;
    graph
}

impl Case {
    fn objective(&self) -> Arc<dyn Objective> {
        let task: Task = self.task.parse().unwrap();
        let kind = task.target_kind().unwrap_or(TargetKind::Nothing);
        let output = match self.shape[..] {
            [n] => Shape::Vector(n),
            [c, h, w] => Shape::Map([c, h, w]),
            _ => panic!("{:?}", self.shape),
        };
        let input = match output {
            Shape::Map([_, h, w]) if task == Task::Masks => Shape::Map([3, h, w]),
            Shape::Map(shape) => Shape::Map(shape),
            Shape::Vector(_) => Shape::Map([1, 2, 2]),
        };
        let names = (0..self.shape[0]).map(|class| class.to_string()).collect();
        let data = Told { kind, names, rows: self.targets() };
        let options = Options {
            task,
            loss: self.loss_word.parse().unwrap(),
            smoothing: self.smoothing,
            weights: self.weights.clone(),
            ignore: self.ignore,
            std: self.std.clone(),
        };
        choose(&options, &data, &graph(input, output)).unwrap()
    }

    fn targets(&self) -> Vec<Vec<f32>> {
        self.targets.iter().map(|row| row.iter().map(|x| *x as f32).collect()).collect()
    }
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("golden/objectives.json")).unwrap()
}

fn close(found: f64, expected: f64, what: &str) {
    assert!((found - expected).abs() <= 1e-6 * expected.abs().max(1.0), "{what}: {found}, expected {expected}");
}

#[test]
fn losses_and_gradients_are_those_of_pytorch() {
    for (number, case) in cases().iter().enumerate() {
        let (objective, targets) = (case.objective(), case.targets());
        let what = format!("case {number}, {} by {}", case.task, case.loss_word);
        let total: f64 = targets.iter().map(|target| objective.weight(target)).sum();
        let mut sum = 0.0;
        for ((output, target), expected) in case.outputs.iter().zip(&targets).zip(&case.gradient) {
            let mut gradient = vec![f64::NAN; output.len()];
            sum += objective.loss(output, target, &mut gradient);
            for (found, expected) in gradient.iter().zip(expected) {
                assert!((found / total - expected).abs() < 1e-6, "{what}: {} {expected}", found / total);
            }
        }
        close(sum / total, case.loss, &what);
    }
}

#[test]
fn gradients_are_finite_differences() {
    for (number, case) in cases().iter().enumerate() {
        let (objective, targets) = (case.objective(), case.targets());
        let (output, target) = (&case.outputs[0], &targets[0]);
        let loss = |output: &[f64]| objective.loss(output, target, &mut vec![0.0; output.len()]);
        let mut gradient = vec![0.0; output.len()];
        objective.loss(output, target, &mut gradient);
        for (i, slope) in gradient.iter().enumerate() {
            let step = 1e-5;
            let moved = |by: f64| {
                let mut output = output.clone();
                output[i] += by;
                loss(&output)
            };
            let found = (moved(step) - moved(-step)) / (2.0 * step);
            assert!((found - slope).abs() < 1e-6, "case {number}, {}, {i}: {found} {slope}", case.task);
        }
    }
}

#[test]
fn metrics_are_those_of_torchmetrics() {
    for (number, case) in cases().iter().enumerate() {
        let (objective, targets) = (case.objective(), case.targets());
        let mut meter = objective.meter();
        for (index, (output, target)) in case.outputs.iter().zip(&targets).enumerate() {
            meter.add(index, output, target, objective.test_loss(output, target)[0]);
        }
        let (metrics, _) = meter.finish();
        let names: Vec<&str> = metrics.iter().map(|(metric, _)| metric.name).collect();
        assert_eq!(names, objective.metrics().iter().map(|metric| metric.name).collect::<Vec<_>>());
        assert_eq!(names.len(), case.metrics.len(), "case {number}: {names:?}");
        for (metric, value) in metrics {
            close(value, case.metrics[metric.name], &format!("case {number}, {}", metric.name));
        }
    }
}

#[test]
fn ignored_pixels_have_no_part_in_anything() {
    let case = cases().into_iter().find(|case| case.task == "masks").unwrap();
    let objective = case.objective();
    let (output, target) = (&case.outputs[0], vec![f32::from(IGNORED); case.targets[0].len()]);
    let mut gradient = vec![1.0; output.len()];
    assert_eq!((objective.loss(output, &target, &mut gradient), objective.weight(&target)), (0.0, 0.0));
    assert!(gradient.iter().all(|slope| *slope == 0.0));
    let mut meter = objective.meter();
    meter.add(0, output, &target, 0.0);
    assert_eq!(meter.finish().0, []);
}

#[test]
fn what_does_not_go_together_is_one_clear_error() {
    let told = |kind, names: &[&str]| Told { kind, names: names.iter().map(|n| n.to_string()).collect(), rows: vec![] };
    let map = |c| Shape::Map([c, 8, 8]);
    let error = |task: Task, data: &Told, input, output| {
        let options = Options { task, ..Options::default() };
        choose(&options, data, &graph(input, output)).unwrap_err().to_string()
    };
    let masks = told(TargetKind::Mask, &["sky", "tree", "road"]);
    assert_eq!(
        error(Task::Auto, &masks, map(3), map(2)),
        "the data has masks of 3 classes, and Any gives [2, 8, 8]; its last layer must give 3 channels, one for each class, and not 2"
    );
    assert_eq!(
        error(Task::Auto, &masks, map(3), Shape::Map([3, 2, 2])),
        "the data has masks of 3 classes, and Any gives [3, 2, 2]; end it with `upsample(size = [8, 8], bilinear)`, so that each pixel \
         of the input gets its classes"
    );
    assert_eq!(
        error(Task::Numbers, &masks, map(3), Shape::Vector(3)),
        "the task `numbers` needs numbers for each image, and the data has a mask for each image"
    );
    let numbers = told(TargetKind::Numbers, &["x", "y"]);
    assert_eq!(
        error(Task::Auto, &numbers, map(1), Shape::Vector(3)),
        "the data has 2 numbers for each image, and Any gives [3]; it must give [2]"
    );
    let digits = told(TargetKind::Class, &["0", "1"]);
    assert_eq!(
        error(Task::Auto, &digits, map(1), map(4)),
        "the data has 2 classes, and Any gives [4, 8, 8]; it must give [2]"
    );
    // A network that gives images of its input's shape learns its input, whatever else the data has.
    assert_eq!(choose(&Options::default(), &digits, &graph(map(1), map(1))).unwrap().name(), "itself");
    assert_eq!(
        choose(&Options::default(), &told(TargetKind::Nothing, &[]), &graph(map(1), map(1))).unwrap().name(),
        "itself"
    );
    let options = |change: fn(&mut Options)| {
        let mut options = Options::default();
        change(&mut options);
        choose(&options, &numbers, &graph(map(1), Shape::Vector(2))).unwrap_err().to_string()
    };
    assert_eq!(
        options(|o| o.loss = "dice".parse().unwrap()),
        "loss: there is no `dice` for the task `numbers`; it must be mse, mae or huber"
    );
    assert_eq!(
        options(|o| o.smoothing = 0.1),
        "label_smoothing: it has no meaning for the task `numbers`; leave it out"
    );
    assert_eq!(options(|o| o.ignore = Some(1)), "ignore: it has no meaning for the task `numbers`; leave it out");
}
