//! `convnet eval`

use crate::common::{self, Outcome, RunOn, Task, print};
use crate::train::report;
use convnet::backend::Backend;
use convnet::checkpoint;
use convnet::data::mnist;
use convnet::device::DeviceChoice;
use convnet::train::evaluate;
use convnet_models::Model;
use serde::Serialize;
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
    let (model, on) = (arguments.model.clone(), arguments.on.clone());
    common::run(&model, &on, 0, Eval(arguments))
}

struct Eval(Arguments);

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

impl Task for Eval {
    fn run<N: Model, D: Backend<f32>>(self, name: &'static str, device: D, _: DeviceChoice) -> Outcome {
        let Eval(arguments) = self;
        let weights = arguments.weights.unwrap_or_else(|| common::default_weights(name));
        let mut net = common::build::<N, D>(name, &device)?;
        checkpoint::load::<_, f32, D>(&mut net, &weights)?;
        let test = common::placed::<N>(common::digits(arguments.data.as_deref())?.test);
        let evaluation = evaluate(&net, &device, &test, mnist::NORMALISATION)?;
        if arguments.json {
            return common::print_json(&Report {
                model: name,
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
