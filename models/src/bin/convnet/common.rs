//! What several subcommands share: printing, options, data.

use convnet::backend::Backend;
use convnet::checkpoint::Metadata;
use convnet::data::fit::Fit;
use convnet::data::{Normalisation, Pipeline};
use convnet::device::{DeviceChoice, OnDevice};
use convnet::dfdx::nn::BuildOnDevice;
use convnet::distributed::{self, Communicator};
use convnet::graph::Graph;
use convnet::wording::counted;
use convnet_models::{Model, WithModel, with_model};
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::io::{self, Write};
use std::marker::PhantomData;
use std::path::PathBuf;

/// What a subcommand gives back.
pub type Outcome = Result<(), Box<dyn Error>>;

/// Options about where to run.
#[derive(clap::Args, Clone)]
pub struct RunOn {
    /// auto, cpu, cuda or cuda:N; auto takes CUDA where it is compiled in and present [default: auto]
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<DeviceChoice>,
    /// Threads on the CPU; 0 means one for each core. Results do not depend on it
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=1024))]
    pub threads: u16,
    /// fast: by the fastest algorithms; exact: convolutions as plain sums, without Winograd's transforms [default: fast]
    #[arg(long)]
    pub precision: Option<Precision>,
}

/// How exactly convolutions are computed on the CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    #[default]
    Fast,
    Exact,
}

impl RunOn {
    /// For one of several processes, which share the cores and devices of their machine.
    pub fn shared(mut self, ranks: &dyn Communicator) -> Self {
        let place = distributed::launch::place(ranks);
        if self.threads == 0 {
            self.threads = place.threads as u16;
        }
        if self.device() == DeviceChoice::Auto {
            self.device = Some(DeviceChoice::own(place.local_rank));
        }
        self
    }

    /// The device that is asked for.
    pub fn device(&self) -> DeviceChoice {
        self.device.unwrap_or(DeviceChoice::Auto)
    }

    /// Sets the number of threads and the precision.
    pub fn prepare(&self) -> Result<(), Box<dyn Error>> {
        convnet::engine::set_precision(match self.precision.unwrap_or_default() {
            Precision::Fast => convnet::engine::Precision::Fast,
            Precision::Exact => convnet::engine::Precision::Exact,
        });
        let threads = usize::from(self.threads);
        convnet::engine::set_threads(threads)
            .map_err(|error| format!("cannot start {}: {error}", counted(threads, "thread")).into())
    }
}

/// A subcommand's work, once the network and the device are known.
pub trait Task {
    /// Does it.
    fn run<N: Model, D: Backend<f32>>(self, name: &'static str, device: D, on: DeviceChoice) -> Outcome;
}

/// Does `task` with the network called `model` on the device that `on` asks for, whose random numbers start from `seed`.
pub fn run(model: &str, on: &RunOn, seed: u64, task: impl Task) -> Outcome {
    on.prepare()?;
    with_model(model, Chosen { device: on.device(), seed, task })?
}

struct Chosen<T> {
    device: DeviceChoice,
    seed: u64,
    task: T,
}

impl<T: Task> WithModel for Chosen<T> {
    type Output = Outcome;

    fn run<N: Model>(self, name: &'static str) -> Outcome {
        self.device.run(self.seed, Placed { name, task: self.task, model: PhantomData::<N> })?
    }
}

struct Placed<N, T> {
    name: &'static str,
    task: T,
    model: PhantomData<N>,
}

impl<N: Model, T: Task> OnDevice for Placed<N, T> {
    type Output = Outcome;

    fn run<D: Backend<f32>>(self, device: D, on: DeviceChoice) -> Outcome {
        self.task.run::<N, D>(self.name, device, on)
    }
}

/// A network with random weights.
pub fn build<N: Model, D: Backend<f32>>(name: &str, device: &D) -> Result<N::On<D>, Box<dyn Error>> {
    let built = <N::On<D> as BuildOnDevice<D, f32>>::try_build_on_device(device);
    built.map_err(|error| format!("cannot build {name}: {error:?}").into())
}

/// Writes a line to standard output.
pub fn print(text: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// Writes a line to standard error.
pub fn say(text: &str) -> io::Result<()> {
    writeln!(io::stderr().lock(), "{text}")
}

/// Writes a JSON document to standard output.
pub fn print_json(value: &impl Serialize) -> Outcome {
    Ok(print(&serde_json::to_string_pretty(value)?)?)
}

/// Whether an error only says that the reader of our output has gone.
pub fn is_closed_pipe(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// How pictures become what a network takes, as its weight file says; where it says nothing, as MNIST's do or, in colour,
/// ImageNet's, which is what torchvision's files were trained with.
pub fn pipeline(graph: &Graph, about: &Metadata) -> Result<Pipeline, Box<dyn Error>> {
    let shape = graph.input().chw();
    let numbers = |key: &str| -> Option<Vec<f32>> {
        let list: Vec<f32> = about.get(key)?.split(',').map(|x| x.trim().parse().ok()).collect::<Option<_>>()?;
        match list.len() {
            1 => Some(vec![list[0]; shape[0]]),
            n => (n == shape[0]).then_some(list),
        }
    };
    let normalisation = match (numbers("mean"), numbers("std")) {
        (Some(mean), Some(std)) if std.iter().all(|x| *x > 0.0) => Normalisation { mean, std },
        _ if shape[0] == 3 => Normalisation::named("imagenet", 3)?,
        _ => Normalisation::named("mnist", shape[0])?,
    };
    let fit = about.get("fit").and_then(|fit| fit.parse().ok()).unwrap_or(Fit::Auto);
    Ok(Pipeline::plain(shape, fit, normalisation))
}

/// Names of a network's classes, as its weight file says; numbers where it says nothing.
pub fn classes(graph: &Graph, about: &Metadata) -> Vec<String> {
    match about.get("classes") {
        // Older files have them between commas.
        Some(names) => serde_json::from_str(names).unwrap_or_else(|_| names.split(',').map(String::from).collect()),
        None => (0..graph.output_shape().len()).map(|class| class.to_string()).collect(),
    }
}

/// Where a network's weights are kept unless the user says otherwise.
pub fn default_weights(model: &str) -> PathBuf {
    PathBuf::from(format!("{model}.safetensors"))
}

/// The median of some numbers.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[middle],
        _ => (values[middle - 1] + values[middle]) / 2.0,
    }
}
