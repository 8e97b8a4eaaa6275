//! The program `convnet`: train, evaluate and run networks.
//!
//! A crate that declares networks of its own has the whole program for them by two lines of `main`; `convnet new` writes such a
//! crate:
//!
//! ```no_run
//! use convnet::prelude::*;
//!
//! cnn! {
//!     struct Small<const CLASSES: usize = 5>: [3, 64, 64] -> [CLASSES] {
//!         conv(16, kernel = 3, pad = 1); relu; max_pool(2); flatten; linear(CLASSES);
//!     }
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     convnet_cli::run(&[convnet_cli::declared::<Small>()])
//! }
//! ```
//!
//! One file a subcommand. What a program would read goes to standard output (one JSON document with `--json`), everything
//! else to standard error; an error is one message there and exit code 1, a wrong option exit code 2. A training run that was
//! interrupted ends with 130.
#![forbid(unsafe_code)]

mod bench;
mod check;
mod common;
mod convert;
mod data;
mod describe;
mod devices;
mod diagram;
mod eval;
mod explain;
mod export;
mod filter;
mod golden;
mod import;
mod load;
mod measured;
mod models;
mod network;
mod new;
mod options;
mod own;
mod parity;
mod place;
mod predict;
mod progress;
mod runs;
mod shell;
mod source;
mod summary;
mod train;
mod trained;

pub use own::{Declared, declared};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use convnet::train::TrainError;
use std::process::ExitCode;

/// Train, evaluate and run convolutional networks.
#[derive(Parser)]
#[command(
    name = "convnet",
    version,
    after_help = "Exit codes: 0, all went well; 1, an \
                  error, which is told on standard error; 2, an option that there is not, or a value that it cannot have; 130, a training run \
                  was interrupted, and is saved."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train a network and save it
    Train(train::Arguments),
    /// List training runs, or compare some on one page
    Runs(runs::Arguments),
    /// Measure a trained network on a test set
    Eval(eval::Arguments),
    /// Name the most probable classes of images
    Predict(predict::Arguments),
    /// See what a network has learned
    Explain(Box<explain::Arguments>),
    /// Apply a filter made by hand to an image
    Filter(filter::Arguments),
    /// Count the images of a dataset, or show what augmentation makes of them
    Data(data::Arguments),
    /// Begin a program of your own: write a crate that declares a network and has all these commands for it
    New(new::Arguments),
    /// List the networks that the program knows by name
    Models(models::Arguments),
    /// Show the layers of a network with shapes, parameters and costs
    Summary(summary::Arguments),
    /// Check a network that is declared in a .cnn file, and show its layers
    Check(check::Arguments),
    /// Draw a network, as SVG and as Mermaid
    Diagram(diagram::Arguments),
    /// Convert a weights file to another format
    Convert(convert::Arguments),
    /// Write a network as an ONNX file, for other programs to run
    Export(export::Arguments),
    /// Read the ONNX file of another program as a network
    Import(import::Arguments),
    /// List the devices that networks can run on
    Devices(devices::Arguments),
    /// Measure how fast a network runs
    Bench(bench::Arguments),
    /// Print a script that completes commands and options in a shell
    Completions(shell::Completions),
    /// Print a page of the manual, for man
    Man(shell::Man),
    /// Compare a network with golden values computed by PyTorch
    Parity(parity::Arguments),
}

/// The program's commands and options, under the program's own name wherever they name it.
fn command() -> clap::Command {
    let program = own::program();
    let help = |command: &clap::Command| command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let start = match own::all() {
        [] => format!("Start with `{program} train`: it trains LeNet-5 on the MNIST digits it carries."),
        [first, ..] => format!("Start with `{program} train --data FOLDER`: it trains {}.", first.graph.name),
    };
    let command = Arguments::command();
    let whole = format!("{start}\n\n{}", help(&command));
    let renamed = |inner: clap::Command| match renamed(&help(&inner), &program) {
        help if help.is_empty() => inner,
        help => inner.after_help(help),
    };
    command.name(program.clone()).after_help(whole).mut_subcommands(renamed)
}

/// A help text with the program's name where it says `convnet`, but for words that only end like it (`deconvnet`).
fn renamed(help: &str, program: &str) -> String {
    const NAME: &str = "convnet";
    let (mut text, mut done) = (String::new(), 0);
    for (at, _) in help.match_indices(NAME) {
        text += &help[done..at];
        done = at + NAME.len();
        text += if text.ends_with(|c: char| c.is_alphabetic()) { NAME } else { program };
    }
    text + &help[done..]
}

/// Runs the program with the arguments that it was started with. Beside the networks of the zoo it knows those of `own`, of which
/// the first is meant where no network is named.
pub fn run(own: &[Declared]) -> ExitCode {
    own::set(own);
    let chosen = Arguments::from_arg_matches(&command().get_matches()).unwrap_or_else(|error| error.exit());
    let outcome = match chosen.command {
        Command::Train(arguments) => train::run(arguments),
        Command::Runs(arguments) => runs::run(arguments),
        Command::Eval(arguments) => eval::run(arguments),
        Command::Predict(arguments) => predict::run(arguments),
        Command::Explain(arguments) => explain::run(*arguments),
        Command::Filter(arguments) => filter::run(arguments),
        Command::Data(arguments) => data::run(arguments),
        Command::New(arguments) => new::run(arguments),
        Command::Models(arguments) => models::run(arguments),
        Command::Summary(arguments) => summary::run(arguments),
        Command::Check(arguments) => check::run(arguments),
        Command::Diagram(arguments) => diagram::run(arguments),
        Command::Convert(arguments) => convert::run(arguments),
        Command::Export(arguments) => export::run(arguments),
        Command::Import(arguments) => import::run(arguments),
        Command::Devices(arguments) => devices::run(arguments),
        Command::Bench(arguments) => bench::run(arguments),
        Command::Completions(arguments) => shell::completions(&arguments, command()),
        Command::Man(arguments) => shell::man(&arguments, command()),
        Command::Parity(arguments) => parity::run(arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if common::is_closed_pipe(error.as_ref()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be closed too; then there is nobody left to tell.
            let Some(TrainError::Interrupted { folder, .. }) = error.downcast_ref() else {
                // What is drawn as rustc does it begins with that word already.
                let prefix = if error.is::<network::Drawn>() { "" } else { "error: " };
                let _ = common::say(&format!("{prefix}{error}"));
                return ExitCode::FAILURE;
            };
            let hint = folder
                .as_ref()
                .map(|run| format!("; go on with `{} train --resume --run {}`", own::program(), run.display()));
            let _ = common::say(&format!("{error}{}", hint.unwrap_or_default()));
            ExitCode::from(130)
        }
    }
}
