//! Which edges pass through frames in the regular way.
//!
//! A frame has one entry at its top, for the values of one box outside, and one exit at its bottom, for the value of one
//! box inside. An edge that agrees with the ports of all frames that it crosses takes part in the flow of each; another
//! one (a skip from the middle of an encoder into the middle of a decoder) does not, and the layout draws it beside the
//! rest. Ports for every value were rejected: frames with several lines through their border are hard to read, and rare.

use super::flow::Edges;
use super::tree::{Child, Tree};
use std::collections::BTreeMap;

/// For each frame of the tree, the edges between its children.
pub(super) fn levels(tree: &Tree) -> Vec<Edges> {
    let paths = paths(tree);
    let crossed = |a: usize, b: usize| {
        let (from, to) = (paths[a].as_slice(), paths[b].as_slice());
        let shared = from.iter().zip(to).take_while(|(x, y)| x.0 == y.0).count();
        (shared, from, to)
    };
    // How many readers inside each source has, and the best candidate for the exit.
    let mut sources: Vec<BTreeMap<usize, usize>> = vec![BTreeMap::new(); tree.groups.len()];
    let mut exits: Vec<Option<(bool, usize)>> = vec![None; tree.groups.len()];
    for (a, b) in &tree.edges {
        let (shared, from, to) = crossed(*a, *b);
        for (group, _) in &to[shared..] {
            *sources[*group].entry(*a).or_default() += 1;
        }
        for (group, _) in &from[shared..] {
            // What the main path reads comes before what only auxiliary heads read.
            exits[*group] = exits[*group].max(Some((!tree.cards[*b].auxiliary, *a)));
        }
    }
    if let Some(output) = tree.output {
        for (group, _) in &paths[output] {
            exits[*group] = exits[*group].max(Some((true, output)));
        }
    }
    let entry = |group: usize| sources[group].iter().max_by_key(|(card, n)| (**n, **card)).map(|(card, _)| *card);
    let exit = |group: usize| exits[group].map(|(_, card)| card);
    let mut levels: Vec<Edges> = tree.groups.iter().map(|_| Edges::default()).collect();
    for (a, b) in &tree.edges {
        let (shared, from, to) = crossed(*a, *b);
        let leaves = from[shared..].iter().all(|(group, _)| exit(*group) == Some(*a));
        let enters = to[shared..].iter().all(|(group, _)| entry(*group) == Some(*a));
        if !(leaves && enters && shared > 0) {
            continue;
        }
        let (group, here) = from[shared - 1];
        let (_, there) = to[shared - 1];
        levels[group].inner.insert((here, there));
        for (group, child) in &from[shared..] {
            levels[*group].exit.insert(*child);
        }
        for (group, child) in &to[shared..] {
            levels[*group].entry.insert(*child);
        }
    }
    if let Some(output) = tree.output {
        for (group, child) in &paths[output] {
            if exit(*group) == Some(output) {
                levels[*group].exit.insert(*child);
            }
        }
    }
    levels
}

/// For each box, the frames around it from the outermost, each with the index of the child that holds the box.
fn paths(tree: &Tree) -> Vec<Vec<(usize, usize)>> {
    fn walk(tree: &Tree, group: usize, path: &mut Vec<(usize, usize)>, out: &mut [Vec<(usize, usize)>]) {
        for (index, child) in tree.groups[group].children.iter().enumerate() {
            path.push((group, index));
            match *child {
                Child::Card(card) => out[card].clone_from(path),
                Child::Group(inner) => walk(tree, inner, path, out),
            }
            path.pop();
        }
    }
    let mut out = vec![Vec::new(); tree.cards.len()];
    walk(tree, 0, &mut Vec::new(), &mut out);
    out
}
