//! `convnet summary`

use crate::common::{self, Outcome, print};
use crate::network::{self, Network, Sizes};
use serde::Serialize;

#[derive(clap::Args)]
pub struct Arguments {
    /// The network: a name that `models` lists, a .cnn file or a weights file
    #[arg(default_value_t = network::usual())]
    model: String,
    #[command(flatten)]
    sizes: Sizes,
    /// Images in a batch, for the memory that the activations take
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch: u32,
    /// Print the layers as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    model: &'a str,
    paper: Option<&'static str>,
    parameters: usize,
    macs: u64,
    receptive_field: [usize; 2],
    jump: [usize; 2],
    /// Elements for one image.
    activations: usize,
    peak_activations: usize,
    outputs: Vec<&'a str>,
    heads: Vec<&'a str>,
    layers: Vec<Layer<'a>>,
    /// What the lints find, a line each.
    warnings: &'a [String],
}

#[derive(Serialize)]
struct Layer<'a> {
    name: &'a str,
    kind: &'static str,
    output: [usize; 3],
    parameters: usize,
    macs: u64,
    activations: usize,
    receptive_field: [usize; 2],
    jump: [usize; 2],
    auxiliary: bool,
}

pub fn run(arguments: Arguments) -> Outcome {
    let network = Network::find(&arguments.model, &arguments.sizes)?;
    let Network { name, paper, graph, .. } = &network;
    if !arguments.json {
        let paper = paper.map_or(String::new(), |paper| format!("{paper}\n\n"));
        return Ok(print(&format!("{paper}{}", network.summary(arguments.batch as usize)))?);
    }
    let layers = graph.nodes.iter().map(|node| Layer {
        name: &node.name,
        kind: node.op.word(),
        output: node.shape.chw(),
        parameters: node.params,
        macs: node.macs,
        activations: node.shape.len(),
        receptive_field: node.receptive_field,
        jump: node.jump,
        auxiliary: node.auxiliary,
    });
    common::print_json(&Report {
        model: name,
        paper: *paper,
        parameters: graph.param_count(),
        macs: graph.mac_count(),
        receptive_field: graph.receptive_field(),
        jump: graph.jump(),
        activations: graph.activation_count(),
        peak_activations: graph.peak_activations,
        outputs: graph.outputs.iter().map(|output| &*output.name).collect(),
        heads: graph.heads.iter().map(|head| &*head.name).collect(),
        layers: layers.collect(),
        warnings: network.notes(),
    })
}
