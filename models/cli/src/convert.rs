//! `convnet convert`

use crate::common::{self, Outcome, print, say};
use crate::load::Loading;
use crate::place;
use convnet::weights::{self, Fitted, LoadOptions};
use convnet::wording::counted;
use convnet_models::find;
use serde::Serialize;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  convnet convert resnet18.pth resnet18.safetensors --model resnet18\n  \
                        convnet convert weights.safetensors weights.npz")]
pub struct Arguments {
    /// A weights file of PyTorch (.pt, .pth), safetensors or NumPy (.npz)
    from: PathBuf,
    /// The file to write; its name ends in .safetensors or .npz
    to: PathBuf,
    /// Refuse a file whose tensors are not exactly those of this network
    #[arg(long)]
    model: Option<String>,
    #[command(flatten)]
    loading: Loading,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    from: PathBuf,
    to: PathBuf,
    tensors: usize,
    elements: usize,
    bytes: usize,
    types: BTreeMap<String, usize>,
}

pub fn run(arguments: Arguments) -> Outcome {
    let Arguments { from, to, model, loading, json } = arguments;
    let format = place::weights_format(&to)?;
    place::check(&to)?;
    let options = loading.options();
    let Fitted { dict, notes, .. } = match model {
        Some(model) => exactly(&model, &from, &options)?,
        None if loading.allow_extra => {
            return Err("--allow-extra means nothing without --model: all tensors of the file are converted".into());
        }
        None => weights::read_with(&from, &options)?,
    };
    notes.iter().try_for_each(|note| say(&format!("note: {note}")))?;
    weights::write(&dict, &to, format)?;
    let mut types = BTreeMap::new();
    dict.entries.iter().for_each(|entry| *types.entry(entry.dtype.to_string()).or_insert(0) += 1);
    let bytes = dict.entries.iter().map(|entry| entry.bytes.len()).sum();
    let elements = dict.entries.iter().map(|entry| entry.bytes.len() / entry.dtype.size()).sum();
    let report = Report { from, to, tensors: dict.entries.len(), elements, bytes, types };
    if json {
        return common::print_json(&report);
    }
    let types = report.types.iter().map(|(kind, count)| format!("{count} {kind}")).collect::<Vec<_>>().join(", ");
    Ok(print(&format!(
        "{}: {} ({types}), {}, from {}",
        report.to.display(),
        counted(report.tensors, "tensor"),
        counted(report.elements, "number"),
        report.from.display()
    ))?)
}

/// Leaves what belongs to a network, in its order, with every bit that it has.
fn exactly(model: &str, from: &Path, options: &LoadOptions) -> Result<Fitted, Box<dyn Error>> {
    let graph = find(model)?.graph;
    let mut fitted = weights::fitted(graph, from, options)?;
    fitted.dict.metadata.insert("network".into(), graph.name.to_string());
    Ok(fitted)
}
