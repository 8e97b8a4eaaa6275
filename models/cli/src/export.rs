//! `convnet export`

use crate::common::{self, Outcome, print, say};
use crate::load::Loading;
use crate::network::{Network, Sizes};
use crate::place;
use crate::progress::Bar;
use crate::trained::{Preparing, Trained, assumed};
use convnet::data::{Invert, Preparation};
use convnet::format_version;
use convnet::net::AnyNetwork;
use convnet::onnx::{self, OPSET, Options};
use convnet::prelude::*;
use convnet::weights::Metadata;
use convnet::wording::counted;
use serde::Serialize;
use std::error::Error;
use std::path::PathBuf;

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  convnet export lenet5.safetensors\n  \
                        convnet export resnet18 --weights resnet18.pth --folded --with-preprocessing --out resnet18.onnx")]
pub struct Arguments {
    /// The network: a name that `models` lists, a .cnn file or a weights file
    model: String,
    #[command(flatten)]
    sizes: Sizes,
    /// The trained network [default: MODEL.safetensors]
    #[arg(long)]
    weights: Option<PathBuf>,
    /// Give the network random weights, drawn by this random seed, where there are no trained ones
    #[arg(long, value_name = "SEED", conflicts_with = "weights", num_args = 0..=1, default_missing_value = "0")]
    random: Option<u64>,
    #[command(flatten)]
    loading: Loading,
    #[command(flatten)]
    preparing: Preparing,
    /// The file to write [default: MODEL.onnx]
    #[arg(long)]
    out: Option<PathBuf>,
    /// Make batch normalisations a part of the convolutions and linear layers before them
    #[arg(long)]
    folded: bool,
    /// Let the model take the bytes of images, 0 to 255. normalisation: of the network's height and width; resizing: of any height and width
    #[arg(long, value_name = "WHAT", num_args = 0..=1, default_missing_value = "normalisation")]
    with_preprocessing: Option<Preprocess>,
    /// Keep the weights in a file beside the model, as is done anyway where they have more than 2 GB
    #[arg(long)]
    external_data: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// What of the preparation of images the model does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
enum Preprocess {
    Normalisation,
    Resizing,
}

#[derive(Serialize)]
struct Report {
    model: String,
    files: Vec<PathBuf>,
    opset: i64,
    operators: usize,
    input: String,
    output: String,
    preprocessing: Option<Preprocess>,
}

pub fn run(arguments: Arguments) -> Outcome {
    let network = Network::find_trained(&arguments.model, &arguments.sizes, arguments.weights.as_deref())?;
    let out = arguments.out.clone().unwrap_or_else(|| PathBuf::from(format!("{}.onnx", network.name)));
    if !out.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx")) {
        return Err(format!("{} is to be an ONNX file; its name has to end in .onnx", out.display()).into());
    }
    place::check(&out)?;
    let device = Cpu::seed_from_u64(arguments.random.unwrap_or(0));
    let mut net = network.build(&device)?;
    let (preparation, mut about) = match arguments.random {
        None => trained(&network, &mut *net, &arguments)?,
        Some(_) => (assumed(&network), Metadata::new()),
    };
    about.extend(network.about());
    about.insert("network".into(), network.graph.name.to_string());
    about.insert("task".into(), "classification".into());
    format_version::mark(&mut about);
    let mut options = Options::default();
    options.folded = arguments.folded;
    if let Some(what) = arguments.with_preprocessing {
        if preparation.invert == Invert::Bright {
            say(
                "note: the network was trained on images with a dark ground; the model does not invert those with a bright one",
            )?;
        }
        options.preprocessing = Some(onnx::preprocessing(&preparation, what == Preprocess::Resizing)?);
        let name = match what {
            Preprocess::Normalisation => "normalisation",
            Preprocess::Resizing => "resizing",
        };
        about.insert("preprocessing".into(), name.into());
    }
    options.metadata = about;
    let bar = Bar::new(format!("writing {}", out.display()));
    let model = onnx::export(&*net, &options)?;
    let files = onnx::write(&model, &out, arguments.external_data)?;
    drop(bar);
    let [input, output] = model.ends();
    let report = Report {
        model: network.name.clone(),
        files,
        opset: OPSET,
        operators: model.operators(),
        input,
        output,
        preprocessing: arguments.with_preprocessing,
    };
    if arguments.json {
        return common::print_json(&report);
    }
    let files = report.files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(" and ");
    Ok(print(&format!(
        "{files}: {}, ONNX opset {OPSET}, {}; {} -> {}",
        report.model,
        counted(report.operators, "operator"),
        report.input,
        report.output
    ))?)
}

/// Loads the weights; how images are prepared, and what the file is to say about itself.
fn trained(
    network: &Network,
    net: &mut dyn AnyNetwork<f32, Cpu>,
    arguments: &Arguments,
) -> Result<(Preparation, Metadata), Box<dyn Error>> {
    let (weights, loading) = (arguments.weights.as_deref(), &arguments.loading);
    let Trained { preparation, classes, mut about, .. } =
        Trained::load(network, net, weights, loading, arguments.preparing)?;
    preparation.to_metadata(&mut about);
    classes.to_metadata(&mut about);
    Ok((preparation, about))
}
