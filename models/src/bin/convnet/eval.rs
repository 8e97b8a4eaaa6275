//! `convnet eval`

use crate::common::{self, Outcome, RunOn, print};
use crate::train::report;
use convnet::backend::Backend;
use convnet::checkpoint;
use convnet::data::mnist;
use convnet::device::{DeviceChoice, OnDevice};
use convnet::train::evaluate;
use convnet_models::{Model, WithModel, with_model};
use serde::Serialize;
use std::marker::PhantomData;
use std::path::PathBuf;

#[derive(clap::Args)]
#[command(after_help = "Example:\n  convnet eval lenet5 --weights lenet5.safetensors")]
pub struct Arguments {
    /// Which network
    #[arg(default_value = "lenet5")]
    model: String,
    /// The trained network [default: MODEL.safetensors]
    #[arg(long)]
    weights: Option<PathBuf>,
    /// Folder with MNIST's four IDX files, plain or .gz; without it, the digits that the program carries
    #[arg(long)]
    data: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    on: RunOn,
}

pub fn run(arguments: Arguments) -> Outcome {
    arguments.on.prepare()?;
    let model = arguments.model.clone();
    with_model(&model, Task(arguments))?
}

struct Task(Arguments);

impl WithModel for Task {
    type Output = Outcome;

    fn run<N: Model>(self, name: &'static str) -> Outcome {
        let device = self.0.on.device;
        device.run(0, Job { arguments: self.0, name, model: PhantomData::<N> })?
    }
}

struct Job<N> {
    arguments: Arguments,
    name: &'static str,
    model: PhantomData<N>,
}

#[derive(Serialize)]
struct Report {
    model: &'static str,
    weights: PathBuf,
    pictures: usize,
    accuracy: f64,
    loss: f64,
    recall: Vec<f64>,
    confusion: Vec<Vec<usize>>,
}

impl<N: Model> OnDevice for Job<N> {
    type Output = Outcome;

    fn run<D: Backend<f32>>(self, device: D, _: DeviceChoice) -> Outcome {
        let weights = self.arguments.weights.unwrap_or_else(|| common::default_weights(self.name));
        let mut net = <N::On<D> as convnet::dfdx::nn::BuildOnDevice<D, f32>>::try_build_on_device(&device)
            .map_err(|error| format!("cannot build {}: {error:?}", self.name))?;
        checkpoint::load::<_, f32, D>(&mut net, &weights)?;
        let test = common::digits(self.arguments.data.as_deref())?.test;
        let evaluation = evaluate(&net, &device, &test, mnist::NORMALISATION)?;
        if self.arguments.json {
            return common::print_json(&Report {
                model: self.name,
                weights,
                pictures: evaluation.total(),
                accuracy: evaluation.accuracy(),
                loss: evaluation.loss,
                recall: evaluation.recall(),
                confusion: evaluation.confusion,
            });
        }
        Ok(print(report(&evaluation, &test.classes).trim_end())?)
    }
}
