//! What the training loop costs: LeNet-5 on 64 digits a step, in turns by the trainer with its log and curves, by a loop
//! written by hand over the same batches, and by a step on one batch again and again. Medians of all steps, in microseconds.
//!
//! Not criterion's: the three have to take turns within one process, and a step of the trainer cannot be called alone.
//!
//! `cargo bench -p convnet-benches --bench trainer`

use convnet::data::fit::Fit;
use convnet::data::{Batch, Loader, LoaderOptions, Normalisation, NormalisationKind, Pipeline, Split, mnist};
use convnet::optim::{Method, Optimizer, ParamOptions, Step};
use convnet::prelude::*;
use convnet::report::{JsonLines, TensorBoard};
use convnet::train::{Config, Event, Flow, Run, Trainer, loss};
use convnet_models::{LeNet5, Model};
use std::error::Error;
use std::time::Instant;

type Net = <LeNet5 as Model>::On<Cpu>;

const BATCH: usize = 64;
/// In an epoch.
const STEPS: usize = 150;
const ROUNDS: usize = 12;

/// A network that learns by a hand-written loop.
struct Bare {
    net: Net,
    sgd: Optimizer,
    gradients: Option<Gradients<f32, Cpu>>,
}

impl Bare {
    fn step(&mut self, dev: &Cpu, batch: Batch) -> Result<f32, Box<dyn Error>> {
        let images = batch.labels.len();
        let x: Tensor<(usize, Const<1>, Const<28>, Const<28>), f32, Cpu> =
            dev.tensor_from_vec(batch.pixels, (images, Const, Const, Const));
        let targets = dev.tensor_from_vec(batch.targets, (images, 10));
        let gradients = self.gradients.take().ok_or("no gradients")?;
        let outputs = convnet::net::forward_mut(&mut self.net, x.traced(gradients), images)?;
        let (_, loss) = loss(outputs, targets, &[])?;
        let value = loss.array();
        let mut gradients = loss.backward();
        self.sgd.step(&mut self.net, &mut gradients, &Step::new(0.01))?;
        self.gradients = Some(gradients);
        Ok(value)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let dev = Cpu::seed_from_u64(1);
    let data = mnist::bundled()?;
    let data = Split { train: data.train.first(BATCH * STEPS), test: data.test.first(10) }.shared();
    let normalisation = Normalisation::named("mnist", 1)?;
    let loader = Loader::new(
        data.train.clone(),
        Pipeline::plain([1, 28, 28], Fit::default(), normalisation),
        LoaderOptions { batch: BATCH, ..LoaderOptions::default() },
    );
    let fixed = loader.epoch(0, 0).next().ok_or("no batch")??;
    let net = dev.build_module::<Net, f32>();
    let sgd = Optimizer::new(&net, Method::Sgd { momentum: 0.9, nesterov: false }, |_| ParamOptions::default());
    let gradients = Some(net.alloc_grads());
    let mut bare = Bare { net, sgd, gradients };
    let mut learning = dev.build_module::<Net, f32>();
    let mut times: [Vec<f64>; 4] = Default::default();
    let mut time = |which: usize, seconds: f64| times[which].push(seconds * 1e6);
    for round in 0..=ROUNDS {
        // The first round warms up.
        let mut time = |which, seconds| {
            if round > 0 {
                time(which, seconds)
            }
        };
        for _ in 0..STEPS {
            let batch = fixed.clone();
            let start = Instant::now();
            bare.step(&dev, batch)?;
            time(0, start.elapsed().as_secs_f64());
        }
        let mut batches = loader.epoch(round, 0);
        loop {
            let start = Instant::now();
            let Some(batch) = batches.next() else { break };
            bare.step(&dev, batch?)?;
            time(1, start.elapsed().as_secs_f64());
        }
        trained(&mut learning, &dev, &data, &mut time)?;
    }
    report(times);
    Ok(())
}

/// Trains for one epoch. From one step's end to the next one's: all that the loop does, and all callbacks.
fn trained(net: &mut Net, dev: &Cpu, data: &Split, time: &mut dyn FnMut(usize, f64)) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let config =
        Config { epochs: 1, batch: BATCH, lr: 0.01, normalisation: NormalisationKind::Mnist, ..Config::default() };
    let mut last = None;
    Trainer::new(net, dev)
        .config(config)
        .folder(folder.path())
        .callback(JsonLines::new(folder.path().join("log.jsonl")))
        .callback(TensorBoard::new(folder.path()))
        .callback(|event: Event<'_>, _: &Run<'_>| {
            if let Event::Step(step) = event {
                let now = Instant::now();
                if let Some(last) = last.replace(now) {
                    time(2, now.duration_since(last).as_secs_f64());
                }
                time(3, step.waited);
            }
            Ok(Flow::Continue)
        })
        .train(data)?;
    Ok(())
}

/// Prints the medians of four lists of microseconds.
fn report(times: [Vec<f64>; 4]) {
    let [fixed, by_hand, trainer, waited] = times.map(|mut values| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    });
    println!("one batch again and again: {fixed:.0}");
    println!("by hand: {by_hand:.0}");
    println!(
        "trainer: {trainer:.0}, {waited:.0} of it waiting; {:+.1} % of by hand",
        100.0 * (trainer / by_hand - 1.0)
    );
}
