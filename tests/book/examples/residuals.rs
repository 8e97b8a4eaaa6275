//! Chapter "Why residuals keep gradients alive": the length of the gradient at each layer of networks of 20 and 56 layers, with and
//! without residuals, before the first step and after some.
//!
//! `cargo run --release -p convnet-book --example residuals`
#![allow(missing_docs)]

use convnet::data::fit::Fit;
use convnet::data::{Loader, LoaderOptions, Normalisation, Pipeline};
use convnet::language::{Sizes, read};
use convnet::net::{AnyNetwork, DynNetwork, forward_mut, gradients, named_tensors, set_named_tensors};
use convnet::optim::{Method, Optimizer, ParamOptions, Step, each_gradient};
use convnet::prelude::*;
use convnet_book::course::{Chart, Outcome, Page, Series, first_digits};
use std::fmt::Write;
use std::sync::Arc;

// ANCHOR: text
/// 6n + 2 layers as in ResNet (He et al., 2015, section 4.2); SKIP (whether there are residuals) and NORM are 1 or 0.
const TEXT: &str = "
    block pair(out, stride, norm) {
        conv(out, kernel = 3, stride, pad = 1); if norm == 1 { batch_norm; } relu;
        conv(out, kernel = 3, pad = 1); if norm == 1 { batch_norm; }
    }
    block unit(out, stride, residual, norm) {
        if residual == 1 {
            residual { pair(out, stride, norm); }
            shortcut if stride > 1 { avg_pool(1, stride); channel_pad(channels / 2); }
        } else {
            pair(out, stride, norm);
        }
        relu;
    }
    struct Net: [1, 28, 28] -> [10] {
        conv(8, kernel = 3, pad = 1); if NORM == 1 { batch_norm; } relu;
        repeat COUNT { unit(8, 1, SKIP, NORM); }
        unit(16, 2, SKIP, NORM);
        repeat COUNT - 1 { unit(16, 1, SKIP, NORM); }
        unit(32, 2, SKIP, NORM);
        repeat COUNT - 1 { unit(32, 1, SKIP, NORM); }
        global_avg_pool;
        linear(10);
    }";
// ANCHOR_END: text

/// How a network is made: 6n + 2 layers, with what, and how large its first weights are.
#[derive(Clone, Copy)]
struct Kind {
    n: usize,
    residual: bool,
    norm: bool,
    /// Times the weights that `cnn!` begins with, which are PyTorch's.
    gain: f32,
}

impl Kind {
    fn name(self) -> String {
        format!("{} layers, {}", 6 * self.n + 2, if self.residual { "residual" } else { "plain" })
    }

    fn network(self) -> Result<DynNetwork, Box<dyn std::error::Error>> {
        let number = |yes: bool| if yes { "1" } else { "0" };
        let text = TEXT.replace("COUNT", &self.n.to_string());
        let text = text.replace("SKIP", number(self.residual)).replace("NORM", number(self.norm));
        let graph = read(&text, &Sizes::default())?.remove(0).graph;
        let mut net = DynNetwork::build(Arc::new(graph), &Cpu::seed_from_u64(1))?;
        let kernels = named_tensors::<f32, Cpu>(&net)?.into_iter().filter(|tensor| tensor.shape.len() == 4);
        let scaled: Vec<(String, Vec<f32>)> =
            kernels.map(|tensor| (tensor.name, tensor.values.iter().map(|x| x * self.gain).collect())).collect();
        set_named_tensors(&mut net, &scaled);
        Ok(net)
    }
}

/// The loss of each step, and the length of the gradient of each convolution's weights in the first and in the last one.
struct Measured {
    losses: Vec<f64>,
    first: Vec<f64>,
    last: Vec<f64>,
}

fn measured(kind: Kind, steps: usize) -> Result<Measured, Box<dyn std::error::Error>> {
    let (dev, mut net) = (Cpu::default(), kind.network()?);
    let pipeline = Pipeline::plain([1, 28, 28], Fit::Auto, Normalisation::named("mnist", 1)?);
    let data = Arc::new(first_digits(64 * steps, 1)?.train);
    let loader = Loader::new(data, pipeline, LoaderOptions { batch: 64, seed: 1, ..Default::default() });
    let method = Method::Sgd { momentum: 0.9, nesterov: false };
    let mut optimizer = Optimizer::new(&net, method, |_| ParamOptions::default());
    let is_kernel: Vec<bool> =
        AnyNetwork::<f32, Cpu>::graph(&net).params.iter().map(|param| param.shape.len() == 4).collect();
    let mut taken = gradients::<f32, Cpu>(&net)?;
    let (mut losses, mut norms) = (Vec::new(), Vec::new());
    for batch in loader.epoch(1, 0) {
        let batch = batch?;
        // ANCHOR: step
        let images: Tensor<Rank4<64, 1, 28, 28>, f32, _> = dev.tensor(batch.pixels);
        let targets: Tensor<Rank2<64, 10>, f32, _> = dev.tensor(batch.targets);
        let logits = forward_mut(&mut net, images.traced(taken), 64)?.next(Rank2::<64, 10>::default())?;
        let loss = cross_entropy_with_logits_loss(logits, targets);
        losses.push(f64::from(loss.array()));
        taken = loss.backward();
        let mut lengths = Vec::new();
        each_gradient(&mut net, &mut taken, &mut |parameter, gradient| {
            if is_kernel[parameter] {
                lengths.push(gradient.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt());
            }
        })?;
        // ANCHOR_END: step
        norms.push(lengths);
        optimizer.step(&mut net, &mut taken, &Step::new(0.05))?;
    }
    let (first, last) = (norms[0].clone(), norms.pop().unwrap_or_default());
    Ok(Measured { losses, first, last })
}

/// Both depths, without and with residuals.
fn kinds(norm: bool, gain: f32) -> [Kind; 4] {
    [(3, false), (3, true), (9, false), (9, true)].map(|(n, residual)| Kind { n, residual, norm, gain })
}

pub fn residuals(page: &mut Page) -> Outcome {
    page.part("halved");
    writeln!(page, "one half, 55 times over: {:.0e}", 0.5_f64.powi(55))?;
    page.part("usual");
    let usual = begun(page, "residuals-usual", kinds(false, 1.0))?;
    assert!(usual[2] < 1e-15 && usual[0] < 1e-5 && usual[3] > 1e-3, "{usual:?}");
    page.part("larger");
    let larger = begun(page, "residuals-larger", kinds(false, 6_f32.sqrt()))?;
    assert!(larger[2] > 1e-4 && larger[3] > 1e2, "{larger:?}");
    page.part("normalised");
    let normalised = begun(page, "residuals-normalised", kinds(true, 1.0))?;
    assert!(normalised[2] > 10.0 && normalised[3] < 10.0, "{normalised:?}");
    page.part("trained");
    trained(page)
}

/// The gradients before the first step; gives those of each network's first layer.
fn begun(page: &mut Page, figure: &str, kinds: [Kind; 4]) -> Result<Vec<f64>, Box<dyn std::error::Error>> {
    let (mut series, mut firsts) = (Vec::new(), Vec::new());
    for kind in kinds {
        let Measured { first, losses, .. } = measured(kind, 1)?;
        let (front, end) = (first[0], first[first.len() - 1]);
        writeln!(
            page,
            "{}: gradient at the first convolution ~{front:.0e}, at the last ~{end:.0e}; loss ~{:.1}",
            kind.name(),
            losses[0]
        )?;
        series.push(curve(kind, &first));
        firsts.push(front);
    }
    page.drawing(
        figure,
        &Chart { x: "convolution, from the input on", y: "length of the gradient", log: true, series }.svg(),
    )?;
    Ok(firsts)
}

fn curve(kind: Kind, lengths: &[f64]) -> Series {
    Series::new(kind.name(), (1..).zip(lengths).map(|(layer, length)| [f64::from(layer), *length]))
}

/// Trains the networks with batch normalisation, which is how such networks are trained, and draws what comes of it.
fn trained(page: &mut Page) -> Outcome {
    const STEPS: usize = 30;
    let (mut series, mut lengths, mut reached) = (Vec::new(), Vec::new(), Vec::new());
    for kind in kinds(true, 1.0) {
        let Measured { losses, last, .. } = measured(kind, STEPS)?;
        let end = losses[STEPS - 5..].iter().sum::<f64>() / 5.0;
        writeln!(page, "{}: mean loss of the last 5 of {STEPS} steps ~{end:.2}", kind.name())?;
        series.push(Series::new(kind.name(), (1..).zip(&losses).map(|(step, loss)| [f64::from(step), *loss])));
        lengths.push(curve(kind, &last));
        reached.push(end);
    }
    assert!(reached[2] > reached[0] + 0.3 && reached[2] > reached[3] + 0.3, "{reached:?}");
    page.drawing("residuals-loss", &Chart { x: "step", y: "loss", log: false, series }.svg())?;
    page.drawing(
        "residuals-later",
        &Chart { x: "convolution, from the input on", y: "length of the gradient", log: true, series: lengths }.svg(),
    )
}

fn main() -> Outcome {
    Page::show(residuals)
}
