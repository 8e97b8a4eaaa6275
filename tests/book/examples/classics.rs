//! Chapter "LeNet, AlexNet, VGG": their counts, where their weights are, and their diagrams.
//!
//! `cargo run --release -p convnet-book --example classics`
#![allow(missing_docs)]

use convnet::diagram;
use convnet::graph::{Graph, Op};
use convnet::prelude::*;
use convnet_book::course::{Outcome, Page};
use convnet_models::{AlexNet, AlexNet2012, LeNet5, LeNet1998, Vgg11, Vgg16, Vgg19};
use std::fmt::Write;

/// Parameters and multiplications of the layers that a question is about.
// ANCHOR: share
fn share(graph: &Graph, of: impl Fn(&Op) -> bool) -> [f64; 2] {
    let chosen = || graph.nodes.iter().filter(|node| of(&node.op));
    let params: usize = chosen().map(|node| node.params).sum();
    let macs: u64 = chosen().map(|node| node.macs).sum();
    [params as f64 / graph.param_count() as f64, macs as f64 / graph.mac_count() as f64]
}
// ANCHOR_END: share

pub fn classics(page: &mut Page) -> Outcome {
    let graphs = [
        LeNet1998::<f32, Cpu>::graph(),
        LeNet5::<f32, Cpu>::graph(),
        AlexNet2012::<1000>::graph(),
        AlexNet::<1000>::graph(),
        Vgg11::<1000>::graph(),
        Vgg16::<1000>::graph(),
        Vgg19::<1000>::graph(),
    ];
    let of_kind = |graph: &Graph, kind: fn(&Op) -> bool| graph.nodes.iter().filter(|node| kind(&node.op)).count();
    let (is_conv, is_linear): (fn(&Op) -> bool, fn(&Op) -> bool) =
        (|op| matches!(op, Op::Conv(_)), |op| matches!(op, Op::Linear { .. }));
    page.part("table");
    writeln!(page, "network      input        conv  linear   parameters  multiplications  linear: params  work")?;
    for graph in graphs {
        let [c, h, w] = graph.input().chw();
        let [params, macs] = share(graph, is_linear);
        writeln!(
            page,
            "{:12} {:12} {:4}  {:6} {:12} {:16}  {:12.0} % {:3.0} %",
            graph.name,
            format!("{c}x{h}x{w}"),
            of_kind(graph, is_conv),
            of_kind(graph, is_linear),
            graph.param_count(),
            graph.mac_count(),
            100.0 * params,
            100.0 * macs
        )?;
    }
    for (name, graph) in [("lenet5", graphs[1]), ("alexnet", graphs[3]), ("vgg16", graphs[5])] {
        page.drawing(&format!("classics-{name}"), &diagram::svg(graph))?;
    }
    Ok(())
}

fn main() -> Outcome {
    Page::show(classics)
}
