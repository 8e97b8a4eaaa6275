//! Chapter "Why convolutions": how many weights a map needs, and what it means that they are shared.
//!
//! `cargo run --release -p convnet-book --example convolution`
#![allow(missing_docs)]

use convnet::explain::Volume;
use convnet::prelude::*;
use convnet::report::paint;
use convnet_book::course::{Outcome, Page, digit, frame, grey, moved, upscaled};
use std::fmt::Write;

// ANCHOR: networks
cnn! {
    /// Every output is a weighted sum of every pixel.
    struct Connected: [1, 7, 7] -> [25] {
        flatten;
        layer: linear(25, bias = false);
    }

    /// Every output is a weighted sum of the 3x3 pixels around it, with the same nine weights everywhere.
    struct Convolved: [1, 7, 7] -> [1, 5, 5] {
        layer: conv(1, kernel = 3, bias = false);
    }
}
// ANCHOR_END: networks

cnn! {
    struct ConnectedDigit: [1, 28, 28] -> [784] { flatten; linear(784, bias = false); }
    struct ConvolvedDigit: [1, 28, 28] -> [1, 28, 28] { layer: conv(1, kernel = 3, pad = 1, bias = false); }
}

/// A filter that answers to edges from the upper left to the lower right.
const KERNEL: [f32; 9] = [2.0, 1.0, 0.0, 1.0, 0.0, -1.0, 0.0, -1.0, -2.0];

pub fn convolution(page: &mut Page) -> Outcome {
    page.part("counts");
    writeln!(page, "from 7x7 to 5x5 pixels, fully connected: {} weights", Connected::PARAMS)?;
    writeln!(page, "from 7x7 to 5x5 pixels, a 3x3 convolution: {} weights", Convolved::PARAMS)?;
    writeln!(page, "from 28x28 to 28x28 pixels, fully connected: {} weights", ConnectedDigit::PARAMS)?;
    writeln!(page, "from 28x28 to 28x28 pixels, a 3x3 convolution: {} weights", ConvolvedDigit::PARAMS)?;
    same_answers(page)?;
    translation(page)
}

/// The matrix of the fully connected layer that computes what the convolution does, row by row of 49 weights.
// ANCHOR: matrix
fn matrix() -> Vec<f32> {
    let mut weights = vec![0.0; 25 * 49];
    for (row, column) in (0..5).flat_map(|row| (0..5).map(move |column| (row, column))) {
        for (i, weight) in KERNEL.iter().enumerate() {
            let pixel = (row + i / 3) * 7 + column + i % 3;
            weights[(row * 5 + column) * 49 + pixel] = *weight;
        }
    }
    weights
}
// ANCHOR_END: matrix

fn same_answers(page: &mut Page) -> Outcome {
    let dev = Cpu::default();
    // ANCHOR: same
    let mut connected = dev.build_module::<Connected, f32>();
    let mut convolved = dev.build_module::<Convolved, f32>();
    connected.layer.weight.copy_from(&matrix());
    convolved.layer.weight.copy_from(&KERNEL);

    let image: Tensor<Rank3<1, 7, 7>, f32, _> = dev.tensor(part_of_a_seven()?);
    let by_matrix: Tensor<Rank1<25>, f32, _> = connected.forward(image.clone());
    let by_filter: Tensor<Rank3<1, 5, 5>, f32, _> = convolved.forward(image);
    // ANCHOR_END: same
    let differences = by_matrix.as_vec().into_iter().zip(by_filter.as_vec()).map(|(a, b)| (a - b).abs());
    let largest = differences.fold(0.0_f32, f32::max);
    let (weights, mut seen) = (matrix(), Vec::new());
    let used: Vec<f32> = weights.iter().copied().filter(|weight| *weight != 0.0).collect();
    used.iter().for_each(|weight| {
        if !seen.contains(weight) {
            seen.push(*weight)
        }
    });
    assert!(largest < 1e-5, "the two layers differ by {largest}");
    page.part("same");
    writeln!(
        page,
        "the matrix of the convolution: {} numbers, of which {} may differ from zero and {} never do",
        weights.len(),
        25 * KERNEL.len(),
        weights.len() - 25 * KERNEL.len()
    )?;
    writeln!(page, "the largest difference between the answers of the two layers is below 0.00001")?;
    let matrix = paint::signed(&Volume::new([1, 25, 49], weights));
    page.picture("convolution-matrix", &upscaled(&matrix, 10))
}

/// 7x7 pixels in the middle of a seven.
fn part_of_a_seven() -> Result<Vec<f32>, convnet::data::DataError> {
    let seven = digit(0)?;
    Ok((0..49).map(|i| seven.at(0, 6 + i / 7, 12 + i % 7)).collect())
}

fn translation(page: &mut Page) -> Outcome {
    let dev = Cpu::default();
    let mut net = dev.build_module::<ConvolvedDigit, f32>();
    net.layer.weight.copy_from(&KERNEL);
    // ANCHOR: moved
    let seven = digit(0)?;
    let answer = |image: &Volume| {
        let pixels: Tensor<Rank3<1, 28, 28>, f32, _> = dev.tensor(image.values.clone());
        Volume::new([1, 28, 28], net.forward(pixels).as_vec())
    };
    let moved_first = answer(&moved(&seven, -3, 4));
    let moved_after = moved(&answer(&seven), -3, 4);
    // ANCHOR_END: moved
    let differing = moved_first.values.iter().zip(&moved_after.values).filter(|(a, b)| (*a - *b).abs() > 1e-5).count();
    page.part("moved");
    writeln!(page, "pixels of 784 in which moving first and moving after differ: {differing}")?;
    let pictures =
        [grey(&seven), paint::signed(&answer(&seven)), grey(&moved(&seven, -3, 4)), paint::signed(&moved_first)];
    page.picture("convolution-moved", &frame(&pictures.map(|picture| upscaled(&picture, 5))))
}

fn main() -> Outcome {
    Page::show(convolution)
}
