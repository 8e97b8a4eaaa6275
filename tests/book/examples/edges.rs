//! Chapter "Filters that find edges": filters made by hand on real digits, and one that is learned.
//!
//! `cargo run --release -p convnet-book --example edges`
#![allow(missing_docs)]

use convnet::dfdx::optim::{Optimizer, Sgd, SgdConfig};
use convnet::explain::Volume;
use convnet::explain::kernel::Kernel;
use convnet::prelude::*;
use convnet::report::paint::{self, Scale};
use convnet_book::course::{Outcome, Page, digit, frame, grey, upscaled};
use std::fmt::Write;

/// The names of `convnet filter` for filters of 3x3 weights.
const NAMED: [&str; 5] = ["blur", "sobel-x", "sobel-y", "laplace", "sharpen"];

pub fn edges(page: &mut Page) -> Outcome {
    difference(page)?;
    named(page)?;
    learned(page)
}

/// What `convnet filter IMAGE --kernel "1 -1"` does.
fn difference(page: &mut Page) -> Outcome {
    // ANCHOR: difference
    let seven = digit(0)?;
    let kernel: Kernel = "1 -1".parse()?;
    let edges = kernel.apply(&seven, false)?;
    // ANCHOR_END: difference
    let [_, height, width] = edges.shape;
    let of_sign = |sign: f32| edges.values.iter().filter(|x| **x * sign > 0.0).count();
    let ink = seven.values.iter().filter(|x| **x > 0.0).count();
    let row = |volume: &Volume| -> Vec<String> { (12..22).map(|x| format!("{:5.2}", volume.at(0, 16, x))).collect() };
    page.part("row");
    writeln!(page, "row 16, columns 12 to 21, of the seven:  {}", row(&seven).join(" "))?;
    writeln!(page, "after the filter:                        {}", row(&edges).join(" "))?;
    writeln!(
        page,
        "the seven has {ink} pixels of ink; of the {height}x{width} results {} are negative, {} positive",
        of_sign(-1.0),
        of_sign(1.0)
    )?;
    let flat = Volume::filled([1, 5, 5], 0.8);
    writeln!(
        page,
        "on a flat patch of grey: {:.1} everywhere",
        kernel.apply(&flat, false)?.constant().ok_or("an edge in a flat patch")?.abs()
    )?;
    let images = [0, 2, 18].map(digit);
    let mut row = Vec::new();
    for image in images {
        let image = image?;
        row.push(upscaled(&grey(&image), 4));
        row.push(upscaled(&paint::signed(&kernel.apply(&image, true)?), 4));
    }
    page.picture("edges-difference", &frame(&row))
}

fn named(page: &mut Page) -> Outcome {
    page.part("sums");
    let image = digit(18)?;
    let mut row = vec![upscaled(&grey(&image), 4)];
    for name in NAMED {
        let kernel: Kernel = name.parse()?;
        let found = kernel.apply(&image, true)?;
        writeln!(page, "{name}: the weights add up to {:.0}", kernel.values.iter().sum::<f32>().abs())?;
        row.push(upscaled(
            &if found.range()[0] < 0.0 { Scale::signed(&found).paint(&found) } else { paint::stretched(&found) },
            4,
        ));
    }
    page.picture("edges-named", &frame(&row))?;
    // ANCHOR: length
    let x = "sobel-x".parse::<Kernel>()?.apply(&image, true)?;
    let y = "sobel-y".parse::<Kernel>()?.apply(&image, true)?;
    let length = x.zip(&y, f32::hypot);
    // ANCHOR_END: length
    let strongest = |volume: &Volume| volume.range()[1];
    page.part("length");
    writeln!(page, "the strongest edge of the digit, of at most {:.2}: {:.2}", 20_f32.sqrt(), strongest(&length))?;
    page.picture(
        "edges-length",
        &frame(&[&grey(&image), &paint::strength(&length)].map(|picture| upscaled(picture, 5))),
    )
}

// ANCHOR: learner
cnn! {
    /// Two weights, side by side.
    struct Two: [1, 28, 28] -> [1, 28, 27] {
        filter: conv(1, kernel = (1, 2), bias = false);
    }
}
// ANCHOR_END: learner

fn learned(page: &mut Page) -> Outcome {
    page.part("learned");
    let kernel: Kernel = "1 -1".parse()?;
    let (mut images, mut wanted) = (Vec::new(), Vec::new());
    for index in 0..16 {
        let image = digit(index)?;
        wanted.extend(kernel.apply(&image, false)?.values);
        images.extend(image.values);
    }
    // ANCHOR: learned
    let dev = Cpu::seed_from_u64(1);
    let mut net = dev.build_module::<Two, f32>();
    let mut sgd = Sgd::new(&net, SgdConfig { lr: 2.0, ..SgdConfig::default() });
    let images: Tensor<Rank4<16, 1, 28, 28>, f32, _> = dev.tensor(images);
    let wanted: Tensor<Rank4<16, 1, 28, 27>, f32, _> = dev.tensor(wanted);
    for step in 0..=200 {
        let loss = mse_loss(net.forward_mut(images.leaky_trace()), wanted.clone());
        if step % 50 == 0 {
            let weights = net.filter.weight.as_vec();
            writeln!(
                page,
                "after {step} steps: weights {:.2} {:.2}, loss {:.4}",
                weights[0],
                weights[1],
                loss.array()
            )?;
        }
        let gradients = loss.backward();
        sgd.update(&mut net, &gradients)?;
    }
    // ANCHOR_END: learned
    let weights = net.filter.weight.as_vec();
    assert!((weights[0] - 1.0).abs() < 0.01 && (weights[1] + 1.0).abs() < 0.01, "{weights:?} is not [1, -1]");
    Ok(())
}

fn main() -> Outcome {
    Page::show(edges)
}
