//! `convnet models`

use crate::common::{self, Outcome, print};
use crate::own;
use convnet::graph::Graph;
use convnet_models::CATALOGUE;
use serde::Serialize;

#[derive(clap::Args)]
pub struct Arguments {
    /// Print the list as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    name: String,
    /// None for a network of the program's own.
    paper: Option<&'static str>,
    input: [usize; 3],
    classes: usize,
    parameters: usize,
}

pub fn run(arguments: Arguments) -> Outcome {
    let row = |name: String, paper, graph: &Graph| Row {
        name,
        paper,
        input: graph.input().chw(),
        classes: graph.output_shape().len(),
        parameters: graph.param_count(),
    };
    let own = own::all().iter().map(|own| row(own.name(), None, own.graph));
    let zoo = CATALOGUE.iter().map(|entry| row(entry.name.into(), Some(entry.paper), entry.graph));
    let rows: Vec<Row> = own.chain(zoo).collect();
    if arguments.json {
        return common::print_json(&rows);
    }
    print(&format!("{:<16} {:<14} {:>7} {:>12}", "name", "input", "classes", "parameters"))?;
    for Row { name, input, classes, parameters, .. } in &rows {
        print(&format!("{name:<16} {:<14} {classes:>7} {parameters:>12}", format!("{input:?}")))?;
    }
    Ok(())
}
