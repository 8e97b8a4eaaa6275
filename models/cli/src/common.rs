//! What several subcommands share: printing, options, data.

use crate::network::Network;
use convnet::backend::Backend;
use convnet::device::{DeviceChoice, OnDevice};
use convnet::distributed::{self, Communicator};
use convnet::wording::counted;
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::io::{self, Write};

/// What a subcommand gives back.
pub type Outcome = Result<(), Box<dyn Error>>;

/// Options about where to run.
#[derive(clap::Args, Clone)]
pub struct RunOn {
    /// auto, cpu, cuda or cuda:N; auto takes CUDA where it is compiled in and works [default: auto]
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<DeviceChoice>,
    /// Threads on the CPU; 0 means one for each core. Results do not depend on it
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=1024))]
    pub threads: u16,
    /// fast: by the fastest algorithms; exact: convolutions as plain sums, without Winograd's transforms [default: fast]
    #[arg(long)]
    pub precision: Option<Precision>,
}

/// How exactly convolutions are computed on the CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    #[default]
    Fast,
    Exact,
}

impl RunOn {
    /// For one of several processes, which share the cores and devices of their machine.
    pub fn shared(mut self, ranks: &dyn Communicator) -> Self {
        let place = distributed::launch::place(ranks);
        if self.threads == 0 {
            self.threads = place.threads as u16;
        }
        if self.device() == DeviceChoice::Auto {
            self.device = Some(DeviceChoice::own(place.local_rank));
        }
        self
    }

    /// The device that is asked for.
    pub fn device(&self) -> DeviceChoice {
        self.device.unwrap_or(DeviceChoice::Auto)
    }

    /// Sets the number of threads and the precision.
    pub fn prepare(&self) -> Result<(), Box<dyn Error>> {
        convnet::engine::set_precision(match self.precision.unwrap_or_default() {
            Precision::Fast => convnet::engine::Precision::Fast,
            Precision::Exact => convnet::engine::Precision::Exact,
        });
        let threads = usize::from(self.threads);
        convnet::engine::set_threads(threads)
            .map_err(|error| format!("cannot start {}: {error}", counted(threads, "thread")).into())
    }
}

/// A subcommand's work, once the network and the device are known.
pub trait Task {
    /// Does it.
    fn run<D: Backend<f32>>(self, network: Network, device: D, on: DeviceChoice) -> Outcome;
}

/// Does `task` with the network on the device that `on` asks for, whose random numbers start from `seed`.
pub fn run(network: Network, on: &RunOn, seed: u64, task: impl Task) -> Outcome {
    on.prepare()?;
    // What is Rust runs where its type does.
    let device = match on.device() {
        DeviceChoice::Auto if network.source().is_none() => DeviceChoice::Cpu,
        device => device,
    };
    device.run(seed, Placed { network, task })?
}

struct Placed<T> {
    network: Network,
    task: T,
}

impl<T: Task> OnDevice for Placed<T> {
    type Output = Outcome;

    fn run<D: Backend<f32>>(self, device: D, on: DeviceChoice) -> Outcome {
        self.task.run(self.network, device, on)
    }
}

/// Writes a line to standard output.
pub fn print(text: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// Writes a line to standard error.
pub fn say(text: &str) -> io::Result<()> {
    writeln!(io::stderr().lock(), "{text}")
}

/// Text from a file, such as the name of a class, so that it cannot move the cursor of a terminal.
pub fn printable(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

/// Rows of a table with columns that begin below each other.
pub fn aligned(rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| printable(cell)).collect()).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_string()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Writes a JSON document to standard output.
pub fn print_json(value: &impl Serialize) -> Outcome {
    Ok(print(&serde_json::to_string_pretty(value)?)?)
}

/// Whether an error only says that the reader of our output has gone.
pub fn is_closed_pipe(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// The median of some numbers.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[middle],
        _ => (values[middle - 1] + values[middle]) / 2.0,
    }
}
