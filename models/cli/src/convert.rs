//! `convnet convert`

use crate::common::{self, Outcome, print, say};
use crate::load::Loading;
use crate::network::{Network, Sizes};
use crate::place;
use crate::progress::Bar;
use convnet::weights::{self, Fitted, LoadOptions};
use convnet::wording::counted;
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
    /// Refuse a file whose tensors are not exactly those of this network: a name that `models` lists, or a .cnn file
    #[arg(long)]
    model: Option<String>,
    #[command(flatten)]
    sizes: Sizes,
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
    let Arguments { from, to, model, sizes, loading, json } = arguments;
    let format = place::weights_format(&to)?;
    place::check(&to)?;
    let options = loading.options();
    let bar = Bar::new(format!("reading {}", from.display()));
    let Fitted { dict, notes, .. } = match model {
        Some(model) => exactly(&Network::find_trained(&model, &sizes, Some(&from))?, &from, &options)?,
        None if sizes.classes.is_some() || sizes.input.is_some() => {
            return Err("--classes and --input mean nothing without --model: tensors are converted as they are".into());
        }
        None if loading.allow_extra => {
            return Err("--allow-extra means nothing without --model: all tensors of the file are converted".into());
        }
        None => weights::read_with(&from, &options)?,
    };
    drop(bar);
    notes.iter().try_for_each(|note| say(&format!("note: {note}")))?;
    let bar = Bar::new(format!("writing {}", to.display()));
    weights::write(&dict, &to, format)?;
    drop(bar);
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
fn exactly(network: &Network, from: &Path, options: &LoadOptions) -> Result<Fitted, Box<dyn Error>> {
    let mut fitted = weights::fitted(&network.graph, from, options)?;
    fitted.dict.metadata.insert("network".into(), network.graph.name.to_string());
    fitted.dict.metadata.extend(network.about());
    Ok(fitted)
}
