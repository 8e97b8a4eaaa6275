//! `convnet train`

use crate::common::{self, Outcome, RunOn, Task, print, say};
use convnet::backend::Backend;
use convnet::checkpoint::{self, Metadata};
use convnet::data::mnist::{self, Split};
use convnet::data::{Dataset, Pictures};
use convnet::device::DeviceChoice;
use convnet::train::{Config, Epoch, Evaluation, Event, Optimizer, Schedule, evaluate, fit};
use convnet_models::Model;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use std::error::Error;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The defaults train LeNet-5 to 99 % in a minute on two cores.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  convnet train\n  convnet train lenet5 --epochs 3 --out digits.safetensors\n  \
                        convnet train --data my-mnist --optimizer adam --lr 0.001")]
pub struct Arguments {
    /// Which network
    #[arg(default_value = "lenet5")]
    model: String,
    /// Folder with MNIST's four IDX files, plain or .gz; without it, the digits that the program carries
    #[arg(long)]
    data: Option<PathBuf>,
    /// Passes over the training set
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    epochs: u32,
    /// Pictures in a step
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch: u32,
    /// Learning rate
    #[arg(long, default_value_t = 0.03)]
    lr: f64,
    /// sgd or adam
    #[arg(long, default_value = "sgd")]
    optimizer: Optimizer,
    /// Momentum of sgd
    #[arg(long, default_value_t = 0.9)]
    momentum: f64,
    /// L2 penalty on the weights
    #[arg(long, default_value_t = 5e-4)]
    weight_decay: f64,
    /// What the loss of each auxiliary head counts, in the order of the network [default: 0.3 each]
    #[arg(long, value_delimiter = ',')]
    head_weights: Vec<f64>,
    /// How the learning rate changes: constant, cosine or step
    #[arg(long, default_value = "cosine")]
    schedule: Schedule,
    /// Of weights, order and dropout; the same seed gives the same network
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Start from these weights instead of random ones
    #[arg(long)]
    weights: Option<PathBuf>,
    /// Keep random weights where the file has none or some of another shape: a new head
    #[arg(long, requires = "weights")]
    allow_missing: bool,
    /// Use only the first N training pictures
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Where to save the network after each epoch [default: MODEL.safetensors]
    #[arg(long)]
    out: Option<PathBuf>,
    /// Print the final report as JSON
    #[arg(long)]
    json: bool,
    /// Print nothing but the final report
    #[arg(long)]
    quiet: bool,
    #[command(flatten)]
    on: RunOn,
}

pub fn run(arguments: Arguments) -> Outcome {
    arguments.config().check()?;
    let Split { mut train, test } = common::digits(arguments.data.as_deref())?;
    if let Some(limit) = arguments.limit {
        train = train.first(limit as usize);
    }
    let (model, on, seed) = (arguments.model.clone(), arguments.on.clone(), arguments.seed);
    common::run(&model, &on, seed, Train { arguments, train, test })
}

impl Arguments {
    fn config(&self) -> Config {
        Config {
            epochs: self.epochs as usize,
            batch: self.batch as usize,
            optimizer: self.optimizer,
            lr: self.lr,
            momentum: self.momentum,
            weight_decay: self.weight_decay,
            schedule: self.schedule,
            seed: self.seed,
            normalisation: mnist::NORMALISATION,
            head_weights: self.head_weights.clone(),
        }
    }
}

struct Train {
    arguments: Arguments,
    train: Pictures,
    test: Pictures,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    model: &'static str,
    device: String,
    epochs: usize,
    seed: u64,
    train_pictures: usize,
    test_pictures: usize,
    test_accuracy: f64,
    test_loss: f64,
    seconds: f64,
    weights: PathBuf,
    confusion: Vec<Vec<usize>>,
}

impl Task for Train {
    fn run<N: Model, D: Backend<f32>>(self, name: &'static str, device: D, on: DeviceChoice) -> Outcome {
        let Train { arguments, train, test } = self;
        let (train, test) = (common::placed::<N>(train), common::placed::<N>(test));
        let config = arguments.config();
        let out = arguments.out.clone().unwrap_or_else(|| common::default_weights(name));
        let loud = !arguments.quiet;
        let mut net = common::build::<N, D>(name, &device)?;
        if let Some(weights) = &arguments.weights {
            let kept = match arguments.allow_missing {
                true => checkpoint::load_partly::<_, f32, D>(&mut net, weights)?.1,
                false => checkpoint::load::<_, f32, D>(&mut net, weights).map(|_| Vec::new())?,
            };
            if loud && !kept.is_empty() {
                say(&format!("not in {}, so they start anew: {}", weights.display(), kept.join(", ")))?;
            }
        }
        if loud {
            say(&format!(
                "{name}: {} parameters, {} training and {} test pictures, {on} ({} threads), {} epochs of {} steps",
                N::GRAPH.param_count(),
                train.len(),
                test.len(),
                convnet::engine::threads(),
                config.epochs,
                train.len().div_ceil(config.batch),
            ))?;
        }
        let start = Instant::now();
        let bar = bar(loud);
        fit(&mut net, &device, &train, &test, &config, |event, net| {
            match event {
                Event::Step { epoch, step, steps, loss, accuracy, .. } => {
                    if step == 1 {
                        bar.reset();
                        bar.set_length(steps as u64);
                        bar.set_prefix(format!("epoch {epoch}/{}", config.epochs));
                    }
                    bar.set_position(step as u64);
                    let rate = bar.per_sec() * config.batch as f64;
                    bar.set_message(format!(
                        "loss {loss:.4}  accuracy {:.2} %  {rate:.0} pictures/s",
                        accuracy * 100.0
                    ));
                }
                Event::Epoch(done) => {
                    checkpoint::save::<_, f32, D>(net, &out, &metadata(&config, done, &train))?;
                    if loud {
                        let line = line(done, config.epochs, start.elapsed().as_secs_f64());
                        bar.suspend(|| say(&line))?;
                    }
                }
            }
            Ok(())
        })?;
        bar.finish_and_clear();
        let seconds = start.elapsed().as_secs_f64();
        let evaluation = evaluate(&net, &device, &test, config.normalisation)?;
        if arguments.json {
            return common::print_json(&Report {
                model: name,
                device: on.to_string(),
                epochs: config.epochs,
                seed: config.seed,
                train_pictures: train.len(),
                test_pictures: test.len(),
                test_accuracy: evaluation.accuracy(),
                test_loss: evaluation.loss,
                seconds,
                weights: out,
                confusion: evaluation.confusion,
            });
        }
        print(&report(&evaluation, &test.classes))?;
        print(&format!("trained in {seconds:.1} s, saved to {}", out.display()))?;
        next(name, &out, loud)
    }
}

/// A bar on a terminal; nothing elsewhere, where each epoch prints a line anyway.
fn bar(loud: bool) -> ProgressBar {
    let bar = ProgressBar::new(0);
    if !loud || !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    // The template is a constant that is known to be right; a plain bar would do as well.
    let style = ProgressStyle::with_template("{prefix} [{bar:30}] {pos}/{len}  {msg}  {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
    bar
}

fn line(done: &Epoch, epochs: usize, seconds: f64) -> String {
    format!(
        "epoch {}/{epochs}  loss {:.4}  accuracy {:.2} %  test loss {:.4}  test accuracy {:.2} %  {seconds:.1} s",
        done.epoch,
        done.loss,
        done.accuracy * 100.0,
        done.test_loss,
        done.test_accuracy * 100.0
    )
}

fn metadata(config: &Config, done: &Epoch, data: &Pictures) -> Metadata {
    let pair = |key: &str, value: String| (key.to_string(), value);
    Metadata::from([
        pair("epoch", done.epoch.to_string()),
        pair("seed", config.seed.to_string()),
        pair("test_accuracy", done.test_accuracy.to_string()),
        pair("input", format!("{:?}", data.shape)),
        pair("mean", config.normalisation.mean.to_string()),
        pair("std", config.normalisation.std.to_string()),
        pair("classes", data.classes.join(",")),
    ])
}

/// Accuracy and the confusion matrix, as a table.
pub fn report(evaluation: &Evaluation, classes: &[String]) -> String {
    let width = classes.iter().map(String::len).max().unwrap_or(0).max(5);
    let mut text = format!(
        "test accuracy {:.2} % ({} of {}), loss {:.4}\n\nconfusion matrix (rows: what it is, columns: what the network says)\n",
        evaluation.accuracy() * 100.0,
        evaluation.correct(),
        evaluation.total(),
        evaluation.loss
    );
    let cell = |text: String| format!("{text:>width$} ");
    text += &cell(String::new());
    text.extend(classes.iter().map(|class| cell(class.clone())));
    text += "  found\n";
    for ((class, row), recall) in classes.iter().zip(&evaluation.confusion).zip(evaluation.recall()) {
        text += &cell(class.clone());
        text.extend(row.iter().map(|n| cell(if *n == 0 { ".".into() } else { n.to_string() })));
        text += &format!("{:>5.1} %\n", recall * 100.0);
    }
    text
}

fn next(name: &str, out: &Path, loud: bool) -> Result<(), Box<dyn Error>> {
    if loud {
        let weights = match out == common::default_weights(name) {
            true => String::new(),
            false => format!(" --weights {}", out.display()),
        };
        say(&format!("next: convnet predict {name}{weights} PICTURE.png"))?;
    }
    Ok(())
}
