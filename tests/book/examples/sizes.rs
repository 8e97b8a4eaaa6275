//! Chapter "Stride, padding, dilation": the size of what comes out, and which pixels are read.
//!
//! `cargo run --release -p convnet-book --example sizes`
#![allow(missing_docs)]

use convnet::explain::{NetworkView, Place, Unit, Volume, saliency};
use convnet::language::{Sizes, read};
use convnet::net::DynNetwork;
use convnet::prelude::*;
use convnet::report::paint;
use convnet_book::course::{Outcome, Page, digit, frame, grey, upscaled};
use std::fmt::Write;
use std::sync::Arc;

// ANCHOR: formula
/// Outputs along one side of `n` pixels: every place where the whole window fits, counted in strides.
fn outputs(n: usize, kernel: usize, stride: usize, pad: usize, dilation: usize) -> usize {
    let window = dilation * (kernel - 1) + 1;
    (n + 2 * pad - window) / stride + 1
}
// ANCHOR_END: formula

/// Side, kernel, stride, padding, dilation.
const CASES: [[usize; 5]; 8] = [
    [28, 5, 1, 0, 1],
    [28, 5, 1, 2, 1],
    [28, 3, 1, 1, 1],
    [28, 2, 2, 0, 1],
    [28, 5, 2, 0, 1],
    [28, 3, 2, 1, 1],
    [224, 7, 2, 3, 1],
    [28, 3, 1, 0, 2],
];

pub fn sizes(page: &mut Page) -> Outcome {
    page.part("table");
    writeln!(page, "side  kernel  stride  pad  dilation    outputs  by the formula")?;
    for [n, kernel, stride, pad, dilation] in CASES {
        let text = format!(
            "struct Net: [1, {n}, {n}] -> [1, ?, ?] {{ conv(1, kernel = {kernel}, stride = {stride}, pad = {pad}, dilation = {dilation}); }}"
        );
        let expected = outputs(n, kernel, stride, pad, dilation);
        let found =
            read(&text.replace('?', &expected.to_string()), &Sizes::default())?[0].graph.output_shape().chw()[1];
        assert_eq!(found, expected, "the language and the formula agree");
        writeln!(page, "{n:4}  {kernel:6}  {stride:6}  {pad:3}  {dilation:8}    {found:7}  {expected:14}")?;
    }
    refused(page)?;
    left_out(page)?;
    what_is_read(page)?;
    pictures(page)
}

/// What the language says of a kernel that fits nowhere.
fn refused(page: &mut Page) -> Outcome {
    page.part("refused");
    let text = "struct Net: [1, 4, 4] -> [1, 1, 1] { conv(1, kernel = 5); }";
    let mistakes = read(text, &Sizes::default()).err().ok_or("a kernel of 5 fits into 4 pixels")?;
    Ok(writeln!(page, "a kernel of 5 on 4 pixels: {}", mistakes.all()[0].message)?)
}

/// A network of one convolution with random weights.
fn single(layer: &str, side: usize, out: usize) -> Result<DynNetwork, Box<dyn std::error::Error>> {
    let text = format!("struct Net: [1, {side}, {side}] -> [1, {out}, {out}] {{ {layer} }}");
    let graph = read(&text, &Sizes::default())?.remove(0).graph;
    Ok(DynNetwork::build(Arc::new(graph), &Cpu::seed_from_u64(1))?)
}

/// The gradient of an output, or of the mean of all, at each pixel.
fn gradient(net: &DynNetwork, place: Place) -> Result<Volume, Box<dyn std::error::Error>> {
    use convnet::net::AnyNetwork;
    let graph = AnyNetwork::<f32, Cpu>::graph(net);
    let unit = Unit::new(graph, 1, 0, place)?;
    let image = Volume::filled(graph.input().chw(), 0.5);
    Ok(saliency::gradient(&*NetworkView::new(net, &Cpu::default()), unit, &image)?)
}

fn left_out(page: &mut Page) -> Outcome {
    page.part("left_out");
    let net = single("conv(1, kernel = 5, stride = 2);", 28, 12)?;
    let map = gradient(&net, Place::Everywhere)?;
    let unread: Vec<usize> = (0..28).filter(|row| (0..28).all(|x| map.at(0, *row, x) == 0.0)).collect();
    Ok(writeln!(page, "kernel 5 with stride 2 on 28 rows, counted from 0: rows that no output reads: {unread:?}")?)
}

fn what_is_read(page: &mut Page) -> Outcome {
    page.part("dilation");
    let mut maps = Vec::new();
    for (layer, out) in [
        ("conv(1, kernel = 3);", 9),
        ("conv(1, kernel = 3, dilation = 2);", 7),
        ("conv(1, kernel = 3, dilation = 3);", 5),
    ] {
        let map = gradient(&single(layer, 11, out)?, Place::At([out / 2, out / 2]))?;
        let read = |line: &dyn Fn(usize, usize) -> f32| {
            (0..11).filter(|i| (0..11).any(|j| line(*i, j) != 0.0)).collect::<Vec<_>>()
        };
        let rows = read(&|i, j| map.at(0, i, j));
        let pixels = map.values.iter().filter(|x| **x != 0.0).count();
        let span = rows[rows.len() - 1] - rows[0] + 1;
        writeln!(page, "`{layer}`: {pixels} pixels out of {span}x{span}")?;
        let seen = Volume::new([1, 11, 11], map.values.iter().map(|x| f32::from(u8::from(*x != 0.0))).collect());
        maps.push(upscaled(&paint::strength(&seen), 14));
    }
    page.picture("sizes-dilation", &frame(&maps))
}

fn pictures(page: &mut Page) -> Outcome {
    use convnet::explain::{Inspectable, responses::activation};
    use convnet::net::set_named_tensors;
    let image = digit(18)?;
    let mut row = vec![upscaled(&grey(&image), 5)];
    let blurred = vec![1.0 / 9.0; 9];
    for (layer, out) in [
        ("c: conv(1, kernel = 3, bias = false);", 26),
        ("c: conv(1, kernel = 3, pad = 4, bias = false);", 34),
        ("c: conv(1, kernel = 3, stride = 2, bias = false);", 13),
    ] {
        let mut net = single(layer, 28, out)?;
        set_named_tensors::<f32, Cpu>(&mut net, &[("c.weight".into(), blurred.clone())]);
        let view = NetworkView::new(&net, &Cpu::default());
        let network: &dyn Inspectable = &*view;
        row.push(upscaled(&grey(&activation(network, 1, &image)?), 5));
    }
    page.picture("sizes-pictures", &frame(&row))
}

fn main() -> Outcome {
    Page::show(sizes)
}
