//! Each network of the zoo is what its source says, read at run time: the two readers of the language agree.

use convnet::graph::Graph;
use convnet::language::{Sizes, read};
use convnet_models::{AlexNet, CATALOGUE, Model, ResNet18, WithModel, with_model};

convnet_models::resnet18! {
    /// ResNet-18 on 64x64 images.
    struct Tiny: [3, 64, 64] -> [7]
}

convnet_models::vgg11_bn! { struct Open<const N: usize = 5>: [3, 32, 32] -> [N] }

/// The graph of a source, which is what the language prints of it.
fn graph(source: &str, sizes: &Sizes) -> Graph {
    let found = read(source, sizes);
    let found = found.unwrap_or_else(|mistakes| panic!("{}", mistakes.draw("SOURCE", source, false)));
    assert_eq!(found.len(), 1, "{source}");
    match *sizes == Sizes::default() {
        true => assert_eq!(found[0].source, source),
        // What is printed has these sizes for its own.
        false => assert_eq!(graph(&found[0].source, &Sizes::default()), found[0].graph),
    }
    found.into_iter().next().unwrap().graph
}

/// Field by field, so that a difference is shown where it is.
fn same(read: &Graph, compiled: &Graph) {
    assert_eq!(read.nodes.len(), compiled.nodes.len(), "{}", compiled.name);
    for (read, compiled) in read.nodes.iter().zip(&*compiled.nodes) {
        assert_eq!(read, compiled);
    }
    for (read, compiled) in read.params.iter().zip(&*compiled.params) {
        assert_eq!(read, compiled);
    }
    assert_eq!(read, compiled);
}

fn classes(name: &str, number: usize) -> Sizes {
    Sizes { numbers: vec![(name.to_string(), number)], ..Sizes::default() }
}

struct Compare;

impl WithModel for Compare {
    type Output = bool;

    fn run<N: Model>(self, _: &'static str) -> bool {
        let Some(source) = N::SOURCE else { return false };
        same(&graph(source, &Sizes::default()), N::GRAPH);
        true
    }
}

#[test]
fn the_zoo_gives_no_warnings() {
    for entry in CATALOGUE {
        let found = read(entry.source, &Sizes::default()).unwrap();
        assert_eq!(found[0].warnings.draw(entry.name, entry.source, false), "");
    }
}

#[test]
fn every_network_of_the_zoo_is_what_its_source_says() {
    for entry in CATALOGUE {
        assert_eq!(with_model(entry.name, Compare), Ok(true), "{} has no source", entry.name);
    }
}

#[test]
fn another_number_of_classes_is_what_rustc_makes_of_it() {
    same(&graph(ResNet18::<5>::SOURCE.unwrap(), &classes("CLASSES", 5)), ResNet18::<5>::graph());
    same(&graph(AlexNet::<3>::SOURCE.unwrap(), &classes("CLASSES", 3)), AlexNet::<3>::graph());
}

#[test]
fn what_an_exported_macro_makes_keeps_its_const_generic() {
    let source = Tiny::SOURCE.unwrap();
    assert!(source.contains("struct Tiny<const CLASSES: usize = 7>: [3, 64, 64] -> [CLASSES]"), "{source}");
    // The block that it uses comes with its documentation, as in the original.
    let (block, _) = source.split_once("\n}\n").unwrap();
    assert!(block.starts_with("/// ") && block.contains("\nblock basic("), "{source}");
    assert!(ResNet18::<1000>::SOURCE.unwrap().starts_with(block), "{source}");
    assert!(source.contains("/// ResNet-18 on 64x64 images.\n"), "{source}");
    same(&graph(source, &Sizes::default()), Tiny::graph());
    assert_eq!(graph(source, &classes("CLASSES", 9)).output_shape().len(), 9);
    same(&graph(Open::<5>::SOURCE.unwrap(), &Sizes::default()), Open::<5>::graph());
    same(&graph(Open::<6>::SOURCE.unwrap(), &classes("N", 6)), Open::<6>::graph());
}
