//! What is inside a box or a frame: text, chips, the circle of a sum. As marks with coordinates, which the SVG writer
//! prints and the tests measure.
//!
//! Sizes and marks stand side by side in one file, because each mark has to lie in what its size has reserved.

use super::sketch::Spot;
use super::text::{fit, width};
use super::tree::{Card, Group, Role};
use crate::Category;

/// Height of a circle.
pub(super) const KNOT: i32 = 26;
const PAD: i32 = 11;
const CHIP: i32 = 17;
const LABEL: i32 = 13;
const SMALL: i32 = 11;
const TINY: i32 = 10;
/// Boxes have widths from a small set, so that those of one column mostly agree.
const STEP: i32 = 24;
const LEAST: i32 = 192;
/// Longer names are cut.
const NAME: i32 = 110;
const TITLE: i32 = 300;
/// How far the cards of a stack of frames lie apart.
pub(super) const STACK: i32 = 4;

/// Something to draw.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Mark {
    /// A rectangle with round corners.
    Rect { x: i32, y: i32, w: i32, h: i32, r: i32, class: &'static str },
    /// A vertical line.
    Line { x: i32, from: i32, to: i32 },
    /// Text; `x` is its left end, its middle or its right end.
    Text { x: i32, y: i32, anchor: Anchor, size: i32, bold: bool, class: &'static str, text: String },
}

/// Where a text's `x` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

fn local(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or_default()
}

fn chip_width(chip: &str) -> i32 {
    width(chip, TINY, false) + 12
}

fn chips_width(card: &Card) -> i32 {
    let sum: i32 = card.chips.iter().map(|(chip, _)| chip_width(chip) + 4).sum();
    (sum - 4).max(0)
}

/// Width and height of a box.
pub(super) fn size(card: &Card) -> (i32, i32) {
    let chips = chips_width(card);
    let label = width(&card.label, LABEL, true);
    let shape = width(&card.shape, SMALL, false);
    let gap = |chips: i32| if chips > 0 { chips + 12 } else { 0 };
    match card.role {
        Role::Layer => {
            let name = width(local(&card.name), SMALL, false).min(NAME);
            let need = 2 * PAD + (label + 12 + name).max(gap(chips) + shape);
            (LEAST + ((need - LEAST).max(0) + STEP - 1) / STEP * STEP, 48)
        }
        Role::Knot => (KNOT.max(chips), if chips > 0 { KNOT + 6 + CHIP } else { KNOT }),
        Role::Bar => (2 * PAD + label + 12 + gap(chips) + shape, 28),
    }
}

/// The marks of a box, and the class of its colour.
pub(super) fn card(card: &Card, spot: &Spot) -> Vec<Mark> {
    let Spot { x, y, w, h, .. } = *spot;
    let class = card.kind.name();
    let mut marks = Vec::new();
    let text = |x, y, anchor, size, bold, class, text: String| Mark::Text { x, y, anchor, size, bold, class, text };
    match card.role {
        Role::Layer => {
            marks.push(Mark::Rect { x, y, w, h, r: 8, class });
            marks.push(text(x + PAD, y + 19, Anchor::Start, LABEL, true, "ink", card.label.clone()));
            let name = fit(local(&card.name), SMALL, false, NAME);
            // `input input` and `relu relu` would say one thing twice.
            if name != card.label {
                marks.push(text(x + w - PAD, y + 19, Anchor::End, SMALL, false, "soft", name));
            }
            chips(card, x + PAD, y + 26, &mut marks);
            marks.push(text(x + w - PAD, y + 38, Anchor::End, SMALL, false, "ink", card.shape.clone()));
        }
        Role::Knot => {
            let middle = x + w / 2;
            if h > KNOT {
                marks.push(Mark::Line { x: middle, from: y + KNOT, to: y + KNOT + 6 });
            }
            marks.push(Mark::Rect { x: middle - KNOT / 2, y, w: KNOT, h: KNOT, r: KNOT / 2, class });
            marks.push(text(middle, y + 19, Anchor::Middle, 17, true, "ink", card.label.clone()));
            chips(card, middle - chips_width(card) / 2, y + KNOT + 6, &mut marks);
        }
        Role::Bar => {
            marks.push(Mark::Rect { x, y, w, h, r: 8, class });
            let need = size(card).0 - 2 * PAD;
            let start = x + (w - need) / 2;
            marks.push(text(start, y + 18, Anchor::Start, LABEL, true, "ink", card.label.clone()));
            chips(card, start + width(&card.label, LABEL, true) + 12, y + 6, &mut marks);
            marks.push(text(start + need, y + 18, Anchor::End, SMALL, false, "ink", card.shape.clone()));
        }
    }
    marks
}

fn chips(card: &Card, mut x: i32, y: i32, marks: &mut Vec<Mark>) {
    for (chip, kind) in &card.chips {
        let w = chip_width(chip);
        marks.push(Mark::Rect { x, y, w, h: CHIP, r: 8, class: kind.name() });
        let (text, class) = (chip.clone(), "ink");
        marks.push(Mark::Text { x: x + 6, y: y + 12, anchor: Anchor::Start, size: TINY, bold: false, class, text });
        x += w + 4;
    }
}

/// What a frame's head needs: on the left and on the right of the line that comes in, and in height.
pub(super) fn head(group: &Group) -> (i32, i32, i32) {
    let title = width(&group.title, 12, true).min(TITLE);
    let range = group.range.as_deref().map_or(0, |range| width(range, SMALL, false));
    let badge = if group.times > 1 { width(&times(group), 12, true) + 14 } else { 0 };
    (title.max(range) + 24, badge + 24, if group.range.is_some() { 44 } else { 30 })
}

/// Offset of the lowest card in the stack that shows a repeated frame.
pub(super) fn stacked(group: &Group) -> i32 {
    if group.times > 1 { 2 * STACK } else { 0 }
}

fn times(group: &Group) -> String {
    format!("×{}", group.times)
}

/// The marks of a frame. `spot` is its top card.
pub(super) fn frame(group: &Group, spot: &Spot, depth: usize) -> Vec<Mark> {
    let Spot { x, y, w, h, .. } = *spot;
    let class = match (group.auxiliary, depth.is_multiple_of(2)) {
        (true, _) => "frame aside",
        (false, true) => "frame even",
        (false, false) => "frame odd",
    };
    let mut marks = Vec::new();
    let offsets = if group.times > 1 { [2 * STACK, STACK, 0].as_slice() } else { &[0] };
    marks.extend(offsets.iter().map(|by| Mark::Rect { x: x + by, y: y + by, w, h, r: 10, class }));
    let mut text = |x, y, anchor, size, bold, class, text| {
        marks.push(Mark::Text { x, y, anchor, size, bold, class, text });
    };
    text(x + 12, y + 20, Anchor::Start, 12, true, "soft", fit(&group.title, 12, true, TITLE));
    if let Some(range) = &group.range {
        text(x + 12, y + 36, Anchor::Start, SMALL, false, "soft", range.clone());
    }
    if group.times > 1 {
        let w = width(&times(group), 12, true) + 14;
        let left = x + spot.w - 10 - w;
        text(left + 7, y + 20, Anchor::Start, 12, true, "count", times(group));
        // Behind its text.
        let at = marks.len() - 1;
        marks.insert(at, Mark::Rect { x: left, y: y + 6, w, h: 20, r: 10, class: "badge" });
    }
    marks
}

/// Where a colour is explained: unused kinds are left out.
pub(super) fn kinds(cards: &[Card]) -> Vec<Category> {
    let used = |kind: &Category| {
        cards.iter().any(|card| card.kind == *kind || card.chips.iter().any(|(_, chip)| chip == kind))
    };
    Category::ALL.into_iter().filter(|kind| used(kind) && *kind != Category::Other).collect()
}
