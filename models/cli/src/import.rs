//! `convnet import`

use crate::common::{self, Outcome, print, say};
use crate::network::{self, Network, Sizes};
use crate::place;
use crate::progress::Bar;
use convnet::atomic_file;
use convnet::format_version;
use convnet::onnx::{self, Import, ImportOptions};
use convnet::weights::{self, Format, StateDict};
use convnet::wording::{counted, grouped};
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  convnet import resnet18.onnx\n  \
                        convnet import model.onnx --input 3x224x224 --output logits --out net.cnn")]
pub struct Arguments {
    /// The ONNX file
    file: PathBuf,
    /// The .cnn file to write [default: FILE.cnn]
    #[arg(long)]
    out: Option<PathBuf>,
    /// The weights file to write, which ends in .safetensors or .npz [default: beside the .cnn file, .safetensors]
    #[arg(long)]
    weights: Option<PathBuf>,
    /// The name of the network [default: what the file says]
    #[arg(long)]
    name: Option<String>,
    /// The shape of one image, where the file leaves it open: channels, height and width, as in 3x224x224
    #[arg(long, value_name = "CxHxW")]
    input: Option<String>,
    /// The output that the network gives, where the model has several [default: all of them]
    #[arg(long, value_name = "NAME")]
    output: Option<String>,
    /// Replace files that have another text or other weights: they may have been changed by hand, or trained
    #[arg(long)]
    force: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    network: String,
    file: PathBuf,
    weights: PathBuf,
    lines: usize,
    layers: usize,
    parameters: usize,
    input: String,
    output: String,
    notes: Vec<String>,
}

pub fn run(arguments: Arguments) -> Outcome {
    let out = arguments.out.clone().unwrap_or_else(|| arguments.file.with_extension("cnn"));
    if !network::is_cnn(&out) {
        return Err(format!("{} is to be a declaration; its name has to end in .cnn", out.display()).into());
    }
    let beside = arguments.weights.clone().unwrap_or_else(|| out.with_extension("safetensors"));
    let format = place::weights_format(&beside)?;
    place::check(&out)?;
    place::check(&beside)?;
    let mut options = ImportOptions::default();
    options.name = arguments.name.clone();
    options.output = arguments.output.clone();
    if let Some(text) = &arguments.input {
        let shape = network::shape(text).ok_or_else(|| format!("--input is `{text}`; it must be as in 3x224x224"))?;
        options.input = Some(shape);
    }
    let bar = Bar::new(format!("reading {}", arguments.file.display()));
    let found = onnx::import(&arguments.file, &options)?;
    drop(bar);
    found.notes.iter().try_for_each(|note| say(&format!("note: {note}")))?;
    write(&found, &out, (&beside, format), arguments.force)?;
    let graph = &found.graph;
    let report = Report {
        network: graph.name.to_string(),
        file: out,
        weights: beside,
        lines: found.source.lines().count(),
        layers: graph.nodes.len() - 1,
        parameters: graph.param_count(),
        input: graph.input().to_string(),
        output: match graph.outputs.len() {
            1 => graph.output_shape().to_string(),
            _ => graph.outputs_in_words(),
        },
        notes: found.notes,
    };
    if arguments.json {
        return common::print_json(&report);
    }
    Ok(print(&format!(
        "{}: {}, {} in {}; {} -> {}\n{}: {} parameters",
        report.file.display(),
        report.network,
        counted(report.layers, "layer"),
        counted(report.lines, "line"),
        report.input,
        report.output,
        report.weights.display(),
        grouped(report.parameters as i128),
    ))?)
}

/// The weights first, so that a declaration never stands there without them; what is there and differs stays, unless by force.
fn write(found: &Import, out: &Path, (beside, format): (&Path, Format), by_force: bool) -> Outcome {
    let word = out.to_string_lossy();
    let network = Network::of_text(&word, out.display().to_string(), found.source.clone(), &Sizes::default())?;
    let mut dict = found.weights.clone();
    dict.metadata.extend(network.about());
    dict.metadata.insert("network".into(), found.graph.name.to_string());
    format_version::mark(&mut dict.metadata);
    if !by_force {
        let is_other_text = std::fs::read(out).is_ok_and(|text| text != found.source.as_bytes());
        // A file has its tensors in an order of its own.
        let is_same = |there: &StateDict| {
            there.entries.len() == dict.entries.len() && dict.entries.iter().all(|entry| there.entries.contains(entry))
        };
        let has_other_weights = beside.exists() && !weights::read(beside).is_ok_and(|there| is_same(&there));
        for (differs, path, what) in
            [(is_other_text, out, "another text"), (has_other_weights, beside, "other weights")]
        {
            if differs {
                let path = path.display();
                let fix = "give --force to replace it, or another --out";
                return Err(format!("{path} is there already, with {what}; {fix}").into());
            }
        }
    }
    weights::write(&dict, beside, format)?;
    atomic_file::write(out, found.source.as_bytes()).map_err(|source| place::unwritable(out, source))?;
    Ok(())
}
