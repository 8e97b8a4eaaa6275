//! Chapter "What a unit deep in the network sees": receptive fields, by arithmetic and by gradients.
//!
//! `cargo run --release -p convnet-book --example receptive_field`
// Parts of networks, which see little of their input on purpose.
#![allow(deprecated)]
#![allow(missing_docs)]

use convnet::explain::field::{Effective, effective};
use convnet::explain::{NetworkView, Place, Unit, Volume, saliency};
use convnet::graph::{Graph, Op};
use convnet::net::AnyNetwork;
use convnet::prelude::*;
use convnet::report::paint;
use convnet_book::course::{Outcome, Page, frame, prepared, upscaled};
use convnet_models::{AlexNet, LeNet5, ResNet18, Vgg16};
use std::fmt::Write;

// ANCHOR: networks
cnn! {
    /// Three convolutions of 3x3, one upon another, from 16 channels to 16 channels.
    struct Three: [16, 15, 15] -> [16, 9, 9] {
        repeat 3 { conv(16, kernel = 3, bias = false); }
    }

    /// One of 7x7.
    struct One: [16, 15, 15] -> [16, 9, 9] {
        conv(16, kernel = 7, bias = false);
    }

    /// Three small convolutions, each of which looks at every channel by itself.
    struct ThreeDepthwise: [16, 15, 15] -> [16, 9, 9] {
        repeat 3 { depthwise(kernel = 3, bias = false); }
    }

    struct OneDepthwise: [16, 15, 15] -> [16, 9, 9] {
        depthwise(kernel = 7, bias = false);
    }
}
// ANCHOR_END: networks

cnn! {
    /// Ten convolutions, whose last units see 21x21 pixels.
    struct Deep: [1, 28, 28] -> [8, 28, 28] {
        repeat 9 { conv(8, kernel = 3, pad = 1); relu; }
        last: conv(8, kernel = 3, pad = 1);
    }
}

pub fn receptive_field(page: &mut Page) -> Outcome {
    counted(page)?;
    by_gradients(page)?;
    layer_by_layer(page)?;
    looked_at(page)
}

fn counted(page: &mut Page) -> Outcome {
    page.part("counted");
    for (name, field, params, macs) in [
        ("three 3x3 convolutions", Three::RECEPTIVE_FIELD, Three::PARAMS, Three::MACS),
        ("one 7x7 convolution", One::RECEPTIVE_FIELD, One::PARAMS, One::MACS),
        (
            "three 3x3, each channel by itself",
            ThreeDepthwise::RECEPTIVE_FIELD,
            ThreeDepthwise::PARAMS,
            ThreeDepthwise::MACS,
        ),
        ("one 7x7, each channel by itself", OneDepthwise::RECEPTIVE_FIELD, OneDepthwise::PARAMS, OneDepthwise::MACS),
    ] {
        writeln!(page, "{name}: sees {}x{} pixels, {params} weights, {macs} multiplications", field[0], field[1])?;
    }
    assert_eq!([Three::PARAMS, One::PARAMS], [27 * 16 * 16, 49 * 16 * 16]);
    assert_eq!([ThreeDepthwise::PARAMS, OneDepthwise::PARAMS], [27 * 16, 49 * 16]);
    Ok(writeln!(
        page,
        "with C = 16: 27 C^2 = {}, 49 C^2 = {}, 27 C = {}, 49 C = {}",
        27 * 16 * 16,
        49 * 16 * 16,
        27 * 16,
        49 * 16
    )?)
}

/// The pixels of any channel that have a gradient of one unit in the middle.
fn seen(net: &dyn AnyNetwork<f32, Cpu>) -> Result<Volume, Box<dyn std::error::Error>> {
    // ANCHOR: seen
    let graph = net.graph();
    let unit = Unit::new(graph, graph.output(), 0, Place::At([4, 4]))?;
    let image = Volume::filled(graph.input().chw(), 1.0);
    let gradient = saliency::gradient(&*NetworkView::new(net, &Cpu::default()), unit, &image)?;
    // ANCHOR_END: seen
    Ok(gradient.flattened())
}

fn by_gradients(page: &mut Page) -> Outcome {
    page.part("gradients");
    let dev = Cpu::seed_from_u64(1);
    let (three, one) = (dev.build_module::<Three, f32>(), dev.build_module::<One, f32>());
    let mut pictures = Vec::new();
    for (name, net) in [("three 3x3", &three as &dyn AnyNetwork<f32, Cpu>), ("one 7x7", &one)] {
        let map = seen(net)?;
        let inside = |i: usize| (4..11).contains(&(i / 15)) && (4..11).contains(&(i % 15));
        assert!(
            (0..225).all(|i| (map.values[i] != 0.0) == inside(i)),
            "{name}: the field is not the 7x7 in the middle"
        );
        let pixels = map.values.iter().filter(|x| **x != 0.0).count();
        writeln!(page, "{name}: pixels of 15x15 with a gradient: {pixels}")?;
        pictures.push(upscaled(&paint::strength(&map), 12));
    }
    page.picture("receptive-field-gradients", &frame(&pictures))
}

fn layer_by_layer(page: &mut Page) -> Outcome {
    page.part("layers");
    writeln!(page, "LeNet-5, layer by layer:")?;
    let spatial = |op: &Op| matches!(op, Op::Conv(_) | Op::Pool(_));
    for node in LeNet5::<f32, Cpu>::graph().nodes.iter().filter(|node| spatial(&node.op)) {
        let ([h, w], [jump, _]) = (node.receptive_field, node.jump);
        writeln!(page, "  {:8} sees {h:2}x{w:<2}, neighbours are {jump} pixels apart", node.name)?;
    }
    for graph in [AlexNet::<1000>::graph(), Vgg16::<1000>::graph(), ResNet18::<1000>::graph()] {
        let ([field, _], [_, side, _]) = (graph.receptive_field(), graph.input().chw());
        writeln!(page, "{}: the last map sees {field} pixels along a side, of {side}", graph.name)?;
    }
    Ok(())
}

fn looked_at(page: &mut Page) -> Outcome {
    page.part("effective");
    let net = Cpu::seed_from_u64(1).build_module::<Deep, f32>();
    let images = (0..64).map(prepared).collect::<Result<Vec<_>, _>>()?;
    let graph: &Graph = Deep::<f32, Cpu>::graph();
    let view = NetworkView::new(&net, &Cpu::default());
    let mut total = Volume::filled([1, 28, 28], 0.0);
    let mut can_see = 0;
    for channel in 0..8 {
        let Effective { map, theoretical, .. } =
            effective(&*view, graph.output(), channel, [14, 14], &images, &mut |_, _| {})?;
        total = total.zip(&map, |a, b| a + b);
        can_see = theoretical.rows[1] - theoretical.rows[0];
    }
    let within = |radius: usize| -> f64 {
        let near = |i: &usize| (i / 28).abs_diff(14) <= radius && (i % 28).abs_diff(14) <= radius;
        (0..784).filter(near).map(|i| f64::from(total.values[i])).sum::<f64>() / total.sum()
    };
    assert!(within(10) > 0.9999);
    writeln!(page, "ten 3x3 convolutions see {can_see}x{can_see} pixels")?;
    writeln!(
        page,
        "of the gradient, {:.0} % lies in the middle 11x11, which is {:.0} % of these pixels",
        100.0 * within(5),
        100.0 * 121.0 / 441.0
    )?;
    page.picture("receptive-field-effective", &upscaled(&paint::strength(&total), 10))
}

fn main() -> Outcome {
    Page::show(receptive_field)
}
