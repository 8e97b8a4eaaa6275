//! Chapter "Training": the loss of steps and epochs, learning rates, overfitting, and what helps against it.
//!
//! `cargo run --release -p convnet-book --example training`
#![allow(missing_docs)]

use convnet::prelude::*;
use convnet::train::{Config, Epoch, Event, Flow, Run, Schedule, TrainError, Trainer};
use convnet_book::course::{Chart, Outcome, Page, Series, first_digits};
use convnet_models::LeNet5;
use std::fmt::Write;

cnn! {
    /// LeNet-5 with dropout before each linear layer but the first.
    struct WithDropout: [1, 28, 28] -> [10] {
        conv(6, kernel = 5, pad = 2); relu; max_pool(2);
        conv(16, kernel = 5); relu; max_pool(2);
        flatten;
        linear(120); relu; dropout(0.5);
        linear(84); relu; dropout(0.5);
        linear(10);
    }

    /// LeNet-5 with batch normalisation behind each convolution.
    struct WithBatchNorm: [1, 28, 28] -> [10] {
        conv(6, kernel = 5, pad = 2, bias = false); batch_norm; relu; max_pool(2);
        conv(16, kernel = 5, bias = false); batch_norm; relu; max_pool(2);
        flatten;
        linear(120); relu;
        linear(84); relu;
        linear(10);
    }
}

/// What a run has led to: the loss of each step, and the figures of each epoch.
struct Told {
    losses: Vec<f64>,
    history: Vec<Epoch>,
}

/// Trains on `images` digits, and measures on 1,000 test digits.
fn train(net: &mut dyn convnet::net::AnyNetwork<f32, Cpu>, images: usize, config: Config) -> Result<Told, TrainError> {
    let data = first_digits(images, 1_000)?.shared();
    let mut losses = Vec::new();
    // ANCHOR: trainer
    let summary = Trainer::new(net, &Cpu::default())
        .config(config)
        .callback(|event: Event<'_>, _: &Run<'_>| {
            if let Event::Step(step) = event {
                losses.push(step.loss);
            }
            Ok(Flow::Continue)
        })
        .train(&data)?;
    // ANCHOR_END: trainer
    Ok(Told { history: summary.history, losses })
}

fn lenet5() -> LeNet5 {
    Cpu::seed_from_u64(1).build_module::<LeNet5, f32>()
}

pub fn training(page: &mut Page) -> Outcome {
    first_steps(page)?;
    rates(page)?;
    overfitting(page)?;
    remedies(page)
}

fn first_steps(page: &mut Page) -> Outcome {
    page.part("first");
    let told = train(&mut lenet5(), 6_400, Config { epochs: 1, ..Config::default() })?;
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    writeln!(page, "loss of the first step: ~{:.2}; the natural logarithm of 10: {:.2}", told.losses[0], 10_f64.ln())?;
    writeln!(page, "mean loss of the last ten of {} steps: ~{:.2}", told.losses.len(), mean(&told.losses[90..]))?;
    writeln!(
        page,
        "accuracy on 1000 test digits after this epoch: ~{:.1} %",
        100.0 * told.history[0].metric("test_accuracy")
    )?;
    Ok(())
}

fn rates(page: &mut Page) -> Outcome {
    page.part("rates");
    let (mut series, mut reached) = (Vec::new(), Vec::new());
    for lr in [0.0003, 0.003, 0.03, 0.3] {
        let config = Config { epochs: 1, lr, schedule: Schedule::Constant, ..Config::default() };
        let told = train(&mut lenet5(), 6_400, config)?;
        let smooth = |(i, part): (usize, &[f64])| [10.0 * i as f64 + 5.0, part.iter().sum::<f64>() / part.len() as f64];
        let points: Vec<[f64; 2]> = told.losses.chunks(10).enumerate().map(smooth).collect();
        writeln!(page, "learning rate {lr}: mean loss of the last ten of 100 steps ~{:.2}", points[9][1])?;
        reached.push(points[9][1]);
        series.push(Series::new(format!("learning rate {lr}"), points));
    }
    assert!(reached.iter().all(|loss| *loss >= reached[2]) && reached[2] < 0.6 && reached[3] > 1.0, "{reached:?}");
    page.drawing("training-rates", &Chart { x: "step", y: "loss, mean of ten steps", log: false, series }.svg())
}

fn overfitting(page: &mut Page) -> Outcome {
    page.part("overfitting");
    let config = Config { epochs: 40, schedule: Schedule::Constant, weight_decay: 0.0, ..Config::default() };
    let Told { history, .. } = train(&mut lenet5(), 500, config)?;
    let curve = |name: &str, of: fn(&Epoch) -> f64| {
        Series::new(name, history.iter().map(|epoch| [epoch.epoch as f64, of(epoch)]))
    };
    let series = vec![
        curve("500 digits it learns from", |epoch| epoch.loss),
        curve("1000 test digits", |epoch| epoch.test_loss),
    ];
    let (last, best) = (
        &history[history.len() - 1],
        history.iter().min_by(|a, b| a.test_loss.total_cmp(&b.test_loss)).ok_or("no epoch")?,
    );
    assert!(best.epoch < 30 && last.test_loss > 1.1 * best.test_loss && last.loss < 0.01, "no overfitting: {last:?}");
    writeln!(
        page,
        "the last of {} epochs on 500 digits: loss ~{:.4} while training, ~{:.2} on test digits",
        last.epoch, last.loss, last.test_loss
    )?;
    writeln!(
        page,
        "accuracy: ~{:.1} % while training, ~{:.1} % on test digits",
        100.0 * last.metric("accuracy"),
        100.0 * last.metric("test_accuracy")
    )?;
    writeln!(page, "the lowest test loss on the way was ~{:.2}", best.test_loss)?;
    page.drawing("training-overfitting", &Chart { x: "epoch", y: "loss", log: false, series }.svg())
}

fn remedies(page: &mut Page) -> Outcome {
    page.part("remedies");
    let plain = || Config { epochs: 40, ..Config::default() };
    let augmented = Config { augment: vec!["crop(pad = 2)".parse()?, "rotate(10)".parse()?], ..plain() };
    let (dev, mut losses) = (|| Cpu::seed_from_u64(1), Vec::new());
    for (name, told) in [
        ("nothing", train(&mut lenet5(), 1_000, plain())?),
        ("dropout", train(&mut dev().build_module::<WithDropout, f32>(), 1_000, plain())?),
        ("batch normalisation", train(&mut dev().build_module::<WithBatchNorm, f32>(), 1_000, plain())?),
        ("augmentation", train(&mut lenet5(), 1_000, augmented)?),
        ("ten times the digits", train(&mut lenet5(), 10_000, Config { epochs: 4, ..plain() })?),
    ] {
        let last = &told.history[told.history.len() - 1];
        losses.push(last.test_loss);
        writeln!(
            page,
            "{name}: loss ~{:.3} while training, ~{:.3} on test digits; accuracy ~{:.1} %",
            last.loss,
            last.test_loss,
            100.0 * last.metric("test_accuracy")
        )?;
    }
    let [nothing, dropout, norm, augmented, more] = losses[..] else { return Err("five networks were trained".into()) };
    assert!(more < augmented && augmented < dropout.min(norm) && dropout.max(norm) < nothing, "{losses:?}");
    Ok(())
}

fn main() -> Outcome {
    Page::show(training)
}
