//! The same with the library's own loop, which measures, schedules and checks: what `convnet train` does, in twenty lines.
//!
//! `cargo run --release -p convnet --example train`
#![allow(missing_docs)]

use convnet::data::{Classes, Preparation, Split, mnist};
use convnet::optim::OptimizerKind;
use convnet::prelude::*;
use convnet::train::{Config, Event, Flow, Run, Trainer, evaluate};
use convnet::weights;

cnn! {
    /// A small network with batch normalisation.
    pub struct Small: [1, 28, 28] -> [10] {
        features: {
            conv(8, kernel = 3, pad = 1, bias = false); batch_norm; relu; max_pool(2);
            conv(16, kernel = 3, pad = 1, bias = false); batch_norm; relu; max_pool(2);
        }
        flatten;
        fc: linear(10);
        assert params <= 10_000;
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("{}", Small::summary());
    let data = mnist::bundled()?;
    let data = Split { train: data.train.first(12_800), test: data.test }.shared();
    let dev = Cpu::seed_from_u64(1);
    let mut net = dev.build_module::<Small, f32>();
    let config = Config { epochs: 2, optimizer: OptimizerKind::Adam, lr: 0.003, ..Config::default() };
    let summary = Trainer::new(&mut net, &dev)
        .config(config)
        .callback(|event: Event<'_>, _: &Run<'_>| {
            if let Event::Epoch(epoch) = event {
                println!("epoch {}: test accuracy {:.1} %", epoch.epoch, epoch.metric("test_accuracy") * 100.0);
            }
            Ok(Flow::Continue)
        })
        .train(&data)?;
    println!("{:.2} % of {} digits", summary.evaluation.accuracy() * 100.0, summary.evaluation.images);

    let path = std::env::temp_dir().join("small.safetensors");
    weights::save(&net, &path, &summary.metadata)?;
    // Whoever has the file has all that is needed: how images are prepared (also from files, by `preparation.read`) and the classes.
    let about = weights::load(&mut net, &path)?.metadata;
    let preparation = Preparation::of(&about, Small::graph())?.ok_or("the file says nothing about images")?;
    println!("classes: {}", Classes::of(&about, Small::graph())?.names().join(", "));
    let again = evaluate(&mut net, &dev, &data.test, preparation.into())?;
    println!("after a round trip through {}: {:.1} %", path.display(), again.accuracy() * 100.0);
    Ok(())
}
