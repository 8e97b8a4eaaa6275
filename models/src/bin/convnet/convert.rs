//! `convnet convert`

use crate::common::{self, Outcome, print};
use convnet::checkpoint::{self, CheckpointError};
use convnet::weights::{Format, StateDict};
use convnet::wording::counted;
use convnet_models::{Model, WithModel, with_model};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

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
    let Arguments { from, to, model, json } = arguments;
    let format = Format::of_path(&to).map_err(|error| format!("{}: {error}", to.display()))?;
    let mut dict = checkpoint::read(&from)?;
    if let Some(model) = model {
        dict = with_model(&model, Fitted { from: from.clone(), dict })??;
    }
    checkpoint::write(&dict, &to, format)?;
    let mut types = BTreeMap::new();
    dict.entries.iter().for_each(|entry| *types.entry(entry.kind.to_string()).or_insert(0) += 1);
    let bytes = dict.entries.iter().map(|entry| entry.bytes.len()).sum();
    let elements = dict.entries.iter().map(|entry| entry.bytes.len() / entry.kind.size()).sum();
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
struct Fitted {
    from: PathBuf,
    dict: StateDict,
}

impl WithModel for Fitted {
    type Output = Result<StateDict, CheckpointError>;

    fn run<N: Model>(self, _: &'static str) -> Self::Output {
        let mut dict = checkpoint::fitted(N::GRAPH, self.dict, &self.from)?;
        dict.metadata.insert("network".into(), N::GRAPH.name.into());
        Ok(dict)
    }
}
