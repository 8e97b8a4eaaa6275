//! Small graphs by hand and large ones like networks that people know; then graphs at random, which need not look good but have to
//! keep what a reader relies on: texts in their boxes, boxes apart, each edge drawn once from its box to its box.

mod check;
mod known;
mod net;
mod random;
mod well_formed;

use super::layout::lay_out;
use super::tree::{Role, Tree};
use super::{mermaid, svg, text};
use crate::{Activation, Graph, Op, Shape};
use check::{check, crossings};
use net::Net;
use std::collections::BTreeSet;

/// Titles of frames, with how many modules each stands for.
fn frames(tree: &Tree) -> Vec<(&str, usize)> {
    tree.groups.iter().skip(1).map(|group| (group.title.as_str(), group.times)).collect()
}

#[test]
fn chain_is_fused() {
    let mut net = Net::new("Chain", [3, 8, 8]);
    let x = net.conv("conv1", 0, 4, 3, 1);
    let x = net.bn("bn1", x);
    let x = net.relu("2", x);
    let x = net.dropout("3", x, 0.5);
    let x = net.flatten("4", x);
    net.linear("fc", x, 10);
    let tree = check(&net.done());
    assert_eq!(tree.cards.len(), 3);
    let chips: Vec<&str> = tree.cards[1].chips.iter().map(|(chip, _)| chip.as_str()).collect();
    assert_eq!((tree.cards[1].label.as_str(), chips), ("conv 3x3", vec!["bn", "relu", "dropout 0.5", "flatten"]));
    assert_eq!(tree.cards[1].shape, "[256]");
    assert_eq!(tree.edges.len(), 2);
}

#[test]
fn what_is_read_twice_is_a_box_of_its_own() {
    let mut net = Net::new("Twice", [3, 8, 8]);
    let x = net.conv("conv", 0, 4, 3, 1);
    let y = net.relu("relu", x);
    net.add("add", x, y);
    let tree = check(&net.done());
    assert_eq!(tree.cards.len(), 4);
    assert_eq!(tree.edges, BTreeSet::from([(0, 1), (1, 2), (1, 3), (2, 3)]));
    // So is a value that is an output as well.
    let mut net = Net::new("Tap", [3, 8, 8]);
    let x = net.conv("conv", 0, 4, 3, 1);
    net.relu("relu", x);
    assert_eq!(check(&net.with_output(x)).cards.len(), 3);
}

#[test]
fn shortcut_runs_beside_its_body() {
    let mut net = Net::new("Residual", [4, 8, 8]);
    let a = net.conv("block.conv1", 0, 4, 3, 1);
    let b = net.conv("block.conv2", a, 4, 3, 1);
    net.add("block.add", b, 0);
    let graph = net.done();
    let tree = check(&graph);
    let sketch = lay_out(&tree);
    let route = |from, to| sketch.routes.iter().find(|route| (route.from, route.to) == (from, to)).unwrap();
    let body = sketch.cards.iter().find(|spot| spot.id == 1).unwrap();
    let right = route(0, 3).path.iter().map(|point| point.0).max().unwrap();
    assert!(right > body.x + body.w);
    assert_eq!(crossings(&sketch), 0);
    // The main path is one straight line.
    assert!(route(2, 3).path.iter().all(|point| point.0 == 0));
}

#[test]
fn branches_stand_side_by_side() {
    let mut net = Net::new("Branches", [4, 8, 8]);
    let ends: Vec<usize> = (0..4).map(|i| net.conv(&format!("branch{i}"), 0, 4, 2 * i + 1, 1)).collect();
    net.concat("concat", &ends);
    let tree = check(&net.done());
    let sketch = lay_out(&tree);
    let tops: BTreeSet<i32> = sketch.cards[1..5].iter().map(|spot| spot.y).collect();
    assert_eq!(tops.len(), 1);
    let bar = sketch.cards.iter().find(|spot| tree.cards[spot.id].role == Role::Bar).unwrap();
    for route in sketch.routes.iter().filter(|route| route.to == bar.id) {
        assert_eq!(route.path[0].0, route.path[route.path.len() - 1].0, "straight down into the bar");
    }
}

#[test]
fn repeated_modules_become_one_frame() {
    let mut net = Net::new("Repeated", [4, 8, 8]);
    let mut x = 0;
    for i in 0..5 {
        // The last one is different.
        let kernel = if i == 4 { 5 } else { 3 };
        let y = net.conv(&format!("layer.{i}.conv1"), x, 4, kernel, 1);
        let y = net.conv(&format!("layer.{i}.conv2"), y, 4, 3, 1);
        x = net.add(&format!("layer.{i}.add"), x, y);
    }
    let tree = check(&net.done());
    assert_eq!(frames(&tree), [("layer", 1), ("layer.0 … layer.3", 4), ("layer.4", 1)]);
    assert_eq!(tree.cards.len(), 1 + 3 + 3);
    assert!(tree.edges.contains(&(3, 4)), "the last block reads the one that stands for the others");
}

#[test]
fn repeats_without_modules_collapse() {
    let mut net = Net::new("Flat", [4, 8, 8]);
    let mut x = 0;
    for i in 0..6 {
        let y = net.conv(&(2 * i).to_string(), x, 4, 3, 1);
        let y = net.add("add", x, y);
        x = net.relu(&(2 * i + 1).to_string(), y);
    }
    let tree = check(&net.done());
    assert_eq!(frames(&tree), [("0 … add", 6)]);
    assert_eq!(tree.cards.len(), 3);
}

#[test]
fn equal_branches_collapse() {
    let mut net = Net::new("Cardinality", [4, 8, 8]);
    let mut ends = Vec::new();
    for i in 0..32 {
        let x = net.conv(&format!("branch{i}.0"), 0, 2, 1, 1);
        ends.push(net.conv(&format!("branch{i}.1"), x, 2, 3, 1));
    }
    net.concat("concat", &ends);
    let tree = check(&net.done());
    assert_eq!(frames(&tree), [("branch0 … branch31", 32)]);
    assert_eq!(tree.edges, BTreeSet::from([(0, 1), (1, 2), (2, 3)]));
}

#[test]
fn head_without_reader_is_at_the_side() {
    let mut net = Net::new("Head", [4, 8, 8]);
    let x = net.conv("conv1", 0, 4, 3, 1);
    let y = net.global("aux.0", x);
    net.conv("aux.1", y, 4, 1, 1);
    let z = net.conv("conv2", x, 4, 3, 1);
    let tree = check(&net.with_output(z));
    let sketch = lay_out(&tree);
    let spot = |id: usize| sketch.cards.iter().find(|spot| spot.id == id).unwrap();
    assert!(spot(2).x > spot(4).x + spot(4).w);
    assert_eq!(crossings(&sketch), 0);
}

#[test]
fn small_and_odd_graphs() {
    let empty = Graph {
        name: "".into(),
        nodes: [].as_slice().into(),
        params: [].as_slice().into(),
        connections: [].as_slice().into(),
        outputs: [].as_slice().into(),
        heads: [].as_slice().into(),
        peak_activations: 0,
    };
    assert!(check(&empty).cards.is_empty());
    assert_eq!(check(&Net::new("One", [1, 1, 1]).done()).cards.len(), 1);
    let mut net = Net::new("Vectors", [8, 1, 1]);
    let x = net.flatten("0", 0);
    let x = net.linear("1", x, 4);
    let x = net.same("2", Op::Activation(Activation::Tanh), x);
    net.linear("3", x, 2);
    let tree = check(&net.done());
    assert_eq!(tree.cards.last().map(|card| card.shape.as_str()), Some("[2]"));
    // Inputs that are no earlier nodes are passed over, and nodes may have none.
    let mut net = Net::new("Loose", [1, 2, 2]);
    net.node("a", Op::Custom(0), &[7, 0], Shape::Map([1, 2, 2]));
    net.node("b.c", Op::Add, &[], Shape::Map([1, 2, 2]));
    net.node("b.d", Op::Concat, &[2, 2, 1], Shape::Map([2, 2, 2]));
    check(&net.with_output(99));
}

#[test]
fn names_are_escaped() {
    let mut net = Net::new("A<B> & \"C\"", [1, 2, 2]);
    let x = net.conv("end.<x>", 0, 1, 1, 1);
    net.conv("end.\"y\"&#\u{7}", x, 1, 1, 1);
    let graph = net.done();
    check(&graph);
    assert!(svg(&graph).contains("aria-label=\"A&lt;B&gt; &amp; &quot;C&quot;\""));
    assert!(mermaid(&graph).contains("#quot;y#quot;#amp;#35;"));
}

#[test]
fn long_names_are_cut() {
    let long = "a_very_long_name_that_nobody_would_like_to_read".repeat(3);
    let mut net = Net::new("Long", [1, 2, 2]);
    let x = net.conv(&format!("{long}.{long}"), 0, 1, 1, 1);
    net.conv(&format!("{long}.other"), x, 1, 1, 1);
    check(&net.done());
}

#[test]
fn known_networks() {
    for (name, graph) in known::all() {
        let tree = check(&graph);
        assert_eq!(crossings(&lay_out(&tree)), 0, "{name}");
        assert!(tree.cards.len() <= 60, "{name} has {} boxes", tree.cards.len());
    }
}

#[test]
fn random_graphs() {
    for seed in 0..400 {
        check(&random::graph(seed));
    }
}

#[test]
fn deep_nesting_does_not_exhaust_the_stack() {
    check(&random::nested(300, ""));
    check(&random::nested(300, "m."));
}

#[test]
fn large_graphs() {
    let mut net = Net::new("Large", [1, 2, 2]);
    let mut x = 0;
    for i in 0..1500 {
        let y = net.conv(&format!("l{}.{i}", i / 7), x, 1 + i % 3, 1 + i % 5, 1);
        x = if i % 4 == 0 { net.concat(&format!("l{}.concat", i / 7), &[x, y]) } else { y };
    }
    let graph = net.done();
    svg(&graph);
    mermaid(&graph);
}

/// Each box's label is in the image. The images are written into the folder that `DIAGRAM_OUT` names, if it is set, to
/// look at them.
#[test]
fn images() {
    let folder = std::env::var("DIAGRAM_OUT").ok();
    let random = [3, 5, 8, 13].map(|seed| ("random", random::graph(seed)));
    for (i, (name, graph)) in known::all().into_iter().chain(random).enumerate() {
        let name = if name == "random" { format!("random{i}") } else { name.to_string() };
        let (image, chart) = (svg(&graph), mermaid(&graph));
        assert!(image.starts_with("<svg") && image.trim_end().ends_with("</svg>"), "{name}");
        for card in &Tree::new(&graph).cards {
            assert!(image.contains(&format!(">{}<", text::xml(&card.label))), "{name} lacks `{}`", card.label);
        }
        if let Some(folder) = &folder {
            std::fs::write(format!("{folder}/{name}.svg"), image).unwrap();
            std::fs::write(format!("{folder}/{name}.mmd"), chart).unwrap();
        }
    }
}
