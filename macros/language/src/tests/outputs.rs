//! Further outputs: a feature pyramid, what evaluation computes, and what counts for budgets.

use super::{checked, graph};
use crate::{Sizes, read};
use convnet_graph::{Op, Subgraph};

/// Two levels of a pyramid (Lin et al., 2017): the finer one is the sum of what is known there and of the coarser one.
const PYRAMID: &str = "
struct Pyramid: [3, 32, 32] -> [8, 16, 16] {
    conv(16, kernel = 3, stride = 2, pad = 1); relu;
    residual {
        conv(32, kernel = 3, stride = 2, pad = 1); relu;
        inner: conv(8, kernel = 1);
        output p3: [8, 8, 8] = conv(8, kernel = 3, pad = 1);
        upsample(2);
    } shortcut {
        lateral: conv(8, kernel = 1);
    }
    p2: conv(8, kernel = 3, pad = 1);
    output objects: [4] { global_avg_pool; flatten; linear(4); }
    head deep: [10] { flatten; linear(10); }
}
";

#[test]
fn a_pyramid_gives_all_its_levels() {
    let found = read(PYRAMID, &Sizes::default()).unwrap().remove(0);
    let named = |list: &[convnet_graph::Output]| -> Vec<(String, String)> {
        list.iter().map(|end| (end.name.to_string(), found.graph.nodes[end.node].shape.to_string())).collect()
    };
    let pair = |name: &str, shape: &str| (name.to_string(), shape.to_string());
    let outputs = [pair("output", "[8, 16, 16]"), pair("p3", "[8, 8, 8]"), pair("objects", "[4]")];
    assert_eq!(named(&found.graph.outputs), outputs);
    assert_eq!(named(&found.graph.heads), [pair("deep", "[10]")]);
    assert_eq!(found.graph.output_len(), 8 * 16 * 16 + 8 * 8 * 8 + 4);
    assert_eq!(found.graph.outputs_in_words(), "output [8, 16, 16], p3 [8, 8, 8], objects [4]");
    // Evaluation computes all but the head, training that, too.
    let part = |training| Subgraph::whole(&found.graph, training).covered(&found.graph);
    for (id, node) in found.graph.nodes.iter().enumerate().skip(1) {
        assert_eq!(part(false)[id], !node.name.starts_with("deep"), "{}", node.name);
        assert_eq!(part(false)[id], !node.auxiliary, "{}", node.name);
        assert!(part(true)[id], "{}", node.name);
    }
    let keys: Vec<&str> = found.graph.params.iter().map(|param| &*param.name).collect();
    assert!(keys.contains(&"p3.weight") && keys.contains(&"objects.2.bias"), "{keys:?}");
}

#[test]
fn it_is_printed_as_it_was_written() {
    let found = read(PYRAMID, &Sizes::default()).unwrap().remove(0);
    let source = found.source;
    assert!(source.contains("output p3: [8, 8, 8] = conv(8, kernel = 3, pad = 1);"), "{source}");
    let again = read(&source, &Sizes::default()).unwrap().remove(0);
    assert_eq!(again.graph, found.graph);
}

#[test]
fn an_output_counts_and_lives_to_the_end() {
    let with = |kind: &str| {
        let body = format!("assert macs == 1; {kind} big: [64, 8, 8] = conv(64, kernel = 1); flatten; linear(2);");
        checked(&format!("struct N: [1, 8, 8] -> [2] {{ {body} }}")).1.remove(0)
    };
    // The head is no part of evaluation; the output is.
    assert!(with("head").contains("macs is 128"), "{}", with("head"));
    assert!(with("output").contains("macs is 4,224"), "{}", with("output"));
    let peak = |text: &str| read(text, &Sizes::default()).unwrap().remove(0).graph.peak_activations;
    // 64 numbers of the input, and the 256 of the map, which are kept while the rest is computed: 256 more, and 512.
    let body = |kind: &str| {
        format!(
            "struct N: [1, 8, 8] -> [2] {{ {kind} map: [4, 8, 8] = conv(4, kernel = 1); conv(4, kernel = 1); conv(8, kernel = 1); global_avg_pool; flatten; linear(2); }}"
        )
    };
    assert_eq!(peak(&body("head")), 256 + 512);
    assert_eq!(peak(&body("output")), 256 + 256 + 512);
}

#[test]
fn a_view_that_is_an_output_keeps_what_it_looks_at() {
    let text = "struct N: [1, 8, 8] -> [1] {
        conv(2, kernel = 1); output flat: [128] = flatten; conv(4, kernel = 1); relu; global_avg_pool; linear(1);
    }";
    // The map of 128 is kept while two of 256 are alive.
    assert_eq!(read(text, &Sizes::default()).unwrap().remove(0).graph.peak_activations, 128 + 2 * 256);
}

#[test]
fn outputs_in_structures() {
    let text = "block level(n) { conv(n, kernel = 1); output out: [n, 8, 8] = relu; }
        struct N: [1, 8, 8] -> [4, 8, 8] { first: level(2); second: { level(4); } }";
    let found = read(text, &Sizes::default()).unwrap().remove(0);
    let names: Vec<&str> = found.graph.outputs.iter().map(|output| &*output.name).collect();
    assert_eq!(names, ["output", "first.out", "second.0.out"]);
    // In a `repeat` its name would be there more than once.
    let repeated = "struct N: [1, 8, 8] -> [1, 8, 8] { repeat 2 { relu; output out: [1, 8, 8] = relu; } }";
    let errors = checked(repeated).1;
    assert!(errors.len() == 1 && errors[0].contains("there more than once"), "{errors:?}");
    // A layer of that name is still one.
    let named = graph("struct N: [3] -> [3] { output: linear(3); }");
    assert!(named.outputs.is_empty() && matches!(named.nodes[1].op, Op::Linear { .. }));
}
