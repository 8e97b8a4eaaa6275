//! `convnet models`

use crate::common::{self, Outcome, print};
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
    name: &'static str,
    paper: &'static str,
    input: [usize; 3],
    classes: usize,
    parameters: usize,
}

pub fn run(arguments: Arguments) -> Outcome {
    let rows: Vec<Row> = CATALOGUE
        .iter()
        .map(|entry| Row {
            name: entry.name,
            paper: entry.paper,
            input: entry.graph.input().chw(),
            classes: entry.graph.output_shape().len(),
            parameters: entry.graph.param_count(),
        })
        .collect();
    if arguments.json {
        return common::print_json(&rows);
    }
    print(&format!("{:<16} {:<14} {:>7} {:>12}", "name", "input", "classes", "parameters"))?;
    for Row { name, input, classes, parameters, .. } in &rows {
        print(&format!("{name:<16} {:<14} {classes:>7} {parameters:>12}", format!("{input:?}")))?;
    }
    Ok(())
}
