//! `convnet bench`

use crate::common::{self, Outcome, RunOn, Task, median, print};
use convnet::backend::Backend;
use convnet::device::DeviceChoice;
use convnet::dfdx::optim::{Momentum, Optimizer as _, Sgd, SgdConfig};
use convnet::dfdx::prelude::*;
use convnet::net::{Map, forward, forward_mut};
use convnet::train::{HEAD_WEIGHT, loss};
use convnet_models::Model;
use serde::Serialize;
use std::time::Instant;

#[derive(clap::Args)]
#[command(after_help = "Example:\n  convnet bench lenet5 --mode train --batch 64 --json")]
pub struct Arguments {
    /// Which network
    #[arg(default_value = "lenet5")]
    model: String,
    /// train: forward, loss, backward and an update by SGD with momentum; infer: forward only
    #[arg(long, default_value = "infer")]
    mode: Mode,
    /// Pictures at once
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch: u32,
    /// Rounds that are timed; the median is reported
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    repeats: u32,
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
}

pub fn run(arguments: Arguments) -> Outcome {
    let (model, on) = (arguments.model.clone(), arguments.on.clone());
    common::run(&model, &on, 0, Bench(arguments))
}

struct Bench(Arguments);

#[derive(Serialize)]
struct Report {
    model: &'static str,
    mode: Mode,
    batch: usize,
    device: String,
    threads: usize,
    rounds: usize,
    calls_per_round: usize,
    median_ms: f64,
    min_ms: f64,
    max_ms: f64,
    pictures_per_second: f64,
    /// Of the whole process; only Linux tells.
    peak_rss_kb: Option<u64>,
}

impl Task for Bench {
    fn run<N: Model, D: Backend<f32>>(self, name: &'static str, device: D, on: DeviceChoice) -> Outcome {
        let Arguments { mode, batch, repeats, json, .. } = self.0;
        let batch = batch as usize;
        let failed = |error: D::Err| format!("the device failed: {error:?}");
        let mut net = common::build::<N, D>(name, &device)?;
        let [c, h, w] = N::GRAPH.input().chw();
        let classes = N::GRAPH.output_shape().len();
        let x: Map<f32, D> = device.try_sample_like(&(batch, c, h, w), convnet::StandardNormal).map_err(failed)?;
        let targets: Vec<f32> = (0..batch * classes).map(|i| f32::from(i % classes == i / classes % classes)).collect();
        let targets = device.try_tensor_from_vec(targets, (batch, classes)).map_err(failed)?;
        let head_weights = vec![HEAD_WEIGHT; N::GRAPH.heads.len()];
        let config = SgdConfig { lr: 0.01, momentum: Some(Momentum::Classic(0.9)), weight_decay: None };
        let mut sgd: Sgd<N::On<D>, f32, D> = Sgd::new(&net, config);
        let mut gradients = Some(net.alloc_grads());
        let mut call = || -> Result<(), String> {
            if mode == Mode::Infer {
                forward(&net, x.clone(), batch, (batch, classes)).map_err(failed)?;
                return Ok(());
            }
            let traced = x.clone().traced(gradients.take().unwrap_or_else(Gradients::leaky));
            let outputs = forward_mut(&mut net, traced, batch).map_err(failed)?;
            let (_, loss) = loss(outputs, targets.clone(), &head_weights).map_err(failed)?;
            let mut new = loss.try_backward().map_err(failed)?;
            sgd.update(&mut net, &new).map_err(|error| format!("{error:?}"))?;
            net.try_zero_grads(&mut new).map_err(failed)?;
            gradients = Some(new);
            Ok(())
        };
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
        for _ in 0..repeats {
            let start = Instant::now();
            for _ in 0..calls {
                call()?;
            }
            rounds.push(start.elapsed().as_secs_f64() / calls as f64 * 1e3);
        }
        let median_ms = median(&mut rounds);
        let report = Report {
            model: name,
            mode,
            batch,
            device: on.to_string(),
            threads: convnet::engine::threads(),
            rounds: rounds.len(),
            calls_per_round: calls,
            median_ms,
            min_ms: rounds.iter().copied().fold(f64::INFINITY, f64::min),
            max_ms: rounds.iter().copied().fold(0.0, f64::max),
            pictures_per_second: batch as f64 / median_ms * 1e3,
            peak_rss_kb: peak_rss_kb(),
        };
        if json {
            return common::print_json(&report);
        }
        let Report { model, threads, min_ms, max_ms, pictures_per_second, .. } = &report;
        Ok(print(&format!(
            "{model} {} batch {batch} on {on}, {threads} threads: median {median_ms:.3} ms ({min_ms:.3} to {max_ms:.3}), \
             {pictures_per_second:.0} pictures/s",
            if mode == Mode::Train { "train step" } else { "inference" },
        ))?)
    }
}

/// The largest memory that this process has held.
fn peak_rss_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}
