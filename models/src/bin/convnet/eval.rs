//! `convnet eval`

use crate::common::{self, Outcome, RunOn, Task, print};
use crate::load::Loading;
use crate::source::{self, Source};
use crate::train::report;
use convnet::backend::Backend;
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
    #[command(flatten)]
    loading: Loading,
    #[command(flatten)]
    source: Source,
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
    top5: f64,
    loss: f64,
    recall: Vec<f64>,
    confusion: Vec<Vec<usize>>,
}

impl Task for Eval {
    fn run<N: Model, D: Backend<f32>>(self, name: &'static str, device: D, _: DeviceChoice) -> Outcome {
        let Eval(arguments) = self;
        let weights = arguments.weights.unwrap_or_else(|| common::default_weights(name));
        let mut net = common::build::<N, D>(name, &device)?;
        let about = arguments.loading.load::<N, D>(&mut net, &weights)?.metadata;
        let opened = arguments.source.open(0)?;
        source::say_notes(&opened)?;
        let test = opened.test;
        let evaluation = evaluate(&mut net, &device, &test, common::pipeline(N::GRAPH, &about)?)?;
        if arguments.json {
            return common::print_json(&Report {
                model: name,
                weights,
                pictures: evaluation.total(),
                accuracy: evaluation.accuracy(),
                top5: evaluation.top5(),
                loss: evaluation.loss,
                recall: evaluation.recall(),
                confusion: evaluation.confusion,
            });
        }
        Ok(print(report(&evaluation, test.classes()).trim_end())?)
    }
}
