//! The program `convnet`: train, evaluate and run the networks of the zoo.
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
mod devices;
mod diagram;
mod eval;
mod explain;
mod filter;
mod golden;
mod load;
mod models;
mod network;
mod options;
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

use clap::{CommandFactory, Parser, Subcommand};
use convnet::train::TrainError;
use std::process::ExitCode;

/// Train, evaluate and run convolutional networks.
#[derive(Parser)]
#[command(
    name = "convnet",
    version,
    after_help = "Start with `convnet train`: it trains LeNet-5 on the MNIST digits it carries.\n\nExit codes: 0, all went well; 1, an \
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
    /// List the networks of the zoo
    Models(models::Arguments),
    /// Show the layers of a network with shapes, parameters and costs
    Summary(summary::Arguments),
    /// Check a network that is declared in a .cnn file, and show its layers
    Check(check::Arguments),
    /// Draw a network, as SVG and as Mermaid
    Diagram(diagram::Arguments),
    /// Convert a weights file to another format
    Convert(convert::Arguments),
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

/// Runs the program with the arguments that it was started with.
pub fn run() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Train(arguments) => train::run(arguments),
        Command::Runs(arguments) => runs::run(arguments),
        Command::Eval(arguments) => eval::run(arguments),
        Command::Predict(arguments) => predict::run(arguments),
        Command::Explain(arguments) => explain::run(*arguments),
        Command::Filter(arguments) => filter::run(arguments),
        Command::Data(arguments) => data::run(arguments),
        Command::Models(arguments) => models::run(arguments),
        Command::Summary(arguments) => summary::run(arguments),
        Command::Check(arguments) => check::run(arguments),
        Command::Diagram(arguments) => diagram::run(arguments),
        Command::Convert(arguments) => convert::run(arguments),
        Command::Devices(arguments) => devices::run(arguments),
        Command::Bench(arguments) => bench::run(arguments),
        Command::Completions(arguments) => shell::completions(&arguments, Arguments::command()),
        Command::Man(arguments) => shell::man(&arguments, Arguments::command()),
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
            let hint =
                folder.as_ref().map(|run| format!("; go on with `convnet train --resume --run {}`", run.display()));
            let _ = common::say(&format!("{error}{}", hint.unwrap_or_default()));
            ExitCode::from(130)
        }
    }
}
