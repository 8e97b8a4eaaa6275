//! Repeated modules are shown once.
//!
//! A *unit* is some consecutive children of a frame: one module, or a period of layers that a `repeat` wrote side by side.
//! Units are equal if their boxes are, one by one: text, shape and where the inputs come from. Names do not count.
//! Three comparisons are tried, the strictest first, because a chain of equal blocks (ResNet), blocks that grow
//! (DenseNet) and equal branches (ResNeXt written out) differ in what "equal" means for their inputs and shapes.
//!
//! Comparing hashes of canonical subtrees was rejected: units are short, and comparing them directly has no collisions.

use super::draft::{Draft, Module};
use crate::Shape;

/// The longest period that is looked for.
const PERIOD: usize = 8;
/// So many modules that agree up to the channels become one; fewer are drawn, because their channels are worth showing.
const GROWING: usize = 4;

/// How two units are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Same {
    /// One after the other, equal in everything.
    Chain,
    /// Side by side with the same input.
    Branches,
    /// One after the other, equal but for the channels.
    Growing,
}

/// Where a box's input is, seen from its unit.
#[derive(Debug, PartialEq, Eq)]
enum Link {
    Inside(usize),
    Before(usize),
    At(usize),
    Outside,
}

/// The modules with each run of equal units as one frame. `shown` gets the box that stands for each hidden one.
pub(super) fn collapse(modules: Vec<Module>, drafts: &[Draft], shown: &mut [usize]) -> Vec<Module> {
    let ranges: Vec<(usize, usize)> = modules.iter().map(Module::range).collect();
    let frames: Vec<bool> = modules.iter().map(|module| matches!(module, Module::Frame { .. })).collect();
    let mut rest = modules.into_iter();
    let mut out = Vec::new();
    let mut start = 0;
    while start < ranges.len() {
        let (period, times) = best(&ranges[start..], &frames[start..], drafts).unwrap_or((1, 1));
        let unit: Vec<Module> = rest.by_ref().take(period).collect();
        // The other units are hidden.
        let names: Vec<Option<String>> = rest.by_ref().take(period * (times - 1)).map(|m| name(&m, drafts)).collect();
        let (from, len) = (ranges[start].0, ranges[start + period - 1].1 - ranges[start].0);
        for (i, shown) in shown[from..from + len * times].iter_mut().enumerate().skip(len) {
            *shown = from + i % len;
        }
        let unit = unit.into_iter().map(|module| inner(module, drafts, shown));
        if times == 1 {
            out.extend(unit);
        } else {
            out.push(repeated(
                unit.collect(),
                times,
                (from, from + len * times),
                names.last().cloned().flatten(),
                drafts,
            ));
        }
        start += period * times;
    }
    out
}

fn name(module: &Module, drafts: &[Draft]) -> Option<String> {
    match module {
        Module::Card(card) => drafts.get(*card).map(|draft| draft.name.clone()),
        Module::Frame { name, .. } => Some(name.clone()),
    }
}

/// Collapses what is inside a module.
fn inner(module: Module, drafts: &[Draft], shown: &mut [usize]) -> Module {
    let Module::Frame { name, last, times, range, inside } = module else { return module };
    Module::Frame { name, last, times, range, inside: collapse(inside, drafts, shown) }
}

/// One frame for `times` units.
fn repeated(
    mut unit: Vec<Module>,
    times: usize,
    range: (usize, usize),
    last: Option<String>,
    drafts: &[Draft],
) -> Module {
    match unit.pop() {
        Some(Module::Frame { name, inside, times: 1, .. }) if unit.is_empty() => {
            Module::Frame { name, last, times, range, inside }
        }
        module => {
            unit.extend(module);
            let name = unit.first().and_then(|module| name(module, drafts)).unwrap_or_default();
            Module::Frame { name, last, times, range, inside: unit }
        }
    }
}

/// Period and number of units of the run that starts here and covers most.
fn best(ranges: &[(usize, usize)], frames: &[bool], drafts: &[Draft]) -> Option<(usize, usize)> {
    for same in [Same::Chain, Same::Branches, Same::Growing] {
        let mut found: Option<(usize, usize)> = None;
        for period in 1..=PERIOD.min(ranges.len() / 2) {
            let module = frames[..period].contains(&true);
            let least = match (same, period, module) {
                (Same::Chain, 1, true) => 2,
                (Same::Chain, 2.., _) => 3,
                // One layer again and again (VGG) is a pattern only if it is long.
                (Same::Chain, _, false) | (Same::Branches, 1, _) => 4,
                (Same::Growing, 1, true) => GROWING,
                _ => continue,
            };
            let times = count(ranges, period, drafts, same);
            if times >= least && found.is_none_or(|(p, t)| period * times > p * t) {
                found = Some((period, times));
            }
        }
        if found.is_some() {
            return found;
        }
    }
    None
}

fn count(ranges: &[(usize, usize)], period: usize, drafts: &[Draft], same: Same) -> usize {
    let (from, len) = (ranges[0].0, ranges[period - 1].1 - ranges[0].0);
    let equal = |unit: &[(usize, usize)]| {
        let (at, end) = (unit[0].0, unit[unit.len() - 1].1);
        end - at == len && (0..len).all(|i| alike(drafts, (from, from + i), (at, at + i), same)) && {
            // Growing units must hang together, or else they are branches.
            let chained = |draft: &Draft| draft.inputs.iter().any(|input| (at.saturating_sub(len)..at).contains(input));
            same != Same::Growing || drafts[at..end].iter().any(chained)
        }
    };
    1 + ranges.chunks_exact(period).skip(1).take_while(|unit| equal(unit)).count()
}

/// Whether two boxes, each with the start of its unit, are equal.
fn alike(drafts: &[Draft], (a_start, a): (usize, usize), (b_start, b): (usize, usize), same: Same) -> bool {
    let (x, y) = (&drafts[a], &drafts[b]);
    let shape = |shape: Shape| match shape {
        Shape::Map([_, h, w]) if same == Same::Growing => Shape::Map([0, h, w]),
        Shape::Vector(_) if same == Same::Growing => Shape::Vector(0),
        whole => whole,
    };
    x.text == y.text && shape(x.shape) == shape(y.shape) && links(x, a_start, same) == links(y, b_start, same)
}

fn links(draft: &Draft, start: usize, same: Same) -> Vec<Link> {
    let link = |input: &usize| match same {
        _ if *input >= start => Link::Inside(input - start),
        Same::Chain => Link::Before(start - input),
        Same::Branches => Link::At(*input),
        Same::Growing => Link::Outside,
    };
    let mut links: Vec<Link> = draft.inputs.iter().map(link).collect();
    // A growing concatenation may read ever more modules before it.
    links.dedup();
    links
}
