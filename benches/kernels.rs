//! The engine's kernels one by one, under criterion, at the shapes that well-known networks have: frozen networks of hardly
//! more than the layer, of which only the layer's own stages are timed, not the way of numbers into the engine's layout and
//! back. Elements are multiply-adds, as many as the direct algorithm takes, so Winograd may go beyond the machine's peak.
//!
//! `cargo bench -p convnet-benches --bench kernels -- 'conv 3x3'`
#![allow(missing_docs)] // criterion's macros make items without docs.

use convnet::engine::profile::{self, Entry};
use convnet::engine::{Precision, set_precision};
use convnet::net::{Map, Network};
use convnet::predict::Predictor;
use convnet::prelude::*;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::time::Duration;

// A convolution that reads the network's input takes it as it comes, and never goes by Winograd. A rectifier in front makes
// it one from the inside of a network.
cnn! {
    block conv3x3() { relu; conv(channels, kernel = 3, pad = 1); }

    struct Conv224: [64, 224, 224] -> [64, 224, 224] { conv3x3(); }
    struct Conv112: [128, 112, 112] -> [128, 112, 112] { conv3x3(); }
    struct Conv56: [64, 56, 56] -> [64, 56, 56] { conv3x3(); }
    struct Conv28: [128, 28, 28] -> [128, 28, 28] { conv3x3(); }
    struct Conv14: [256, 14, 14] -> [256, 14, 14] { conv3x3(); }
    struct Conv7: [512, 7, 7] -> [512, 7, 7] { conv3x3(); }

    struct Reduce56: [256, 56, 56] -> [64, 56, 56] { relu; conv(64, kernel = 1); }
    struct Reduce14: [1024, 14, 14] -> [256, 14, 14] { relu; conv(256, kernel = 1); }

    struct ResNetFirst: [3, 224, 224] -> [64, 112, 112] { conv(64, kernel = 7, stride = 2, pad = 3); }
    struct AlexNetFirst: [3, 224, 224] -> [64, 55, 55] { conv(64, kernel = 11, stride = 4, pad = 2); }
    // The convolution pools as well if it hands the result to another layer, here the smallest that there is.
    struct LeNetFirst: [1, 28, 28] -> [1] { conv(6, kernel = 5, pad = 2); relu; max_pool(2); flatten; linear(1); }

    struct Depthwise: [144, 56, 56] -> [144, 56, 56] { relu; depthwise(3, pad = 1); }
    struct AlexNetLinear: [9216, 1, 1] -> [4096] { relu; flatten; linear(4096); }
    struct Linear: [4096, 1, 1] -> [4096] { relu; flatten; linear(4096); }
    struct MaxPool: [64, 112, 112] -> [64, 56, 56] { max_pool(3, stride = 2, pad = 1); }
    // Without a convolution in front of it, which would take it in.
    struct BatchNorm: [64, 56, 56] -> [64, 56, 56] { batch_norm; relu; }
}

/// Times the layer of `N` for `batch` images.
fn layer<N>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, batch: usize, precision: Precision)
where
    N: Network<f32, Cpu> + BuildOnDevice<Cpu, f32, Built = N>,
{
    // Criterion skips what the command line does not ask for, but only what is inside its closure, and it calls that
    // once for each sample.
    let frozen = LazyCell::new(|| {
        set_precision(precision);
        let dev = Cpu::default();
        let net = N::build_on_device(&dev);
        let [c, h, w] = N::GRAPH.input().chw();
        let images: Map<f32, Cpu> = dev.sample_like(&(batch, c, h, w), convnet::StandardNormal);
        (Predictor::new(&net, batch).unwrap(), images.as_vec())
    });
    let (input, output) = (N::GRAPH.input().len(), N::GRAPH.output_shape().len());
    let mut outputs = vec![0.0; batch * output];
    let multiply_adds = N::GRAPH.nodes.iter().map(|node| node.macs).max();
    group.throughput(match multiply_adds.unwrap_or(0) * batch as u64 {
        // What moves numbers is measured by how many it moves.
        0 => Throughput::Bytes(4 * (batch * (input + output)) as u64),
        multiply_adds => Throughput::Elements(multiply_adds),
    });
    group.bench_function(name, |b| {
        let (predictor, images) = &*frozen;
        b.iter_custom(|rounds| {
            profile::start();
            for _ in 0..rounds {
                predictor.predict(images, &mut outputs).unwrap();
            }
            own_time(&profile::stop())
        });
    });
}

/// The time of the stage that multiplies most; where none does, of all but the change of layout.
fn own_time(stages: &BTreeMap<String, Entry>) -> Duration {
    match stages.values().max_by_key(|entry| entry.multiply_adds) {
        Some(entry) if entry.multiply_adds > 0 => entry.time,
        _ => stages.iter().filter(|(name, _)| *name != "repack").map(|(_, entry)| entry.time).sum(),
    }
}

/// The layer `N` by the fastest algorithm, then directly.
fn both<N>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str)
where
    N: Network<f32, Cpu> + BuildOnDevice<Cpu, f32, Built = N>,
{
    layer::<N>(group, &format!("{name}, fast"), 1, Precision::Fast);
    layer::<N>(group, &format!("{name}, exact"), 1, Precision::Exact);
}

fn conv_3x3(c: &mut Criterion) {
    let mut group = c.benchmark_group("conv 3x3");
    both::<Conv224>(&mut group, "64 at 224x224");
    both::<Conv112>(&mut group, "128 at 112x112");
    both::<Conv56>(&mut group, "64 at 56x56");
    both::<Conv28>(&mut group, "128 at 28x28");
    both::<Conv14>(&mut group, "256 at 14x14");
    both::<Conv7>(&mut group, "512 at 7x7");
}

fn other_convolutions(c: &mut Criterion) {
    let mut group = c.benchmark_group("conv 1x1");
    layer::<Reduce56>(&mut group, "256 to 64 at 56x56", 1, Precision::Fast);
    layer::<Reduce14>(&mut group, "1024 to 256 at 14x14", 1, Precision::Fast);
    group.finish();
    let mut group = c.benchmark_group("first layer");
    layer::<ResNetFirst>(&mut group, "7x7 stride 2 on 3x224x224", 1, Precision::Fast);
    layer::<AlexNetFirst>(&mut group, "11x11 stride 4 on 3x224x224", 1, Precision::Fast);
    layer::<LeNetFirst>(&mut group, "5x5, rectifier and pool on 1x28x28", 1, Precision::Fast);
    group.finish();
    let mut group = c.benchmark_group("depthwise 3x3");
    layer::<Depthwise>(&mut group, "144 at 56x56", 1, Precision::Fast);
}

fn other_layers(c: &mut Criterion) {
    let mut group = c.benchmark_group("linear");
    layer::<AlexNetLinear>(&mut group, "9216 to 4096, batch 1", 1, Precision::Fast);
    layer::<Linear>(&mut group, "4096 to 4096, batch 1", 1, Precision::Fast);
    layer::<Linear>(&mut group, "4096 to 4096, batch 64", 64, Precision::Fast);
    group.finish();
    let mut group = c.benchmark_group("max pool");
    layer::<MaxPool>(&mut group, "3x3 stride 2 on 64x112x112", 1, Precision::Fast);
    group.finish();
    let mut group = c.benchmark_group("batch norm and rectifier");
    layer::<BatchNorm>(&mut group, "64 at 56x56", 1, Precision::Fast);
}

/// Two dozen of them should take a minute or two.
fn brief() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
}

criterion_group! { name = benches; config = brief(); targets = conv_3x3, other_convolutions, other_layers }
criterion_main!(benches);
