//! Chapter "GoogLeNet and ResNet": what an inception module and a bottleneck save, counts, and diagrams.
//!
//! `cargo run --release -p convnet-book --example deeper`
// Parts of networks, which see little of their input on purpose.
#![allow(deprecated)]
#![allow(missing_docs)]

use convnet::diagram;
use convnet::graph::Op;
use convnet::prelude::*;
use convnet_book::course::{Outcome, Page};
use convnet_models::{AlexNet, GoogLeNet2014, ResNet18, ResNet34, ResNet50, ResNet152, Vgg16, Vgg19};
use std::fmt::Write;

// ANCHOR: inception
cnn! {
    /// Five by five pixels of 192 channels.
    struct Direct: [192, 28, 28] -> [32, 28, 28] {
        conv(32, kernel = 5, pad = 2);
    }

    /// A convolution of one pixel leaves 16 channels for the same large one.
    struct Reduced: [192, 28, 28] -> [32, 28, 28] {
        conv(16, kernel = 1); relu;
        conv(32, kernel = 5, pad = 2);
    }

    /// GoogLeNet's first module: four answers to the same question, side by side.
    struct Inception: [192, 28, 28] -> [256, 28, 28] {
        concat {
            ones: { conv(64, kernel = 1); relu; }
            threes: { conv(96, kernel = 1); relu; conv(128, kernel = 3, pad = 1); relu; }
            fives: { conv(16, kernel = 1); relu; conv(32, kernel = 5, pad = 2); relu; }
            pooled: { max_pool(3, stride = 1, pad = 1); conv(32, kernel = 1); relu; }
        }
    }
}
// ANCHOR_END: inception

// ANCHOR: residual
cnn! {
    /// ResNet-18's kind of block: the layers compute what is to be added to their input.
    struct Basic: [256, 14, 14] -> [256, 14, 14] {
        residual {
            conv(256, kernel = 3, pad = 1, bias = false); batch_norm; relu;
            conv(256, kernel = 3, pad = 1, bias = false); batch_norm;
        }
        relu;
    }

    /// ResNet-50's: the 3x3 convolution works on a quarter of the channels.
    struct Bottleneck: [256, 14, 14] -> [256, 14, 14] {
        residual {
            conv(64, kernel = 1, bias = false); batch_norm; relu;
            conv(64, kernel = 3, pad = 1, bias = false); batch_norm; relu;
            conv(256, kernel = 1, bias = false); batch_norm;
        }
        relu;
    }
}
// ANCHOR_END: residual

pub fn deeper(page: &mut Page) -> Outcome {
    page.part("inception");
    writeln!(page, "5x5 from 192 to 32 channels: {} weights, {} multiplications", Direct::PARAMS, Direct::MACS)?;
    writeln!(page, "the same behind 16 channels:  {} weights, {} multiplications", Reduced::PARAMS, Reduced::MACS)?;
    const { assert!(Direct::PARAMS > 9 * Reduced::PARAMS && Direct::MACS > 9 * Reduced::MACS) };
    page.part("bottleneck");
    writeln!(
        page,
        "two 3x3 convolutions of 256 channels: {} weights; a bottleneck: {}",
        Basic::PARAMS,
        Bottleneck::PARAMS
    )?;
    page.part("table");
    writeln!(page, "network         conv  linear   parameters  multiplications  in linear layers")?;
    let graphs = [
        AlexNet::<1000>::graph(),
        Vgg16::<1000>::graph(),
        Vgg19::<1000>::graph(),
        GoogLeNet2014::<1000>::graph(),
        ResNet18::<1000>::graph(),
        ResNet34::<1000>::graph(),
        ResNet50::<1000>::graph(),
        ResNet152::<1000>::graph(),
    ];
    for graph in graphs {
        let used = || graph.nodes.iter().filter(|node| !node.auxiliary);
        let params: usize = used().map(|node| node.params).sum();
        let linear = used().filter(|node| matches!(node.op, Op::Linear { .. }));
        let in_linear: usize = linear.clone().map(|node| node.params).sum();
        let convs = used().filter(|node| matches!(node.op, Op::Conv(_))).count();
        writeln!(
            page,
            "{:14} {convs:5}  {:6} {params:12} {:16}  {:14.0} %",
            graph.name,
            linear.count(),
            graph.mac_count(),
            100.0 * in_linear as f64 / params as f64
        )?;
    }
    for (name, graph) in [
        ("inception", Inception::<f32, Cpu>::graph()),
        ("basic", Basic::<f32, Cpu>::graph()),
        ("bottleneck", Bottleneck::<f32, Cpu>::graph()),
        ("googlenet", GoogLeNet2014::<1000>::graph()),
        ("resnet18", ResNet18::<1000>::graph()),
    ] {
        page.drawing(&format!("deeper-{name}"), &diagram::svg(graph))?;
    }
    Ok(())
}

fn main() -> Outcome {
    Page::show(deeper)
}
