//! `convnet parity`

use crate::common::{self, Outcome, RunOn, print, say};
use crate::golden::{Golden, Gradient, Values, fill, unit};
use convnet::backend::{Backend, padded};
use convnet::dfdx::prelude::*;
use convnet::dfdx::tensor::CpuError;
use convnet::graph::{Graph, Subgraph};
use convnet::net::{self, Job, Map, Outputs, Pass, Real, State};
use convnet::portable;
use convnet::train::{HEAD_WEIGHT, loss};
use convnet::wording::counted;
use convnet_models::find;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Largest error of logits, relative to the largest logit.
const LOGITS: f64 = 1e-4;
/// Largest error of a gradient, relative to its norm, or to a thousandth of the largest norm.
const GRADIENTS: f64 = 1e-3;
/// A gradient of `f32` may also be off by this many times what rounding input and parameters another way changes in it.
const ROUNDINGS: f64 = 4.0;
/// How many other ways are tried.
const NUDGES: u64 = 8;

#[derive(clap::Args)]
#[command(after_help = "Example:\n  convnet parity tests/golden/lenet5.json")]
pub struct Arguments {
    /// Files with golden values, made by tests/golden/golden.py
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// What to compare: engine, portable, or portable in double precision
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["engine", "portable", "double"])]
    executors: Vec<Executor>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    on: RunOn,
}

/// What computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
enum Executor {
    Engine,
    Portable,
    Double,
}

/// The errors of one executor in one mode.
#[derive(Debug, Serialize)]
struct Comparison {
    file: PathBuf,
    model: String,
    executor: Executor,
    mode: &'static str,
    logits: f64,
    loss: f64,
    input_gradient: Option<f64>,
    gradients: f64,
    worst_gradient: String,
    /// What rounding input and parameters another way changes in logits and gradients, where some are beyond the limit.
    rounding: Option<[f64; 2]>,
    buffers: Option<f64>,
    passed: bool,
}

pub fn run(arguments: Arguments) -> Outcome {
    arguments.on.prepare()?;
    let mut comparisons = Vec::new();
    let mut unreadable = 0;
    for file in &arguments.files {
        match compare(file, &arguments.executors) {
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
        _ => Err(format!(
            "{} failed, {} could not be compared",
            counted(failed, "comparison"),
            counted(unreadable, "file")
        )
        .into()),
    }
}

fn text(c: &Comparison) -> String {
    let optional = |value: Option<f64>| value.map_or("-".to_string(), |value| format!("{value:.1e}"));
    let rounding = c.rounding.map_or(String::new(), |[logits, gradients]| {
        format!("  (rounding input and weights another way: logits {logits:.1e}, gradients {gradients:.1e})")
    });
    format!(
        "{} {} {:8} {:5} logits {:.1e}  loss {:.1e}  input gradient {}  gradients {:.1e} ({})  buffers {}{rounding}",
        if c.passed { "ok  " } else { "FAIL" },
        c.model,
        format!("{:?}", c.executor).to_lowercase(),
        c.mode,
        c.logits,
        c.loss,
        optional(c.input_gradient),
        c.gradients,
        c.worst_gradient,
        optional(c.buffers),
    )
}

fn compare(file: &Path, executors: &[Executor]) -> Result<Vec<Comparison>, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string(file)?;
    let golden: Golden = serde_json::from_str(&text).map_err(|error| format!("not a golden file: {error}"))?;
    let graph = find(&golden.model)?.graph;
    for param in &*graph.params {
        match golden.keys.get(&*param.name) {
            None => return Err(format!("the file has no key `{}`, which {} has", param.name, graph.name).into()),
            Some(shape) if *shape != *param.shape => {
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
    let mut comparisons = Vec::new();
    for executor in executors.iter().copied() {
        for (mode, values) in [("eval", &golden.eval), ("train", &golden.train)] {
            let training = mode == "train";
            let run = |nudge: u64| match executor {
                Executor::Double => passes::<f64>(graph, &golden, training, nudge),
                Executor::Engine => passes::<f32>(graph, &golden, training, nudge),
                Executor::Portable => portably(graph, &golden, training, nudge),
            };
            let found = run(0)?;
            let mut comparison = found.judge(file, &golden.model, executor, mode, values);
            let mut nudge = 0;
            while !comparison.passed && executor != Executor::Double && nudge < NUDGES {
                nudge += 1;
                run(nudge)?.excuse(&mut comparison, &found, values);
            }
            comparisons.push(comparison);
        }
    }
    Ok(comparisons)
}
impl Comparison {
    fn holds(&self, logits: f64, gradients: f64) -> bool {
        let optional = [self.input_gradient, self.buffers].into_iter().flatten();
        self.logits <= logits
            && self.gradients <= gradients
            && optional.chain([self.loss]).all(|error| error <= gradients)
    }
}

/// What an executor computed.
struct Computed {
    logits: Vec<f64>,
    classes: usize,
    loss: f64,
    input_gradient: Vec<f64>,
    gradients: BTreeMap<String, Vec<f64>>,
    buffers: BTreeMap<String, Vec<f64>>,
}

type Failure = Box<dyn std::error::Error>;

/// By the executor that the CPU uses for this dtype.
fn passes<E: Real>(graph: &Graph, golden: &Golden, training: bool, nudge: u64) -> Result<Computed, Failure>
where
    Cpu: Backend<E, Err = CpuError>,
{
    measure(graph, golden, training, nudge, |job, tape| <Cpu as Backend<E>>::run(job, &State::default(), Some(tape)))
}

fn portably(graph: &Graph, golden: &Golden, training: bool, nudge: u64) -> Result<Computed, Failure> {
    measure::<f32>(graph, golden, training, nudge, |job, tape| portable::on_tape(job, None, tape))
}

/// Runs `executor` on the golden input and parameters; with a `nudge` above 0, each is off by one rounding.
fn measure<E: Real>(
    graph: &Graph,
    golden: &Golden,
    training: bool,
    nudge: u64,
    executor: impl FnOnce(Job<'_, E, Cpu>, OwnedTape<E, Cpu>) -> Result<net::Outcome<E, Cpu>, CpuError>,
) -> Result<Computed, Failure>
where
    Cpu: Backend<E, Err = CpuError>,
{
    let device = Cpu::default();
    let [n, c, h, w] = golden.input_shape;
    let classes = graph.output_shape().len();
    let number = |x: f32| E::from_f32(x).unwrap_or(E::nan());
    let numbers = |values: Vec<f32>| values.into_iter().map(number).collect::<Vec<E>>();
    let doubles = |values: Vec<E>| values.into_iter().map(|x| x.to_f64().unwrap_or(f64::NAN)).collect::<Vec<f64>>();
    let rounded = |name: &str, mut values: Vec<f32>| {
        if nudge > 0 {
            let signs = unit(name, nudge, values.len());
            values.iter_mut().zip(signs).for_each(|(value, sign)| *value *= 1.0 + (f32::EPSILON / 2.0).copysign(sign));
        }
        numbers(values)
    };
    let pixels = rounded("input", unit("input", golden.seed, n * c * h * w));
    let x: Map<E, Cpu> = device.try_tensor_from_vec(pixels, (n, c, h, w))?;
    let targets = device.try_tensor_from_vec(numbers(one_hot(golden, classes)), (n, classes))?;
    let mut parameters: Vec<Map<E, Cpu>> = Vec::new();
    for param in &*graph.params {
        let values = rounded(&param.name, fill(graph, param, golden.seed));
        parameters.push(device.try_tensor_from_vec(values, padded(param.shape.iter().copied()))?);
    }
    let pass = Pass { training, dropout: None, input_grad: true };
    let (x, tape) = x.traced(Gradients::leaky()).split_tape();
    let part = Subgraph::whole(graph, training);
    let job = Job { graph, part: &part, params: parameters.clone(), inputs: vec![x.clone()], pass, fixed: &[] };
    let outcome = executor(job, tape)?.taped::<OwnedTape<E, Cpu>>();
    let running = outcome.running.clone();
    let heads = vec![HEAD_WEIGHT; part.outputs.len() - 1];
    let (logits, loss) = loss(Outputs::new(outcome), targets, &heads)?;
    let loss_value = doubles(loss.as_vec()).first().copied().unwrap_or(f64::NAN);
    let mut gradients = loss.try_backward()?;
    // Evaluation leaves auxiliary heads out, so nothing is recorded for them.
    parameters.iter().try_for_each(|tensor| gradients.try_alloc_for(tensor))?;
    let trained = graph.params.iter().zip(&parameters).filter(|(param, _)| param.trainable);
    Ok(Computed {
        logits: doubles(logits),
        classes,
        loss: loss_value,
        input_gradient: doubles(gradients.get(&x).as_vec()),
        gradients: trained
            .map(|(param, tensor)| (param.name.to_string(), doubles(gradients.get(tensor).as_vec())))
            .collect(),
        buffers: running
            .into_iter()
            .map(|(index, values)| (graph.params[index].name.to_string(), doubles(values)))
            .collect(),
    })
}

/// The classes of the golden images as probabilities, `[N, classes]`.
fn one_hot(golden: &Golden, classes: usize) -> Vec<f32> {
    let images = golden.input_shape[0];
    let mut targets = vec![0.0; images * classes];
    for (row, target) in golden.targets.iter().enumerate().take(images) {
        if let Some(place) = targets.get_mut(row * classes + target) {
            *place = 1.0;
        }
    }
    targets
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|x| x.powi(2)).sum::<f64>().sqrt()
}

fn largest_change(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, worse)
}

/// What the errors of a gradient are relative to. One that is zero in exact arithmetic, as that of a bias before a batch
/// norm, keeps the rounding of its terms; it is compared with the others.
fn scale(of: &Gradient, all: &Values) -> f64 {
    let largest = all.grads.values().map(|gradient| gradient.l2).fold(0.0, f64::max);
    of.l2.max(1e-3 * largest).max(f64::MIN_POSITIVE)
}

/// The larger of two errors; a NaN is the largest.
fn worse(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

impl Computed {
    /// Whether what is too large in `comparison` is what rounding does: `self` is the same pass with input and parameters
    /// off by one rounding each. In single precision, an activation so close to zero that a rounding changes its
    /// sign switches a path of the gradient on or off; the exact gradient would change as much.
    fn excuse(&self, comparison: &mut Comparison, first: &Computed, want: &Values) {
        let mut gradients = 0.0_f64;
        for (name, gradient) in &want.grads {
            let pair = self.gradients.get(name.as_str()).zip(first.gradients.get(name.as_str()));
            let Some((nudged, plain)) = pair else { continue };
            gradients = worse(gradients, largest_change(nudged, plain) / scale(gradient, want));
        }
        let logits = largest_change(&self.logits, &first.logits) / want.logits_absmax.max(f64::MIN_POSITIVE);
        let [before_logits, before_gradients] = comparison.rounding.unwrap_or_default();
        let rounding = [worse(before_logits, logits), worse(before_gradients, gradients)];
        comparison.rounding = Some(rounding);
        let [logits, gradients] = rounding.map(|change| ROUNDINGS * change);
        comparison.passed = comparison.holds(LOGITS.max(logits), GRADIENTS.max(gradients));
    }

    fn judge(&self, file: &Path, model: &str, executor: Executor, mode: &'static str, want: &Values) -> Comparison {
        let mut gradients = 0.0_f64;
        let mut worst_gradient = String::new();
        for (name, gradient) in &want.grads {
            let error = self.gradients.get(name.as_str()).map_or(f64::NAN, |found| {
                let elements = gradient.at.iter().map(|(i, want)| found.get(*i).map_or(f64::NAN, |x| x - want));
                // A sum of n elements may be off by as much as sqrt(n) times the norm's error.
                let sum_error = (found.iter().sum::<f64>() - gradient.sum) / (found.len() as f64).sqrt();
                let errors = elements.chain([norm(found) - gradient.l2, sum_error]);
                errors.map(|error| error.abs() / scale(gradient, want)).fold(0.0, worse)
            });
            if error.is_nan() || error > gradients {
                worst_gradient = name.clone();
            }
            gradients = worse(gradients, error);
        }
        let input_gradient = want.input_grad_l2.map(|l2| {
            let sum_error = want.input_grad_sum.map_or(0.0, |want| self.input_gradient.iter().sum::<f64>() - want);
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
        let mut comparison = Comparison {
            file: file.to_owned(),
            model: model.to_owned(),
            executor,
            mode,
            logits,
            loss,
            input_gradient,
            gradients,
            worst_gradient,
            rounding: None,
            buffers,
            passed: false,
        };
        comparison.passed = comparison.holds(LOGITS, GRADIENTS);
        comparison
    }

    /// The largest error of a logit and of their norm, and how far the expected class is below the largest logit, relative to the largest logit.
    fn logits_error(&self, want: &Values) -> f64 {
        let mut error = 0.0_f64;
        for (row, found) in self.logits.chunks_exact(self.classes).enumerate() {
            let first = want.logits_first8.get(row).into_iter().flatten();
            let last: &[f64] = want.logits_last2.get(row).map_or(&[], Vec::as_slice);
            let tail = found[self.classes.saturating_sub(last.len())..].iter().zip(last);
            for (found, want) in found.iter().zip(first).chain(tail) {
                error = worse(error, (found - want).abs());
            }
            // Of an enlarged map neighbours at the edge are equal but for rounding, and any of them may be the largest.
            if let Some(argmax) = &want.argmax {
                let largest = found.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let expected = argmax.get(row).and_then(|index| found.get(*index));
                error = worse(error, expected.map_or(f64::INFINITY, |expected| largest - expected));
            }
        }
        let norm_error = want.logits_l2.map_or(0.0, |l2| (norm(&self.logits) - l2).abs());
        worse(error, norm_error) / want.logits_absmax.max(f64::MIN_POSITIVE)
    }
}
