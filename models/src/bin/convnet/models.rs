//! `convnet models`

use crate::common::{self, Outcome, print};
use convnet_models::{CATALOGUE, Entry, Model, WithModel, with_model};
use serde::Serialize;

#[derive(clap::Args)]
pub struct Arguments {
    /// Print the list as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    name: &'static str,
    paper: &'static str,
    input: [usize; 3],
    classes: usize,
    parameters: usize,
}

/// Makes the row of a network.
struct Listed(&'static Entry);

impl WithModel for Listed {
    type Output = Row;

    fn run<N: Model>(self, name: &'static str) -> Row {
        Row {
            name,
            paper: self.0.paper,
            input: N::GRAPH.input().chw(),
            classes: N::GRAPH.output_shape().len(),
            parameters: N::GRAPH.param_count(),
        }
    }
}

pub fn run(arguments: Arguments) -> Outcome {
    let rows: Vec<Row> =
        CATALOGUE.iter().map(|entry| with_model(entry.name, Listed(entry))).collect::<Result<_, _>>()?;
    if arguments.json {
        return common::print_json(&rows);
    }
    print(&format!("{:<16} {:<14} {:>7} {:>12}", "name", "input", "classes", "parameters"))?;
    for Row { name, input, classes, parameters, .. } in &rows {
        print(&format!("{name:<16} {:<14} {classes:>7} {parameters:>12}", format!("{input:?}")))?;
    }
    Ok(())
}
