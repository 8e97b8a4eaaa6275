//! The zoo as drawn: what a reader of an image relies on, told from the image and the chart alone. How a graph becomes boxes is
//! tested where that is done, on graphs made for it.
#![deny(warnings)]

#[path = "../../runtime/graph/src/diagram/tests/well_formed.rs"]
mod well_formed;

use convnet::diagram::{mermaid, svg};
use convnet::graph::Graph;
use convnet_models::{CATALOGUE, find};
use std::collections::BTreeSet;

/// A rectangle: left, top, width, height.
type Rect = [i32; 4];

/// The value of an attribute of a tag.
fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    tag.split_once(&format!(" {name}=\""))?.1.split('"').next()
}

/// What holds all rectangles of a group.
fn around(group: &str) -> Rect {
    let corners = group.split("<rect").skip(1).map(|tag| {
        let number = |name| attribute(tag, name).unwrap().parse::<i32>().unwrap();
        let [x, y] = ["x", "y"].map(number);
        [x, y, x + number("width"), y + number("height")]
    });
    let join = |a: Rect, b: Rect| [a[0].min(b[0]), a[1].min(b[1]), a[2].max(b[2]), a[3].max(b[3])];
    let [left, top, right, bottom] = corners.reduce(join).unwrap();
    [left, top, right - left, bottom - top]
}

/// What is drawn after the edges: the boxes, each a group.
fn boxes(image: &str) -> Vec<Rect> {
    let (_, after) = image.rsplit_once("<g class=\"tip\">").unwrap();
    after.split("<title>").skip(1).map(|one| around(one.split("</g>").next().unwrap())).collect()
}

/// The points of each edge, its round corners as corners.
fn edges(image: &str) -> Vec<Vec<[i32; 2]>> {
    let (_, after) = image.split_once("<g class=\"edge\">").unwrap();
    let (edges, _) = after.split_once("</g>").unwrap();
    let points = |path: &str| {
        let numbers: Vec<i32> = path
            .split(|c: char| !(c.is_ascii_digit() || c == '-'))
            .filter(|number| !number.is_empty())
            .map(|number| number.parse().unwrap())
            .collect();
        numbers.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect()
    };
    edges.lines().filter_map(|line| attribute(line, "d")).map(points).collect()
}

fn inside([x, y]: [i32; 2], [left, top, w, h]: Rect) -> bool {
    (left..=left + w).contains(&x) && (top..=top + h).contains(&y)
}

/// Whether a straight piece of an edge comes into a box, and not only along its outline.
fn enters([a, b]: [[i32; 2]; 2], [left, top, w, h]: Rect) -> bool {
    let ([low, high], [upper, lower]) = ([a[0].min(b[0]), a[0].max(b[0])], [a[1].min(b[1]), a[1].max(b[1])]);
    low < left + w && left < high.max(low + 1) && upper < top + h && top < lower.max(upper + 1)
}

/// The boxes and the edges of a chart.
fn chart(graph: &Graph) -> (BTreeSet<String>, usize) {
    let chart = mermaid(graph);
    let (mut ids, mut edges) = (BTreeSet::new(), 0);
    for line in chart.lines().map(str::trim).skip_while(|line| *line != "flowchart TD").skip(1) {
        if let Some((from, to)) = line.split_once(" --> ") {
            assert!(ids.contains(from) && ids.contains(to), "{line}");
            edges += 1;
        } else if line.starts_with('b') {
            let (id, _) = line.split_at(line.find(['[', '(']).unwrap());
            assert!(ids.insert(id.to_string()), "{id} is used twice");
        }
    }
    (ids, edges)
}

#[test]
fn every_network_of_the_zoo_is_drawn_with_boxes_apart_and_edges_beside_them() {
    for entry in CATALOGUE {
        let (name, image) = (entry.name, svg(entry.graph));
        well_formed::well_formed(&image);
        let (boxes, edges) = (boxes(&image), edges(&image));
        let (ids, arrows) = chart(entry.graph);
        assert_eq!((boxes.len(), edges.len()), (ids.len(), arrows), "{name}: image and chart differ");
        // Their blocks differ from each other, so that each is drawn.
        let differing = ["mobilenet_v3", "regnet_y", "efficientnet", "deeplabv3"];
        let most = match name {
            "googlenet" | "googlenet2014" | "inception_v3" => 95,
            _ if differing.iter().any(|start| name.starts_with(start)) => 120,
            _ => 60,
        };
        assert!((2..=most).contains(&boxes.len()), "{name} has {} boxes", boxes.len());
        for (i, [x, y, w, h]) in boxes.iter().enumerate() {
            for [x2, y2, w2, h2] in &boxes[..i] {
                assert!(
                    x + w <= *x2 || x2 + w2 <= *x || y + h <= *y2 || y2 + h2 <= *y,
                    "{name}: box {i} lies on another"
                );
            }
        }
        for edge in &edges {
            let ends = [edge[0], edge[edge.len() - 1]];
            for end in ends {
                assert!(boxes.iter().any(|one| inside(end, *one)), "{name}: {edge:?} ends at no box");
            }
            let behind = |one: &&Rect| {
                !ends.iter().any(|end| inside(*end, **one))
                    && edge.windows(2).any(|pair| enters([pair[0], pair[1]], **one))
            };
            assert_eq!(boxes.iter().find(behind), None, "{name}: {edge:?} runs behind a box");
        }
    }
}

#[test]
fn equal_blocks_are_drawn_once_with_their_number() {
    let graph = |name| find(name).unwrap().graph;
    for (name, title) in [
        ("resnet152", "layer3.1 … layer3.35  ×35"),
        ("densenet121", "denselayer1 … denselayer24  ×24"),
        // What all of them give together.
        ("densenet121", "[288 – 1024, 14, 14]"),
    ] {
        let chart = mermaid(graph(name));
        assert!(chart.contains(title), "{name} without `{title}`: {chart}");
    }
}
