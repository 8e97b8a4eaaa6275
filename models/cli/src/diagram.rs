//! `convnet diagram`

use crate::common::{Outcome, print};
use crate::network::{self, Network, Sizes};
use convnet::atomic_file;
use convnet::diagram;
use std::path::PathBuf;

#[derive(clap::Args)]
#[command(after_help = "Example:\n  convnet diagram resnet152 --out images")]
pub struct Arguments {
    /// The network: a name that `models` lists, a .cnn file or a weights file
    #[arg(default_value_t = network::usual())]
    model: String,
    #[command(flatten)]
    sizes: Sizes,
    /// The folder to write MODEL.svg and MODEL.mmd (Mermaid) into
    #[arg(long, default_value = ".")]
    out: PathBuf,
}

pub fn run(arguments: Arguments) -> Outcome {
    let Network { name, graph, .. } = Network::find(&arguments.model, &arguments.sizes)?;
    let folder = arguments.out;
    std::fs::create_dir_all(&folder)
        .map_err(|error| format!("cannot make the folder {}: {error}", folder.display()))?;
    for (extension, text) in [("svg", diagram::svg(&graph)), ("mmd", diagram::mermaid(&graph))] {
        let path = folder.join(format!("{name}.{extension}"));
        atomic_file::write(&path, text.as_bytes())
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        print(&path.display().to_string())?;
    }
    Ok(())
}
