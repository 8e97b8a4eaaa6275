//! The same with the library's own loop, which measures, schedules and checks: what `convnet train` does, in twenty lines.
//!
//! `cargo run --release -p convnet --example train`
#![allow(missing_docs)]

use convnet::checkpoint;
use convnet::data::mnist::{self, Split};
use convnet::prelude::*;
use convnet::train::{Config, Event, Optimizer, Schedule, evaluate, fit};

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
    let Split { train, test } = mnist::bundled()?;
    let dev = Cpu::seed_from_u64(1);
    let mut net = dev.build_module::<Small, f32>();
    let config = Config {
        epochs: 2,
        batch: 64,
        optimizer: Optimizer::Adam,
        lr: 0.003,
        momentum: 0.0,
        weight_decay: 0.0,
        schedule: Schedule::Cosine,
        seed: 1,
        normalisation: mnist::NORMALISATION,
        head_weights: Vec::new(),
    };
    fit(&mut net, &dev, &train.first(12_800), &test, &config, |event, _| {
        if let Event::Epoch(epoch) = event {
            println!("epoch {}: test accuracy {:.1} %", epoch.epoch, epoch.test_accuracy * 100.0);
        }
        Ok(())
    })?;
    let path = std::env::temp_dir().join("small.safetensors");
    checkpoint::save::<_, f32, Cpu>(&net, &path, &checkpoint::Metadata::new())?;
    checkpoint::load::<_, f32, Cpu>(&mut net, &path)?;
    println!(
        "after a round trip through {}: {:.1} %",
        path.display(),
        evaluate(&net, &dev, &test, config.normalisation)?.accuracy() * 100.0
    );
    Ok(())
}
