//! What a trained LeNet-5 shows of itself: properties that hold only if the methods tell the truth.

use convnet::data::{Images, Loader, LoaderOptions, NormalisationKind, Sampling, Split, mnist};
use convnet::explain::invert::{Invert, invert};
use convnet::explain::maximise::{Maximise, maximise};
use convnet::explain::neighbours::Index;
use convnet::explain::saliency::gradient;
use convnet::explain::{Inspectable, NetworkView, Unit, Volume, layer};
use convnet::graph::Graph;
use convnet::objective::Prediction;
use convnet::prelude::*;
use convnet::train::{Config, Trainer};
use convnet_models::{LeNet5, Model};

type Net = <LeNet5 as Model>::On<Cpu>;

/// Digits that saliency is measured on.
const DIGITS: usize = 1000;

fn quiet(_: usize, _: usize) {}

/// The mean saliency of a pixel beside the strokes and on them; and the first image.
fn saliency(view: &dyn Inspectable, graph: &Graph, loader: &Loader, digits: &Images) -> ([f64; 2], Volume) {
    let mut mass = [[0.0_f64; 2]; 2];
    let mut first = None;
    for batch in loader.epoch(0, 0) {
        let batch = batch.unwrap();
        for ((pixels, label), index) in batch.pixels.chunks_exact(784).zip(&batch.labels).zip(&batch.indices) {
            let image = Volume::new([1, 28, 28], pixels.to_vec());
            let map = gradient(view, Unit::class(graph, *label).unwrap(), &image).unwrap();
            for (x, byte) in map.values.iter().zip(digits.bytes(*index)) {
                let on = usize::from(*byte > 0);
                mass[on][0] += f64::from(x.abs());
                mass[on][1] += 1.0;
            }
            first.get_or_insert(image);
        }
    }
    (mass.map(|[sum, pixels]| sum / pixels), first.unwrap())
}

#[test]
fn a_trained_network_shows_what_it_has_learned() {
    let dev = Cpu::seed_from_u64(1);
    let data = mnist::bundled().unwrap();
    let test = data.test.clone().first(DIGITS);
    let split = Split { train: data.train, test: test.clone() }.shared();
    let mut net = dev.build_module::<Net, f32>();
    let config = Config { epochs: 2, normalisation: NormalisationKind::Mnist, ..Config::default() };
    let summary = Trainer::new(&mut net, &dev).config(config).train(&split).unwrap();
    assert!(summary.evaluation.accuracy() > 0.97);
    let (view, graph, normalisation) =
        (NetworkView::new(&net, &dev), LeNet5::graph(), summary.pipeline.preparation.normalisation.clone());

    // An image made for a class is of that class, to the network.
    for class in 0..10 {
        let unit = Unit::class(graph, class).unwrap();
        let made = maximise(&*view, unit, &normalisation, Maximise::default(), &mut quiet).unwrap();
        let logits = view.values(&[(0, &made.image.values)], &[graph.output()]).unwrap().remove(0);
        let probability = Prediction::from_logits(&logits).probabilities[class];
        assert!(probability > 0.99 && made.values[1] > made.values[0], "class {class}: {probability}");
    }
    let unit = Unit::class(graph, 3).unwrap();
    let made = |seed| {
        maximise(&*view, unit, &normalisation, Maximise { steps: 8, seed, ..Maximise::default() }, &mut quiet).unwrap()
    };
    assert!(made(5) == made(5) && made(5) != made(6));

    // Saliency lies where the digit is.
    let loader = Loader::new(
        split.test.clone(),
        summary.pipeline.clone(),
        LoaderOptions { batch: 100, sampling: Sampling::InOrder, ..LoaderOptions::default() },
    );
    let ([background, stroke], image) = saliency(&*view, graph, &loader, &test);
    assert!(stroke > 2.0 * background, "saliency of a pixel: {stroke} on the stroke, {background} beside it");

    // The first convolution keeps the image.
    let conv1 = layer(graph, "conv1").unwrap();
    let found = invert(&*view, conv1, &image, &normalisation, Invert::default(), &mut quiet).unwrap();
    assert!(found.correlation > 0.95, "conv1: {}", found.correlation);

    // What the network takes to be alike is of one class more often than what has similar pixels.
    let rate = |node: usize| Index::new(&*view, node, &loader, &mut quiet).unwrap().agreement(5, 500);
    let (features, pixels) = (rate(layer(graph, "10").unwrap()), rate(0));

    assert!(features > pixels + 0.05, "{features} {pixels}");
}
