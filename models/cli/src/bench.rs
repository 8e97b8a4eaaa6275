//! `convnet bench`

use crate::common::{self, Outcome, Precision, RunOn, Task, median, print};
use crate::network::{self, Network, Sizes};
use convnet::backend::Backend;
use convnet::device::DeviceChoice;
use convnet::dfdx::prelude::*;
use convnet::engine::profile;
use convnet::net::{Map, forward, forward_mut, gradients};
use convnet::objective::ObjectiveError;
use convnet::optim::{Method, Optimizer, ParamOptions, Step};
use convnet::predict::Predictor;
use convnet::train::{HEAD_WEIGHT, loss};
use convnet::wording::counted;
use serde::Serialize;
use std::collections::BTreeMap;
use std::error::Error;
use std::time::Instant;

#[derive(clap::Args)]
#[command(after_help = "Example:\n  convnet bench lenet5 --mode train --batch 64 --json")]
pub struct Arguments {
    /// The network: a name that `models` lists, a .cnn file or a weights file
    #[arg(default_value_t = network::usual())]
    model: String,
    #[command(flatten)]
    sizes: Sizes,
    /// What to time: train, a training step (forward, loss, backward and an update by SGD with momentum); infer, the forward pass of
    /// a frozen network; forward, the forward pass of a network whose parameters may have changed
    #[arg(long, default_value = "infer")]
    mode: Mode,
    /// Images in a batch
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch: u32,
    /// Number of timed rounds, whose median is reported
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    repeats: u32,
    /// Keep the weights of linear layers in half precision (with --mode infer and batches up to 4)
    #[arg(long)]
    half: bool,
    /// Show how long each kind of layer takes (on the CPU only)
    #[arg(long)]
    profile: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    on: RunOn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Train,
    Infer,
    Forward,
}

pub fn run(arguments: Arguments) -> Outcome {
    let (network, on) = (Network::find(&arguments.model, &arguments.sizes)?, arguments.on.clone());
    common::run(network, &on, 0, Bench(arguments))
}

struct Bench(Arguments);

#[derive(Serialize)]
struct Report {
    model: String,
    mode: Mode,
    batch: usize,
    device: String,
    threads: usize,
    precision: Precision,
    isa: &'static str,
    rounds: usize,
    calls_per_round: usize,
    median_ms: f64,
    min_ms: f64,
    max_ms: f64,
    images_per_second: f64,
    /// Multiplications and additions a second, as many as the direct algorithms take.
    gflops: f64,
    /// `gflops` as a share of what this machine multiplies and adds at best; more than 1 where an algorithm needs fewer.
    share_of_peak: Option<f64>,
    /// How far logits move by half precision, as a share of the largest one.
    half_error: Option<f32>,
    /// The peak memory of the whole process, in KiB; known on Linux only.
    peak_rss_kb: Option<u64>,
}

impl Task for Bench {
    fn run<D: Backend<f32>>(self, network: Network, device: D, on: DeviceChoice) -> Outcome {
        let Bench(arguments) = self;
        let (mode, batch) = (arguments.mode, arguments.batch as usize);
        let [c, h, w] = network.graph.input().chw();
        let x: Map<f32, D> =
            device.try_sample_like(&(batch, c, h, w), convnet::StandardNormal).map_err(|error| failed(&error))?;
        let (mut half_error, mut peak_rss) = (None, None);
        let timings = match mode {
            Mode::Infer if on == DeviceChoice::Cpu => {
                frozen(&arguments, &network, &x.as_vec(), &mut half_error, &mut peak_rss)?
            }
            Mode::Infer | Mode::Forward => {
                let net = network.build(&device)?;
                let classes = network.graph.output_shape().len();
                measure(&arguments, || {
                    forward(&*net, x.clone(), batch, (batch, classes)).map_err(|error| failed(&error))?;
                    Ok(())
                })?
            }
            Mode::Train => training(&arguments, &network, &device, &x)?,
        };
        let Timings { mut rounds, calls, stages } = timings;
        let median_ms = median(&mut rounds);
        // A training step does about three times the work: forward, gradients of inputs, gradients of weights.
        let passes = if mode == Mode::Train { 3.0 } else { 1.0 };
        let gflops = passes * 2e-6 * network.graph.mac_count() as f64 * batch as f64 / median_ms;
        let peak = 2e-9 * convnet::engine::peak();
        let report = Report {
            model: network.name,
            mode,
            batch,
            device: on.to_string(),
            threads: convnet::engine::threads(),
            precision: arguments.on.precision.unwrap_or_default(),
            isa: convnet::engine::Isa::detect().name(),
            rounds: rounds.len(),
            calls_per_round: calls,
            median_ms,
            min_ms: rounds.iter().copied().fold(f64::INFINITY, f64::min),
            max_ms: rounds.iter().copied().fold(0.0, f64::max),
            images_per_second: batch as f64 / median_ms * 1e3,
            gflops,
            share_of_peak: (on == DeviceChoice::Cpu).then_some(gflops / peak),
            half_error,
            peak_rss_kb: peak_rss.or_else(peak_rss_kb),
        };
        if arguments.json {
            return common::print_json(&report);
        }
        print(&report.text(peak))?;
        print_stages(&stages, peak)
    }
}

fn failed(error: &dyn std::fmt::Debug) -> String {
    format!("the device failed: {error:?}")
}

/// A network frozen for `batch` images on the CPU; also how far half precision moves its logits, if that was asked for, and the largest
/// memory before that is found out.
fn frozen(
    arguments: &Arguments,
    network: &Network,
    images: &[f32],
    half_error: &mut Option<f32>,
    peak_rss: &mut Option<u64>,
) -> Result<Timings, Box<dyn Error>> {
    let batch = arguments.batch as usize;
    let net = network.build(&Cpu::default())?;
    let freeze = if arguments.half { Predictor::compact } else { Predictor::new };
    let predictor = freeze(&*net, batch)?;
    drop(net);
    let mut outputs = vec![0.0; batch * predictor.output_len()];
    let timings = measure(arguments, || Ok(predictor.predict(images, &mut outputs)?))?;
    *peak_rss = peak_rss_kb();
    if arguments.half {
        // The same seed, so the same network.
        let net = network.build(&Cpu::default())?;
        let mut exact = outputs.clone();
        Predictor::new(&*net, batch)?.predict(images, &mut exact)?;
        *half_error = Some(largest_change(&exact, &outputs));
    }
    Ok(timings)
}

/// Training steps on a batch.
fn training<D: Backend<f32>>(
    arguments: &Arguments,
    network: &Network,
    device: &D,
    x: &Map<f32, D>,
) -> Result<Timings, Box<dyn Error>> {
    let (batch, classes) = (arguments.batch as usize, network.graph.output_shape().len());
    ObjectiveError::of_one_output(&network.graph)?;
    let failed = |error: D::Err| failed(&error);
    let mut net = network.build(device)?;
    let targets = (0..batch * classes).map(|i| f32::from(i % classes == i / classes % classes)).collect();
    let targets: Tensor<(usize, usize), f32, D> =
        device.try_tensor_from_vec(targets, (batch, classes)).map_err(failed)?;
    let head_weights = vec![HEAD_WEIGHT; network.graph.heads.len()];
    let method = Method::Sgd { momentum: 0.9, nesterov: false };
    let mut sgd = Optimizer::new(&*net, method, |_| ParamOptions::default());
    let mut kept = Some(gradients(&*net).map_err(failed)?);
    measure(arguments, || {
        let traced = x.clone().traced(kept.take().unwrap_or_else(Gradients::leaky));
        let outputs = forward_mut(&mut *net, traced, batch).map_err(failed)?;
        let (_, loss) = loss(outputs, targets.clone(), &head_weights).map_err(failed)?;
        let mut new = loss.try_backward().map_err(failed)?;
        sgd.step(&mut *net, &mut new, &Step::new(0.01))?;
        kept = Some(new);
        Ok(())
    })
}

impl Report {
    /// The result in a line, beside the machine's `peak` in GFLOP/s.
    fn text(&self, peak: f64) -> String {
        let what = match self.mode {
            Mode::Train => "train step",
            Mode::Infer => "inference",
            Mode::Forward => "evaluation",
        };
        let share = |share: f64| format!(", {:.0} % of the machine's {peak:.0} GFLOP/s", share * 100.0);
        let error = |error: f32| format!(", logits moved by {error:.1e} of the largest");
        format!(
            "{} {what} batch {} on {}, {}: median {:.3} ms ({:.3} to {:.3}), {:.0} images/s{}{}",
            self.model,
            self.batch,
            self.device,
            counted(self.threads, "thread"),
            self.median_ms,
            self.min_ms,
            self.max_ms,
            self.images_per_second,
            self.share_of_peak.map_or_else(String::new, share),
            self.half_error.map_or_else(String::new, error)
        )
    }
}

/// What [`measure`] has found.
struct Timings {
    /// Milliseconds of a call, by round.
    rounds: Vec<f64>,
    /// Calls of a round.
    calls: usize,
    /// The time of each kind of step in one call.
    stages: BTreeMap<String, profile::Entry>,
}

/// Times `call`, after some calls to warm up.
fn measure(arguments: &Arguments, mut call: impl FnMut() -> Outcome) -> Result<Timings, Box<dyn Error>> {
    // A round lasts some tens of milliseconds, so that the clock and a passing interruption do not count.
    let start = Instant::now();
    let mut warm = 0;
    while warm < 3 || start.elapsed().as_millis() < 300 {
        call()?;
        warm += 1;
    }
    let per_call = start.elapsed().as_secs_f64() / f64::from(warm);
    let calls = ((0.05 / per_call) as usize).max(1);
    let mut rounds = Vec::new();
    for _ in 0..arguments.repeats {
        let start = Instant::now();
        for _ in 0..calls {
            call()?;
        }
        rounds.push(start.elapsed().as_secs_f64() / calls as f64 * 1e3);
    }
    let mut stages = BTreeMap::new();
    if arguments.profile {
        profile::start();
        for _ in 0..calls {
            call()?;
        }
        stages = profile::stop();
        for entry in stages.values_mut() {
            entry.stages /= calls;
            entry.time /= calls as u32;
            entry.multiply_adds /= calls as u64;
        }
    }
    Ok(Timings { rounds, calls, stages })
}

/// The largest difference of two lists of logits, as a share of the largest logit.
fn largest_change(exact: &[f32], found: &[f32]) -> f32 {
    let largest = exact.iter().fold(0.0, |max: f32, x| max.max(x.abs()));
    exact.iter().zip(found).fold(0.0, |max: f32, (a, b)| max.max((a - b).abs())) / largest
}

/// A line for each kind of step, the longest first.
fn print_stages(stages: &BTreeMap<String, profile::Entry>, peak: f64) -> Outcome {
    let mut stages: Vec<_> = stages.iter().collect();
    stages.sort_by_key(|(_, entry)| std::cmp::Reverse(entry.time));
    let total: f64 = stages.iter().map(|(_, entry)| entry.time.as_secs_f64()).sum();
    for (name, profile::Entry { stages, time, multiply_adds }) in stages {
        let seconds = time.as_secs_f64();
        let share = match multiply_adds {
            0 => String::new(),
            n => format!("{:.0} % of peak", *n as f64 * 2e-7 / seconds / peak),
        };
        print(&format!(
            "{:10.4} ms {:5.1} %  {share:>13}  {stages:3} x {name}",
            seconds * 1e3,
            seconds / total * 100.0
        ))?;
    }
    Ok(())
}

/// The largest memory that this process has held.
fn peak_rss_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}
