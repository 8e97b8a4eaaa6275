//! Times ResNet-18 on images of other sizes than its own, for `peers/scaling.py`: the arguments and the JSON are those of
//! `convnet bench`, as far as that script needs them.
//!
//! A program of its own, behind a feature, since ten networks more would cost everybody the time to compile them.
#![forbid(unsafe_code)]

use clap::Parser;
use convnet::engine;
use convnet::net::AnyNetwork;
use convnet::predict::Predictor;
use convnet::prelude::*;
use std::error::Error;
use std::time::Instant;

/// ResNet-18 in inference, on random images.
#[derive(Parser)]
struct Arguments {
    /// Only resnet18.
    model: String,
    /// Only infer.
    #[arg(long)]
    mode: String,
    /// Images of a call.
    #[arg(long)]
    batch: usize,
    /// Height and width.
    #[arg(long)]
    size: usize,
    /// Threads.
    #[arg(long)]
    threads: usize,
    /// Timed rounds.
    #[arg(long)]
    repeats: usize,
    /// fast or exact.
    #[arg(long, default_value = "fast", value_parser = ["fast", "exact"])]
    precision: String,
    /// The only form there is.
    #[arg(long)]
    json: bool,
}

convnet_models::resnet18! { struct At64: [3, 64, 64] -> [1000] }
convnet_models::resnet18! { struct At96: [3, 96, 96] -> [1000] }
convnet_models::resnet18! { struct At128: [3, 128, 128] -> [1000] }
convnet_models::resnet18! { struct At160: [3, 160, 160] -> [1000] }
convnet_models::resnet18! { struct At192: [3, 192, 192] -> [1000] }
convnet_models::resnet18! { struct At224: [3, 224, 224] -> [1000] }
convnet_models::resnet18! { struct At256: [3, 256, 256] -> [1000] }
convnet_models::resnet18! { struct At320: [3, 320, 320] -> [1000] }
convnet_models::resnet18! { struct At384: [3, 384, 384] -> [1000] }
convnet_models::resnet18! { struct At448: [3, 448, 448] -> [1000] }

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let Arguments { model, mode, size, threads, precision, .. } = &arguments;
    if (model.as_str(), mode.as_str()) != ("resnet18", "infer") {
        return Err(format!("only `resnet18 --mode infer`, not `{model} --mode {mode}`").into());
    }
    engine::set_threads(*threads)?;
    if precision == "exact" {
        engine::set_precision(engine::Precision::Exact);
    }
    let dev = Cpu::default();
    match size {
        64 => time(&dev.build_module::<At64, f32>(), &arguments),
        96 => time(&dev.build_module::<At96, f32>(), &arguments),
        128 => time(&dev.build_module::<At128, f32>(), &arguments),
        160 => time(&dev.build_module::<At160, f32>(), &arguments),
        192 => time(&dev.build_module::<At192, f32>(), &arguments),
        224 => time(&dev.build_module::<At224, f32>(), &arguments),
        256 => time(&dev.build_module::<At256, f32>(), &arguments),
        320 => time(&dev.build_module::<At320, f32>(), &arguments),
        384 => time(&dev.build_module::<At384, f32>(), &arguments),
        448 => time(&dev.build_module::<At448, f32>(), &arguments),
        other => Err(format!("no ResNet-18 for images of {other} pixels").into()),
    }
}

fn time(net: &dyn AnyNetwork<f32, Cpu>, arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let Arguments { batch, repeats, precision, .. } = arguments;
    let predictor = Predictor::new(net, *batch)?;
    let images: Vec<f32> = (0..batch * predictor.input_len()).map(|i| (i * 7919 % 1009) as f32 / 504.5 - 1.0).collect();
    let mut logits = vec![0.0; batch * predictor.output_len()];
    let start = Instant::now();
    let mut warm = 0;
    while warm < 3 || start.elapsed().as_millis() < 300 {
        predictor.predict(&images, &mut logits)?;
        warm += 1;
    }
    let calls = ((0.05 / start.elapsed().as_secs_f64() * f64::from(warm)) as usize).max(1);
    let mut rounds = Vec::new();
    for _ in 0..(*repeats).max(1) {
        let start = Instant::now();
        for _ in 0..calls {
            predictor.predict(&images, &mut logits)?;
        }
        rounds.push(start.elapsed().as_secs_f64() / calls as f64 * 1e3);
    }
    rounds.sort_by(f64::total_cmp);
    let isa = engine::Isa::detect().name();
    println!("{{\"median_ms\": {}, \"isa\": \"{isa}\", \"precision\": \"{precision}\"}}", rounds[rounds.len() / 2]);
    Ok(())
}
