//! Tests of the passes without the compiler: networks as text, milliseconds each.
//!
//! In a fixture the expected shape stands under its layer, as in `//^ 6x28x28`.

mod costs;
mod fragments;
mod habits;
mod lints;
mod names;
mod shapes;
mod wording;
mod words;

use crate::graph::{Graph, Shape};
use crate::report::Errors;
use crate::{check, parse};
use proc_macro2::TokenStream;
use std::str::FromStr;

/// The graph of the first network in `source`, with all errors.
fn checked(source: &str) -> (Option<Graph>, Vec<String>) {
    let tokens = TokenStream::from_str(source).unwrap();
    let mut errors = Errors::default();
    let mut graphs = Vec::new();
    if let Some(tokens) = parse::prepared(tokens, &mut errors) {
        let call = parse::call(tokens, &mut errors);
        graphs = check::call(&call, true, &mut errors);
    }
    let graph = (!graphs.is_empty()).then(|| graphs.swap_remove(0));
    (graph, errors.all().iter().map(ToString::to_string).collect())
}

/// The graph of a network without errors.
fn graph(source: &str) -> Graph {
    let (graph, errors) = checked(source);
    assert!(errors.is_empty(), "{errors:#?}\n{source}");
    graph.unwrap()
}

/// A shape as fixtures write it: `16x5x5`.
fn text(shape: Shape) -> String {
    let dim = |dim: crate::cost::Dim| dim.known().map_or("?".to_string(), |n| n.to_string());
    match shape {
        Shape::Map(dims) => dims.map(dim).join("x"),
        Shape::Vector(n) => dim(n),
        Shape::Unknown => "?".into(),
    }
}

/// Checks every `//^` against the layer on the line above.
fn check_shapes(source: &str) {
    let graph = graph(source);
    let mut checked = 0;
    for (index, line) in source.lines().enumerate() {
        let Some((_, expected)) = line.split_once("//^ ") else { continue };
        // Lines are counted from 1, so the line above is `index`.
        let on_line =
            |node: &&crate::graph::Node| node.word.as_ref().is_some_and(|word| word.span().start().line == index);
        let node = graph.nodes.iter().rfind(on_line);
        let found = node.map_or("no layer".into(), |node| text(node.shape));
        assert_eq!(found, expected.trim(), "line {index} of\n{source}");
        checked += 1;
    }
    assert!(checked > 0, "no expectation in\n{source}");
}
