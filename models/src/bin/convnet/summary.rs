//! `convnet summary`

use crate::common::{self, Outcome, print};
use convnet::graph::Graph;
use convnet_models::{CATALOGUE, Model, WithModel, with_model};
use serde::Serialize;

#[derive(clap::Args)]
pub struct Arguments {
    /// Which network
    #[arg(default_value = "lenet5")]
    model: String,
    /// Print the layers as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: Arguments) -> Outcome {
    let model = arguments.model.clone();
    with_model(&model, Task(arguments))?
}

struct Task(Arguments);

#[derive(Serialize)]
struct Report {
    model: &'static str,
    paper: &'static str,
    parameters: usize,
    macs: u64,
    receptive_field: [usize; 2],
    layers: Vec<Layer>,
}

#[derive(Serialize)]
struct Layer {
    name: &'static str,
    kind: &'static str,
    output: [usize; 3],
    parameters: usize,
    macs: u64,
    receptive_field: [usize; 2],
    jump: [usize; 2],
}

impl WithModel for Task {
    type Output = Outcome;

    fn run<N: Model>(self, name: &'static str) -> Outcome {
        let graph: &Graph = N::GRAPH;
        let paper = CATALOGUE.iter().find(|entry| entry.name == name).map_or("", |entry| entry.paper);
        if !self.0.json {
            return Ok(print(&format!("{paper}\n\n{}", graph.summary()))?);
        }
        let layers = graph.nodes.iter().map(|node| Layer {
            name: node.name,
            kind: node.op.word(),
            output: node.shape.chw(),
            parameters: node.params,
            macs: node.macs,
            receptive_field: node.receptive_field,
            jump: node.jump,
        });
        common::print_json(&Report {
            model: name,
            paper,
            parameters: graph.param_count(),
            macs: graph.mac_count(),
            receptive_field: graph.receptive_field(),
            layers: layers.collect(),
        })
    }
}
