//! `convnet parity`

use crate::common::{self, Outcome, RunOn, print, say};
use crate::golden::{Golden, Values, fill, unit};
use convnet::backend::Backend;
use convnet::dfdx::prelude::*;
use convnet::net::{Map, Pass, State, params, set_params};
use convnet::portable;
use convnet_models::{Model, WithModel, with_model};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Largest error of logits, relative to the largest logit.
const LOGITS: f64 = 1e-4;
/// Largest error of a gradient, relative to its norm, or to a thousandth of the largest norm.
const GRADIENTS: f64 = 1e-3;

#[derive(clap::Args)]
#[command(after_help = "Example:\n  convnet parity tests/golden/lenet5.json")]
pub struct Arguments {
    /// Golden files
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    on: RunOn,
}

/// The errors of one executor in one mode.
#[derive(Debug, Serialize)]
struct Comparison {
    file: PathBuf,
    model: String,
    executor: &'static str,
    mode: &'static str,
    logits: f64,
    loss: f64,
    input_gradient: Option<f64>,
    gradients: f64,
    worst_gradient: String,
    buffers: Option<f64>,
    passed: bool,
}

pub fn run(arguments: Arguments) -> Outcome {
    arguments.on.prepare()?;
    let mut comparisons = Vec::new();
    let mut unreadable = 0;
    for file in &arguments.files {
        match compare(file) {
            Ok(found) => {
                for comparison in &found {
                    if !arguments.json {
                        print(&text(comparison))?;
                    }
                }
                comparisons.extend(found);
            }
            Err(error) => {
                unreadable += 1;
                say(&format!("error: {}: {error}", file.display()))?;
            }
        }
    }
    if arguments.json {
        common::print_json(&comparisons)?;
    }
    let failed = comparisons.iter().filter(|comparison| !comparison.passed).count();
    match failed + unreadable {
        0 => Ok(()),
        _ => Err(format!("{failed} comparisons failed, {unreadable} files could not be compared").into()),
    }
}

fn text(c: &Comparison) -> String {
    let optional = |value: Option<f64>| value.map_or("-".to_string(), |value| format!("{value:.1e}"));
    format!(
        "{} {} {:8} {:5} logits {:.1e}  loss {:.1e}  input gradient {}  gradients {:.1e} ({})  buffers {}",
        if c.passed { "ok  " } else { "FAIL" },
        c.model,
        c.executor,
        c.mode,
        c.logits,
        c.loss,
        optional(c.input_gradient),
        c.gradients,
        c.worst_gradient,
        optional(c.buffers),
    )
}

fn compare(file: &Path) -> Result<Vec<Comparison>, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string(file)?;
    let golden: Golden = serde_json::from_str(&text).map_err(|error| format!("not a golden file: {error}"))?;
    let model = golden.model.clone();
    with_model(&model, Task { file: file.to_owned(), golden })?
}

struct Task {
    file: PathBuf,
    golden: Golden,
}

impl WithModel for Task {
    type Output = Result<Vec<Comparison>, Box<dyn std::error::Error>>;

    fn run<N: Model>(self, _: &'static str) -> Self::Output {
        let Task { file, golden } = self;
        let graph = N::GRAPH;
        for param in graph.params {
            match golden.keys.get(param.name) {
                None => return Err(format!("the file has no key `{}`, which {} has", param.name, graph.name).into()),
                Some(shape) if shape != param.shape => {
                    return Err(format!("`{}` is {shape:?} in the file and {:?} here", param.name, param.shape).into());
                }
                Some(_) => {}
            }
        }
        if let Some(key) = golden.keys.keys().find(|key| graph.params.iter().all(|param| param.name != **key)) {
            return Err(format!("{} has no parameter `{key}`, which the file has", graph.name).into());
        }
        if golden.input_shape[1..] != graph.input().chw() {
            return Err(
                format!("the input is {:?} in the file and {} here", &golden.input_shape[1..], graph.input()).into()
            );
        }
        let device = Cpu::default();
        let mut net = <N::On<Cpu> as BuildOnDevice<Cpu, f32>>::try_build_on_device(&device)?;
        let values: Vec<_> = graph.params.iter().map(|param| fill(graph, param, golden.seed)).enumerate().collect();
        set_params(&mut net, &values);
        let mut comparisons = Vec::new();
        for executor in ["engine", "portable"] {
            for (mode, values) in [("eval", &golden.eval), ("train", &golden.train)] {
                let found = passes::<N>(&net, &golden, executor, mode == "train")?;
                comparisons.push(found.judge(&file, &golden.model, executor, mode, values));
            }
        }
        Ok(comparisons)
    }
}

/// What an executor computed.
struct Found {
    logits: Vec<f32>,
    classes: usize,
    loss: f64,
    input_gradient: Vec<f32>,
    gradients: BTreeMap<&'static str, Vec<f32>>,
    buffers: BTreeMap<&'static str, Vec<f32>>,
}

fn passes<N: Model>(
    net: &N::On<Cpu>,
    golden: &Golden,
    executor: &str,
    training: bool,
) -> Result<Found, Box<dyn std::error::Error>> {
    let graph = N::GRAPH;
    let device = Cpu::default();
    let [n, c, h, w] = golden.input_shape;
    let classes = graph.output_shape().len();
    let x: Map<f32, Cpu> = device.try_tensor_from_vec(unit("input", golden.seed, n * c * h * w), (n, c, h, w))?;
    let mut targets = vec![0.0; n * classes];
    for (row, target) in golden.targets.iter().enumerate().take(n) {
        if let Some(place) = targets.get_mut(row * classes + target) {
            *place = 1.0;
        }
    }
    let targets = device.try_tensor_from_vec(targets, (n, classes))?;
    let parameters = params(net);
    let pass = Pass { training, dropout: None, input_grad: true };
    let traced = x.clone().traced(Gradients::leaky());
    let outcome = match executor {
        "engine" => <Cpu as Backend<f32>>::run(graph, &State::default(), parameters.clone(), traced, pass)?,
        _ => portable::run(graph, parameters.clone(), traced, pass)?,
    };
    let logits = outcome.output.try_reshape_like(&(n, classes))?;
    let values = logits.as_vec();
    let loss = cross_entropy_with_logits_loss(logits, targets);
    let loss_value = f64::from(loss.as_vec().first().copied().unwrap_or(f32::NAN));
    let gradients = loss.try_backward()?;
    let trained = graph.params.iter().zip(&parameters).filter(|(param, _)| param.trainable);
    Ok(Found {
        logits: values,
        classes,
        loss: loss_value,
        input_gradient: gradients.get(&x).as_vec(),
        gradients: trained.map(|(param, tensor)| (param.name, gradients.get(tensor).as_vec())).collect(),
        buffers: outcome.running.into_iter().map(|(index, values)| (graph.params[index].name, values)).collect(),
    })
}

fn norm(values: &[f32]) -> f64 {
    values.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt()
}

fn sum(values: &[f32]) -> f64 {
    values.iter().map(|x| f64::from(*x)).sum()
}

/// The larger of two errors; a NaN is the largest.
fn worse(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

impl Found {
    fn judge(&self, file: &Path, model: &str, executor: &'static str, mode: &'static str, want: &Values) -> Comparison {
        let mut gradients = 0.0_f64;
        let mut worst_gradient = String::new();
        // A gradient that is zero in exact arithmetic, as that of a bias before a batch norm, keeps the rounding of its
        // terms; it is compared with the others.
        let largest = want.grads.values().map(|gradient| gradient.l2).fold(0.0, f64::max);
        for (name, want) in &want.grads {
            let error = self.gradients.get(name.as_str()).map_or(f64::NAN, |found| {
                let scale = want.l2.max(1e-3 * largest).max(f64::MIN_POSITIVE);
                let elements = want.at.iter().map(|(i, want)| found.get(*i).map_or(f64::NAN, |x| f64::from(*x) - want));
                // A sum of n elements may be off by as much as sqrt(n) times the norm's error.
                let sum_error = (sum(found) - want.sum) / (found.len() as f64).sqrt();
                elements.chain([norm(found) - want.l2, sum_error]).map(|e| e.abs() / scale).fold(0.0, worse)
            });
            if error.is_nan() || error > gradients {
                worst_gradient = name.clone();
            }
            gradients = worse(gradients, error);
        }
        let input_gradient = want.input_grad_l2.map(|l2| {
            let sum_error = want.input_grad_sum.map_or(0.0, |want| sum(&self.input_gradient) - want);
            let sum_error = sum_error / (self.input_gradient.len() as f64).sqrt();
            worse((norm(&self.input_gradient) - l2).abs() / l2, sum_error.abs() / l2)
        });
        let buffers = want.buffers_l2_after.iter().map(|(name, l2)| {
            let found = self.buffers.get(name.as_str()).map_or(f64::NAN, |values| norm(values));
            (found - l2).abs() / l2.max(f64::MIN_POSITIVE)
        });
        let buffers = buffers.reduce(worse);
        let logits = self.logits_error(want);
        let loss = (self.loss - want.loss).abs() / want.loss.abs().max(f64::MIN_POSITIVE);
        let limits = [(logits, LOGITS), (loss, GRADIENTS), (gradients, GRADIENTS)];
        let optional = [input_gradient, buffers].into_iter().flatten().map(|error| (error, GRADIENTS));
        let passed = limits.into_iter().chain(optional).all(|(error, limit)| error <= limit);
        Comparison {
            file: file.to_owned(),
            model: model.to_owned(),
            executor,
            mode,
            logits,
            loss,
            input_gradient,
            gradients,
            worst_gradient,
            buffers,
            passed,
        }
    }

    /// The largest error of a logit, of their norm and of the class found, relative to the largest logit.
    fn logits_error(&self, want: &Values) -> f64 {
        let mut error = 0.0_f64;
        for (row, found) in self.logits.chunks_exact(self.classes).enumerate() {
            let first = want.logits_first8.get(row).into_iter().flatten();
            let last: &[f64] = want.logits_last2.get(row).map_or(&[], Vec::as_slice);
            let tail = found[self.classes.saturating_sub(last.len())..].iter().zip(last);
            for (found, want) in found.iter().zip(first).chain(tail) {
                error = worse(error, (f64::from(*found) - want).abs());
            }
            let best = (0..self.classes).max_by(|a, b| found[*a].total_cmp(&found[*b]));
            if want.argmax.as_ref().is_some_and(|argmax| argmax.get(row).copied() != best) {
                error = f64::INFINITY;
            }
        }
        let norm_error = want.logits_l2.map_or(0.0, |l2| (norm(&self.logits) - l2).abs());
        worse(error, norm_error) / want.logits_absmax.max(f64::MIN_POSITIVE)
    }
}
