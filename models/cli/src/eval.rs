//! `convnet eval`

use crate::common::{self, Outcome, RunOn, Task, print};
use crate::load::Loading;
use crate::measured::{self, measured};
use crate::network::{self, Network, Sizes};
use crate::progress::Bar;
use crate::source::Source;
use crate::trained::{Labelling, Preparing, Trained};
use convnet::backend::Backend;
use convnet::device::DeviceChoice;
use convnet::objective::ObjectiveError;
use convnet::train::evaluate_watched;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(clap::Args)]
#[command(after_help = "Example:\n  convnet eval lenet5 --weights lenet5.safetensors")]
pub struct Arguments {
    /// The network: a name that `models` lists, a .cnn file or a weights file
    #[arg(default_value_t = network::usual())]
    model: String,
    #[command(flatten)]
    sizes: Sizes,
    /// The trained network [default: MODEL.safetensors]
    #[arg(long)]
    weights: Option<PathBuf>,
    #[command(flatten)]
    loading: Loading,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    labelling: Labelling,
    #[command(flatten)]
    preparing: Preparing,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    on: RunOn,
}

pub fn run(arguments: Arguments) -> Outcome {
    let network = Network::find_trained(&arguments.model, &arguments.sizes, arguments.weights.as_deref())?;
    let on = arguments.on.clone();
    common::run(network, &on, 0, Eval(arguments))
}

struct Eval(Arguments);

#[derive(Serialize)]
struct Report {
    model: String,
    weights: PathBuf,
    images: usize,
    task: String,
    loss: f64,
    #[serde(flatten)]
    metrics: BTreeMap<String, f64>,
    inverted: usize,
    #[serde(flatten)]
    details: measured::Details,
}

impl Task for Eval {
    fn run<D: Backend<f32>>(self, network: Network, device: D, _: DeviceChoice) -> Outcome {
        let Eval(arguments) = self;
        ObjectiveError::of_one_output(&network.graph)?;
        let mut net = network.build(&device)?;
        let (weights, loading) = (arguments.weights.as_deref(), &arguments.loading);
        let trained = Trained::load(&network, &mut *net, weights, loading, arguments.preparing)?;
        let test = trained.test(&arguments.source, arguments.labelling)?;
        let bar = Bar::new("measuring on the test set");
        let mut progress = |done, all| bar.at(done, all);
        let (objective, pipeline) = (trained.objective.clone(), trained.preparation.clone().into());
        let evaluation = evaluate_watched(&*objective, &mut *net, &device, &test, pipeline, &mut progress)?;
        drop(bar);
        if arguments.json {
            return common::print_json(&Report {
                model: network.name,
                weights: trained.weights,
                images: evaluation.images,
                task: trained.task.to_string(),
                loss: evaluation.loss,
                metrics: measured::metrics(&evaluation, ""),
                inverted: evaluation.inverted,
                details: measured::Details::of(&evaluation, test.classes()),
            });
        }
        Ok(print(measured(&evaluation, test.classes()).trim_end())?)
    }
}
