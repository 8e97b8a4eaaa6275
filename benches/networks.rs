//! Whole networks under criterion, the workloads of `benches/peers/compare.py`: training steps and frozen inference, with
//! random weights and images; and what it takes to explain an answer. Elements are images.
//!
//! The calls are those of `convnet bench`; criterion adds its statistics and the comparison with the run before.
//!
//! `cargo bench -p convnet-benches --bench networks -- lenet5`
#![allow(missing_docs)] // criterion's macros make items without docs.

use convnet::explain::cam::grad_cam;
use convnet::explain::saliency::gradient;
use convnet::explain::{NetworkView, Unit, Volume, last_map};
use convnet::net::{Map, forward_mut};
use convnet::optim::{Method, Optimizer, ParamOptions, Step};
use convnet::predict::Predictor;
use convnet::prelude::*;
use convnet::train::{HEAD_WEIGHT, loss};
use convnet_models::{AlexNet, GoogLeNet, LeNet5, Model, ResNet18, ResNet20, ResNet50, Vgg16};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use std::cell::LazyCell;
use std::time::Duration;

type Built<N> = <N as Model>::On<Cpu>;

fn build<N: Model>(dev: &Cpu) -> Built<N> {
    Built::<N>::build_on_device(dev)
}

/// Images of noise, as the network takes them.
fn images<N: Model>(dev: &Cpu, batch: usize) -> Map<f32, Cpu> {
    let [c, h, w] = N::GRAPH.input().chw();
    dev.sample_like(&(batch, c, h, w), convnet::StandardNormal)
}

/// Forward, loss, backward and an update by SGD with momentum.
fn step<N: Model>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, batch: usize) {
    // Criterion skips what the command line does not ask for, but only what is inside its closure, and it calls that
    // once for each sample.
    let mut state = LazyCell::new(|| {
        let dev = Cpu::default();
        let net = build::<N>(&dev);
        let method = Method::Sgd { momentum: 0.9, nesterov: false };
        let sgd = Optimizer::new(&net, method, |_| ParamOptions::default());
        let classes = N::GRAPH.output_shape().len();
        let targets = (0..batch * classes).map(|i| f32::from(i % classes == i / classes % classes)).collect();
        let targets = dev.tensor_from_vec(targets, (batch, classes));
        let gradients = Some(net.alloc_grads());
        (net, sgd, images::<N>(&dev, batch), targets, gradients)
    });
    let head_weights = vec![HEAD_WEIGHT; N::GRAPH.heads.len()];
    group.throughput(Throughput::Elements(batch as u64));
    group.bench_function(format!("{name}, batch {batch}"), |b| {
        let (net, sgd, x, targets, gradients) = &mut *state;
        b.iter(|| {
            let traced = x.clone().traced(gradients.take().unwrap());
            let outputs = forward_mut(net, traced, batch).unwrap();
            let (_, loss) = loss(outputs, targets.clone(), &head_weights).unwrap();
            let mut new = loss.backward();
            sgd.step(net, &mut new, &Step::new(0.01)).unwrap();
            *gradients = Some(new);
        });
    });
}

/// A pass of the frozen network.
fn pass<N: Model>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, batch: usize) {
    let frozen = LazyCell::new(|| {
        let dev = Cpu::default();
        (Predictor::new(&build::<N>(&dev), batch).unwrap(), images::<N>(&dev, batch).as_vec())
    });
    let mut outputs = vec![0.0; batch * N::GRAPH.output_shape().len()];
    group.throughput(Throughput::Elements(batch as u64));
    group.bench_function(format!("{name}, batch {batch}"), |b| {
        let (predictor, images) = &*frozen;
        b.iter(|| predictor.predict(images, &mut outputs).unwrap());
    });
}

/// For calls of many milliseconds: few of them, and as many in each sample.
fn slow(group: &mut BenchmarkGroup<'_, WallTime>) {
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
}

fn training(c: &mut Criterion) {
    let mut group = c.benchmark_group("training step");
    step::<LeNet5>(&mut group, "lenet5", 64);
    slow(&mut group);
    step::<ResNet20>(&mut group, "resnet20", 128);
    step::<ResNet18>(&mut group, "resnet18", 16);
}

fn inference(c: &mut Criterion) {
    let mut group = c.benchmark_group("inference");
    pass::<LeNet5>(&mut group, "lenet5", 1);
    pass::<LeNet5>(&mut group, "lenet5", 64);
    slow(&mut group);
    pass::<Vgg16>(&mut group, "vgg16", 1);
    pass::<ResNet18>(&mut group, "resnet18", 1);
    pass::<GoogLeNet>(&mut group, "googlenet", 1);
    pass::<ResNet50>(&mut group, "resnet50", 1);
    pass::<AlexNet>(&mut group, "alexnet", 1);
}

/// Saliency and Grad-CAM of one image.
fn explanations(c: &mut Criterion) {
    let mut group = c.benchmark_group("explanation");
    slow(&mut group);
    let state = LazyCell::new(|| {
        let dev = Cpu::default();
        let (net, image) = (build::<ResNet18>(&dev), images::<ResNet18>(&dev, 1).as_vec());
        (net, dev, Volume::new([3, 224, 224], image))
    });
    group.bench_function("resnet18, gradient", |b| {
        let (net, dev, image) = &*state;
        let view = NetworkView::new(net, dev);
        let unit = Unit::class(view.graph(), 7).unwrap();
        b.iter(|| gradient(&*view, unit, image).unwrap());
    });
    group.bench_function("resnet18, grad-cam", |b| {
        let (net, dev, image) = &*state;
        let view = NetworkView::new(net, dev);
        let (unit, node) = (Unit::class(view.graph(), 7).unwrap(), last_map(view.graph()).unwrap());
        b.iter(|| grad_cam(&*view, node, unit, image).unwrap());
    });
}

criterion_group!(benches, training, inference, explanations);
criterion_main!(benches);
