//! What `explain` computes, against PyTorch: LeNet-5, VGG-11 and ResNet-18, with values in `tests/golden/explain.json` by
//! `explain.py` beside it.

#[path = "../cli/src/golden.rs"]
#[allow(dead_code)]
mod golden;

use convnet::explain::backprop::{Rule, reconstruct};
use convnet::explain::saliency::{IntegrationPath, gradient, integrated_gradients};
use convnet::explain::{NetworkView, Place, Unit, Volume, cam};
use convnet::graph::{Activation, Op};
use convnet::net::set_params;
use convnet::prelude::*;
use convnet_models::{LeNet5, Model, ResNet18, Vgg11};
use serde_json::Value;

const LIMIT: f64 = 1e-3;

/// Compares a map with the sketch of one.
fn agrees(what: &str, found: &Volume, sketch: &Value) {
    let number = |key: &str| sketch[key].as_f64().unwrap();
    let values: Vec<f64> = found.values.iter().map(|x| f64::from(*x)).collect();
    let expected: Vec<f64> = sketch["at"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
    let at = |i: usize| values[i * values.len() / expected.len()];
    let length = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
    let distance =
        length(&mut expected.iter().enumerate().map(|(i, x)| at(i) - x)) / length(&mut expected.iter().copied());
    let l2 = length(&mut values.iter().copied()) / number("l2") - 1.0;
    eprintln!("{what}: elements {distance:.1e}, norm {l2:.1e}");
    assert!(distance < LIMIT && l2.abs() < LIMIT, "{what}: elements {distance:.1e}, norm {l2:.1e}");
}

/// All methods with one right answer on the network `N`.
fn check<N: Model>(name: &str) {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/explain.json")).unwrap();
    let golden: Value = serde_json::from_str(&text).unwrap();
    let golden = &golden[name];
    let number = |key: &str| golden[key].as_u64().unwrap() as usize;
    let (seed, graph) = (golden["seed"].as_u64().unwrap(), N::GRAPH);
    let dev = Cpu::default();
    let mut net = <N::On<Cpu> as BuildOnDevice<Cpu, f32>>::build_on_device(&dev);
    let params: Vec<(usize, Vec<f32>)> =
        graph.params.iter().enumerate().map(|(i, param)| (i, golden::fill(graph, param, seed))).collect();
    set_params(&mut net, &params);
    let shape = graph.input().chw();
    let image = Volume::new(shape, golden::unit("input", seed, shape.iter().product()));
    let view = NetworkView::new(&net, &dev);

    let logits = view.values(&[(0, &image.values)], &[graph.output()]).unwrap().remove(0);
    let class = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap();
    assert_eq!(class, number("class"));
    let unit = Unit::class(graph, class).unwrap();
    let is_relu = |id: &usize| graph.nodes[*id].op == Op::Activation(Activation::Relu);
    let rectifiers: Vec<usize> = (0..graph.nodes.len()).filter(is_relu).collect();
    let channel = Unit::new(graph, rectifiers[number("channel_of")], 3, Place::Strongest).unwrap();
    let compare = |method: &str, found: Volume| agrees(&format!("{name} {method}"), &found, &golden["maps"][method]);

    compare("gradient", gradient(&*view, unit, &image).unwrap());
    compare("guided", reconstruct(&*view, unit, &image, Rule::Guided).unwrap());
    compare("guided_channel", reconstruct(&*view, channel, &image, Rule::Guided).unwrap());
    compare("deconvnet", reconstruct(&*view, unit, &image, Rule::Deconvnet).unwrap());
    compare("deconvnet_channel", reconstruct(&*view, channel, &image, Rule::Deconvnet).unwrap());
    compare("grad_cam", cam::grad_cam(&*view, rectifiers[number("cam")], unit, &image).unwrap());
    let path = IntegrationPath { steps: number("steps"), most: 0, tolerance: 0.01 };
    let zero = Volume::filled(shape, 0.0);
    let share = golden["base"].as_f64().unwrap() as f32;
    let base = Volume::new(shape, image.values.iter().map(|x| share * x).collect());
    let found = integrated_gradients(&*view, unit, &image, &base, path, &mut |_, _| {}).unwrap();
    compare("integrated", found.map);
    // With as many steps as it takes, the map adds up to the difference.
    let path = IntegrationPath { steps: 16, ..IntegrationPath::default() };
    let found = integrated_gradients(&*view, unit, &image, &zero, path, &mut |_, _| {}).unwrap();
    assert!(found.gap() < 0.01, "{name}: the sum is off by {} after {} steps", found.gap(), found.steps);
}

#[test]
fn lenet5_is_explained_as_pytorch_does() {
    check::<LeNet5>("lenet5");
}

#[test]
fn vgg11_is_explained_as_pytorch_does() {
    check::<Vgg11>("vgg11");
}

#[test]
fn resnet18_is_explained_as_pytorch_does() {
    check::<ResNet18>("resnet18");
}
