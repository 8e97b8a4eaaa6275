//! `convnet devices`

use crate::common::{self, Outcome, print};
use serde::Serialize;

#[derive(clap::Args)]
pub struct Arguments {
    /// Print the list as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Device {
    name: String,
    description: String,
    usable: bool,
    problem: Option<String>,
}

pub fn run(arguments: Arguments) -> Outcome {
    let devices = convnet::device::available().into_iter().map(|device| Device {
        usable: device.problem.is_none(),
        name: device.name,
        description: device.description,
        problem: device.problem,
    });
    let devices: Vec<Device> = devices.collect();
    if arguments.json {
        return common::print_json(&devices);
    }
    for Device { name, description, problem, .. } in devices {
        let state = problem.map_or("usable".to_string(), |problem| format!("not usable: {problem}"));
        print(&format!("{name}: {description}; {state}"))?;
    }
    Ok(())
}
