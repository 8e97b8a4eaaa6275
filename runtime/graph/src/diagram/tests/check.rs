//! What must hold for every image.

use super::super::layout::lay_out;
use super::super::paint::{self, Anchor, Mark};
use super::super::sketch::{Route, Sketch, Spot};
use super::super::tree::{Child, Role, Tree};
use super::super::{mermaid, svg, text};
use super::well_formed::well_formed;
use crate::Graph;
use std::collections::BTreeSet;

/// What must hold for every graph. Returns the tree for more.
pub fn check(graph: &Graph) -> Tree {
    let tree = Tree::new(graph);
    let sketch = lay_out(&tree);
    assert_eq!(svg(graph), svg(graph), "the same graph gives the same image");
    let cards: BTreeSet<usize> = sketch.cards.iter().map(|spot| spot.id).collect();
    assert_eq!(cards.len(), sketch.cards.len(), "{}: a box is drawn twice", graph.name);
    assert_eq!(cards, (0..tree.cards.len()).collect(), "{}: a box is missing", graph.name);
    boxes_apart(&graph.name, &sketch);
    frames_hold(&graph.name, &tree, &sketch);
    routes(&graph.name, &tree, &sketch);
    for spot in &sketch.cards {
        texts_inside(spot, &paint::card(&tree.cards[spot.id], spot));
    }
    for (spot, depth) in &sketch.frames {
        texts_inside(spot, &paint::frame(&tree.groups[spot.id], spot, *depth));
    }
    well_formed(&svg(graph));
    mermaid_ids(&mermaid(graph), &tree);
    tree
}

fn overlap(a: &Spot, b: &Spot) -> bool {
    a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h
}

fn contains(outer: &Spot, inner: &Spot) -> bool {
    outer.x <= inner.x
        && outer.y <= inner.y
        && inner.x + inner.w <= outer.x + outer.w
        && inner.y + inner.h <= outer.y + outer.h
}

fn boxes_apart(name: &str, sketch: &Sketch) {
    for (i, a) in sketch.cards.iter().enumerate() {
        for b in &sketch.cards[..i] {
            assert!(!overlap(a, b), "{name}: {a:?} overlaps {b:?}");
        }
        assert!(
            -a.x <= sketch.left && a.x + a.w <= sketch.right && a.y + a.h <= sketch.height,
            "{name}: {a:?} is outside"
        );
    }
    for (i, (a, _)) in sketch.frames.iter().enumerate() {
        for (b, _) in &sketch.frames[..i] {
            assert!(!overlap(a, b) || contains(b, a), "{name}: frame {a:?} cuts {b:?}");
        }
        for card in &sketch.cards {
            assert!(!overlap(a, card) || contains(a, card), "{name}: frame {a:?} cuts {card:?}");
        }
    }
}

fn frames_hold(name: &str, tree: &Tree, sketch: &Sketch) {
    for (frame, _) in &sketch.frames {
        for child in &tree.groups[frame.id].children {
            let inside = match child {
                Child::Card(card) => sketch.cards.iter().find(|spot| spot.id == *card),
                Child::Group(group) => sketch.frames.iter().map(|(spot, _)| spot).find(|spot| spot.id == *group),
            };
            assert!(contains(frame, inside.expect("drawn")), "{name}: {child:?} is outside its frame");
        }
    }
    assert_eq!(sketch.frames.len() + 1, tree.groups.len(), "{name}: each frame is drawn once");
}

fn routes(name: &str, tree: &Tree, sketch: &Sketch) {
    let spot = |card: usize| sketch.cards.iter().find(|spot| spot.id == card).expect("drawn");
    let drawn: Vec<(usize, usize)> = sketch.routes.iter().map(|route| (route.from, route.to)).collect();
    let unique: BTreeSet<(usize, usize)> = drawn.iter().copied().collect();
    assert_eq!(unique.len(), drawn.len(), "{name}: an edge is drawn twice");
    assert_eq!(unique, tree.edges, "{name}");
    for Route { from, to, path } in &sketch.routes {
        let touches = |(x, y): (i32, i32), spot: &Spot| {
            let beside = x == spot.x || x == spot.x + spot.w || y == spot.y || y == spot.y + spot.h;
            let knot = tree.cards[spot.id].role == Role::Knot;
            (spot.x..=spot.x + spot.w).contains(&x) && (spot.y..=spot.y + spot.h).contains(&y) && (beside || knot)
        };
        assert!(touches(path[0], spot(*from)), "{name}: {from} to {to} does not start at its box: {path:?}");
        assert!(touches(path[path.len() - 1], spot(*to)), "{name}: {from} to {to} does not end at its box: {path:?}");
        for pair in path.windows(2) {
            let (a, b) = (pair[0], pair[1]);
            assert!(a.0 == b.0 || a.1 == b.1, "{name}: {path:?} is oblique");
        }
    }
}

/// Edges that run behind a box.
pub fn crossings(sketch: &Sketch) -> usize {
    let behind = |route: &Route, spot: &Spot| {
        spot.id != route.from
            && spot.id != route.to
            && route.path.windows(2).any(|pair| {
                let (x, y) = (pair[0].0.min(pair[1].0), pair[0].1.min(pair[1].1));
                let (w, h) = ((pair[0].0 - pair[1].0).abs() + 1, (pair[0].1 - pair[1].1).abs() + 1);
                overlap(&Spot { id: 0, x, y, w, h }, spot)
            })
    };
    sketch.routes.iter().map(|route| sketch.cards.iter().filter(|spot| behind(route, spot)).count()).sum()
}

fn texts_inside(spot: &Spot, marks: &[Mark]) {
    let extent = |mark: &Mark| match mark {
        Mark::Text { x, y, anchor, size, bold, text, .. } => {
            let w = text::width(text, *size, *bold);
            let left = match anchor {
                Anchor::Start => *x,
                Anchor::Middle => x - w / 2,
                Anchor::End => x - w,
            };
            Some(Spot { id: 0, x: left, y: y - size, w, h: size + 3 })
        }
        _ => None,
    };
    let mut texts: Vec<Spot> = Vec::new();
    for (mark, text) in marks.iter().filter_map(|mark| Some((mark, extent(mark)?))) {
        let boxed = marks.iter().any(|other| match other {
            Mark::Rect { x, y, w, h, .. } => contains(&Spot { id: 0, x: *x, y: *y, w: *w, h: *h }, &text),
            _ => false,
        });
        assert!(boxed, "{mark:?} is outside its box in {spot:?}");
        assert!(texts.iter().all(|other| !overlap(other, &text)), "{mark:?} lies on another text");
        texts.push(text);
    }
}

fn mermaid_ids(text: &str, tree: &Tree) {
    let mut ids = BTreeSet::new();
    let mut edges = 0;
    let mut depth = 0;
    for line in text.lines().map(str::trim).skip_while(|line| *line != "flowchart TD").skip(1) {
        if let Some((from, to)) = line.split_once(" --> ") {
            assert!(ids.contains(from) && ids.contains(to), "{line}");
            edges += 1;
        } else if line == "end" {
            depth -= 1;
        } else if !line.starts_with("class") {
            let line = line.strip_prefix("subgraph ").inspect(|_| depth += 1).unwrap_or(line);
            let (id, label) = line.split_at(line.find(['[', '(']).expect("a shape"));
            assert!(ids.insert(id), "{id} is used twice");
            assert_eq!(label.matches('"').count(), 2, "{label}");
        }
    }
    assert_eq!((depth, edges), (0, tree.edges.len()));
    assert_eq!(ids.len(), tree.cards.len() + tree.groups.len() - 1);
}
