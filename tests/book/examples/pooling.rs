//! Chapter "Pooling": what is left of a map, and how little it changes when the image is shifted or turned.
//!
//! `cargo run --release -p convnet-book --example pooling`
#![allow(missing_docs)]

use convnet::data::Normalisation;
use convnet::explain::invariance::{Change, invariance};
use convnet::explain::responses::activation;
use convnet::explain::{NetworkView, Volume};
use convnet::net::AnyNetwork;
use convnet::prelude::*;
use convnet_book::course::{Chart, Outcome, Page, Series, digit, frame, grey, turned, upscaled};
use std::fmt::Write;

cnn! {
    struct MaxPool: [1, 28, 28] -> [1, 7, 7] { max_pool(4); }
    struct AvgPool: [1, 28, 28] -> [1, 7, 7] { avg_pool(4); }
}

// ANCHOR: spatial
cnn! {
    /// Edges in eight directions, and three kinds of pooling beside each other.
    struct Spatial: [1, 28, 28] -> [24] {
        edges: conv(8, kernel = 3, pad = 1, bias = false);
        relu: relu;
        pool: concat {
            two: { max_pool(2); global_max_pool; }
            four: { max_pool(4); global_max_pool; }
            means: { avg_pool(4); global_max_pool; }
        }
    }
}
// ANCHOR_END: spatial

// ANCHOR: channels
/// The number of templates: the same digit at so many angles.
const TEMPLATES: usize = 7;

cnn! {
    /// Each channel compares the whole image with one template; the largest answer is kept.
    struct Across: [1, 28, 28] -> [1, 1, 1] {
        templates: conv(7, kernel = 28, bias = false);
        best: channel_max_pool(7);
    }
}
// ANCHOR_END: channels

pub fn pooling(page: &mut Page) -> Outcome {
    kinds(page)?;
    shifted(page)?;
    across_channels(page)
}

fn kinds(page: &mut Page) -> Outcome {
    page.part("kinds");
    let dev = Cpu::default();
    let image = digit(18)?;
    let (max, avg) = (dev.build_module::<MaxPool, f32>(), dev.build_module::<AvgPool, f32>());
    let [max, avg] =
        [&max as &dyn AnyNetwork<f32, Cpu>, &avg].map(|net| activation(&*NetworkView::new(net, &dev), 1, &image));
    let (max, avg) = (max?, avg?);
    let window: Vec<f32> = (0..16).map(|i| image.at(0, 12 + i / 4, 12 + i % 4)).collect();
    let rows: Vec<String> =
        window.chunks(4).map(|row| row.iter().map(|x| format!("{x:.2}")).collect::<Vec<_>>().join(" ")).collect();
    writeln!(page, "4x4 pixels of a digit:\n  {}", rows.join("\n  "))?;
    writeln!(page, "their maximum: {:.2}, their mean: {:.2}", max.at(0, 3, 3), avg.at(0, 3, 3))?;
    let largest = window.iter().fold(0.0_f32, |a, b| a.max(*b));
    assert!(largest == max.at(0, 3, 3) && (window.iter().sum::<f32>() / 16.0 - avg.at(0, 3, 3)).abs() < 1e-6);
    page.picture(
        "pooling-kinds",
        &frame(&[upscaled(&grey(&image), 6), upscaled(&grey(&max), 24), upscaled(&grey(&avg), 24)]),
    )
}

/// A filter that answers to an edge whose bright side lies in a direction, the k-th of eight.
fn edge(k: usize) -> Vec<f32> {
    let (sin, cos) = (std::f32::consts::PI / 4.0 * k as f32).sin_cos();
    (0..9).map(|i| cos * (i % 3) as f32 - cos + sin * (i / 3) as f32 - sin).collect()
}

fn shifted(page: &mut Page) -> Outcome {
    page.part("shifted");
    let dev = Cpu::default();
    let mut net = dev.build_module::<Spatial, f32>();
    net.edges.weight.copy_from(&(0..8).flat_map(edge).collect::<Vec<_>>());
    let images = (0..100).map(digit).collect::<Result<Vec<Volume>, _>>()?;
    let graph = Spatial::<f32, Cpu>::graph();
    let node = |name: &str| {
        graph.find(name).ok_or(format!(
            "no layer {name} in {:?}",
            graph.nodes.iter().map(|n| n.name.to_string()).collect::<Vec<_>>()
        ))
    };
    let layers = [
        ("edges, before any pooling", node("relu")?),
        ("after max_pool(2)", node("pool.two.0")?),
        ("after max_pool(4)", node("pool.four.0")?),
        ("after avg_pool(4)", node("pool.means.0")?),
    ];
    let none = Normalisation { mean: vec![0.0], std: vec![1.0] };
    let nodes = layers.map(|(_, node)| node);
    let found = invariance(
        &*NetworkView::new(&net, &dev),
        &nodes,
        &images,
        &none,
        Change::Shift,
        &[1.0, 2.0, 3.0, 4.0],
        &mut |_, _| {},
    )?;
    writeln!(
        page,
        "change of the values, as a share of their length, when 100 digits are moved by 1, 2, 3, 4 pixels:"
    )?;
    for ((name, _), response) in layers.iter().zip(&found) {
        let changes: Vec<String> = response.changes.iter().map(|change| format!("{change:.2}")).collect();
        writeln!(page, "  {name:26} {}", changes.join("  "))?;
    }
    for i in 0..4 {
        let [before, two, four, mean] = [0, 1, 2, 3].map(|layer: usize| found[layer].changes[i]);
        assert!(four < two && two < before && mean < before, "pooling does not help at {} pixels", i + 1);
    }
    Ok(())
}

fn across_channels(page: &mut Page) -> Outcome {
    page.part("turned");
    let dev = Cpu::default();
    // ANCHOR: templates
    let five = digit(15)?;
    let angles: Vec<f64> = (0..TEMPLATES).map(|i| 20.0 * i as f64 - 60.0).collect();
    let templates: Vec<f32> = angles.iter().flat_map(|angle| normalised(&turned(&five, *angle))).collect();
    let mut net = dev.build_module::<Across, f32>();
    net.templates.weight.copy_from(&templates);
    // ANCHOR_END: templates
    let view = NetworkView::new(&net, &dev);
    let (mut single, mut pooled) = (Vec::new(), Vec::new());
    for step in 0..=24 {
        let angle = 5.0 * f64::from(step) - 60.0;
        let image = Volume::new([1, 28, 28], normalised(&turned(&five, angle)));
        let answers = activation(&*view, 1, &image)?;
        single.push([angle, f64::from(answers.values[TEMPLATES / 2])]);
        pooled.push([angle, f64::from(activation(&*view, 2, &image)?.values[0])]);
    }
    let least = |curve: &[[f64; 2]]| curve.iter().fold(f64::INFINITY, |least, point| least.min(point[1]));
    writeln!(
        page,
        "a five turned from -60 to 60 degrees, compared with itself upright: at least {:.2}",
        least(&single)
    )?;
    writeln!(
        page,
        "the same, pooled over {TEMPLATES} channels with templates every 20 degrees: at least {:.2}",
        least(&pooled)
    )?;
    assert!(least(&pooled) > 2.0 * least(&single));
    let row: Vec<_> = angles.iter().map(|angle| upscaled(&grey(&turned(&five, *angle)), 3)).collect();
    page.picture("pooling-templates", &frame(&row))?;
    let series = vec![
        Series::new("one channel: the upright template", single),
        Series::new("the largest of seven channels", pooled),
    ];
    page.drawing("pooling-turned", &Chart { x: "degrees", y: "likeness (1 is the same)", log: false, series }.svg())
}

/// Less its mean and divided by its length, so that the product of two images is their correlation.
fn normalised(image: &Volume) -> Vec<f32> {
    let mean = image.sum() as f32 / image.values.len() as f32;
    let length = image.values.iter().map(|x| (x - mean).powi(2)).sum::<f32>().sqrt();
    image.values.iter().map(|x| (x - mean) / length).collect()
}

fn main() -> Outcome {
    Page::show(pooling)
}
