//! Tests of the passes without the compiler: networks as text, milliseconds each.
//!
//! In a fixture the expected shape stands under its layer, as in `//^ 6x28x28`.

mod advice;
mod costs;
mod fragments;
mod habits;
mod lints;
mod merge;
mod modern;
mod names;
mod outputs;
mod python;
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

/// What each error marks, in the order of the text.
fn marked(source: &str) -> Vec<String> {
    let mut errors = Errors::default();
    let tokens = parse::prepared(TokenStream::from_str(source).unwrap(), &mut errors).unwrap();
    check::call(&parse::call(tokens, &mut errors), true, &mut errors);
    let mut found: Vec<_> = errors.all().iter().map(syn::Error::span).collect();
    found.sort_by_key(|span| (span.start().line, span.start().column));
    found.iter().map(|span| span.source_text().unwrap()).collect()
}

/// Whether a network with this in its body has one error, in these words.
fn gives_one(body: &str, expected: &str) {
    let source = format!("struct N<const K: usize = 4>: [1, 28, 28] -> [10] {{ {body} global_avg_pool; linear(10); }}");
    // What is wrong with a vector already has no map to pool.
    let found = checked(&source).1;
    let found: Vec<&String> = found.iter().filter(|error| !error.starts_with("`global_avg_pool` needs")).collect();
    assert!(found.len() == 1 && found[0].contains(expected), "{body}\n{expected}\n{found:#?}");
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
