//! Prints a laid out tree as SVG.
//!
//! Colours are CSS classes, with a second set for dark pages in a media query. CSS variables were rejected: browsers know
//! them, but librsvg, resvg, cairosvg and Inkscape do not, and would draw everything black; they all skip a media query.
//! The classes are those of the outermost element's descendants, and there are no ids, so that several images can be
//! put into one page. For the same reason arrowheads are small paths and not markers.

use super::layout::lay_out;
use super::paint::{self, Anchor, Mark};
use super::sketch::Path;
use super::text::{width, xml};
use super::tree::Tree;
use crate::Category;
use std::collections::BTreeSet;
use std::fmt::Write;

const MARGIN: i32 = 24;
/// Height of the heading.
const HEAD: i32 = 76;
/// Radius of an edge's corners.
const BEND: i32 = 14;
const FONT: &str = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,'DejaVu Sans',sans-serif";

/// The image.
pub(super) fn write(tree: &Tree) -> String {
    let sketch = lay_out(tree);
    let heading = [(tree.name.as_str(), 20, true), (tree.subtitle.as_str(), 13, false)];
    let text = heading.iter().map(|(text, size, bold)| width(text, *size, *bold)).max().unwrap_or(0);
    let (inner, key) = (sketch.left + sketch.right, legend_width(tree));
    let w = inner.max(text).max(key) + 2 * MARGIN;
    let h = HEAD + sketch.height + 2 * MARGIN + if key > 0 { 30 } else { 0 };
    let spine = (w - inner) / 2 + sketch.left;
    let sketch = sketch.moved(spine, HEAD);
    let mut out = String::new();
    let name = xml(&tree.name);
    // Writing to a `String` cannot fail.
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"convnet\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" height=\"{h}\" \
         role=\"img\" aria-label=\"{name}\" font-family=\"{}\">\n<title>{name}: {}</title>\n<style>\n{}</style>\n",
        xml(FONT),
        xml(&tree.subtitle),
        style()
    );
    let _ =
        writeln!(out, "<rect class=\"page\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"12\"/>", w - 1, h - 1);
    for ((words, size, bold), (y, class)) in heading.iter().zip([(MARGIN + 16, "ink"), (MARGIN + 38, "soft")]) {
        let (x, text) = (MARGIN, words.to_string());
        mark(&mut out, &Mark::Text { x, y, anchor: Anchor::Start, size: *size, bold: *bold, class, text });
    }
    for (spot, depth) in &sketch.frames {
        let group = &tree.groups[spot.id];
        group_of(&mut out, "", &group.detail, &paint::frame(group, spot, *depth));
    }
    let mut heads = BTreeSet::new();
    out += "<g class=\"edge\">\n";
    for route in &sketch.routes {
        let path = tidy(&route.path);
        let _ = writeln!(out, "<path d=\"{}\"/>", curve(&path));
        heads.extend(arrow(&path));
    }
    out += "</g>\n<g class=\"tip\">\n";
    for d in heads {
        let _ = writeln!(out, "<path d=\"{d}\"/>");
    }
    out += "</g>\n";
    for spot in &sketch.cards {
        let card = &tree.cards[spot.id];
        let aside = if card.auxiliary { "aside" } else { "" };
        group_of(&mut out, aside, &card.detail, &paint::card(card, spot));
    }
    legend(&mut out, tree, h - MARGIN - 8);
    out += "</svg>\n";
    out
}

fn group_of(out: &mut String, class: &str, detail: &str, marks: &[Mark]) {
    let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
    let _ = writeln!(out, "<g{class}><title>{}</title>", xml(detail));
    marks.iter().for_each(|one| mark(out, one));
    out.push_str("</g>\n");
}

fn mark(out: &mut String, mark: &Mark) {
    let _ = match mark {
        Mark::Rect { x, y, w, h, r, class } => {
            writeln!(out, "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"{r}\"/>")
        }
        Mark::Line { x, from, to } => writeln!(out, "<path class=\"stem\" d=\"M{x} {from}V{to}\"/>"),
        Mark::Text { x, y, anchor, size, bold, class, text } => {
            let anchor = match anchor {
                Anchor::Start => "",
                Anchor::Middle => " text-anchor=\"middle\"",
                Anchor::End => " text-anchor=\"end\"",
            };
            let bold = if *bold { " font-weight=\"600\"" } else { "" };
            let text = xml(text);
            writeln!(
                out,
                "<text class=\"{class}\" x=\"{x}\" y=\"{y}\" font-size=\"{size}\"{anchor}{bold}>{text}</text>"
            )
        }
    };
}

/// Without points that stand twice or lie on a straight line between their neighbours.
pub(super) fn tidy(path: &Path) -> Path {
    let mut out: Path = Vec::new();
    for point in path {
        if out.last() == Some(point) {
            continue;
        }
        if let [.., a, b] = out.as_slice()
            && ((a.0 == b.0 && b.0 == point.0) || (a.1 == b.1 && b.1 == point.1))
        {
            out.pop();
        }
        out.push(*point);
    }
    out
}

/// A path with round corners.
fn curve(path: &Path) -> String {
    let mut out = String::new();
    for (i, (x, y)) in path.iter().enumerate() {
        let neighbours = i.checked_sub(1).and_then(|i| path.get(i)).zip(path.get(i + 1));
        let _ = match neighbours {
            _ if i == 0 => write!(out, "M{x} {y}"),
            None => write!(out, "L{x} {y}"),
            Some((a, b)) => {
                let length = |p: &(i32, i32)| (p.0 - x).abs() + (p.1 - y).abs();
                let bend = BEND.min(length(a) / 2).min(length(b) / 2);
                let towards = |p: &(i32, i32)| (x + (p.0 - x).signum() * bend, y + (p.1 - y).signum() * bend);
                let (start, end) = (towards(a), towards(b));
                write!(out, "L{} {}Q{x} {y} {} {}", start.0, start.1, end.0, end.1)
            }
        };
    }
    out
}

/// A triangle at the end of a path.
fn arrow(path: &Path) -> Option<String> {
    let [.., (a, b), (x, y)] = *path.as_slice() else { return None };
    let (dx, dy) = ((x - a).signum(), (y - b).signum());
    let (left, right) = ((x - 7 * dx - 4 * dy, y - 7 * dy - 4 * dx), (x - 7 * dx + 4 * dy, y - 7 * dy + 4 * dx));
    Some(format!("M{x} {y}L{} {}L{} {}Z", left.0, left.1, right.0, right.1))
}

fn legend_width(tree: &Tree) -> i32 {
    paint::kinds(&tree.cards).iter().map(|kind| width(kind.name(), 11, false) + 34).sum()
}

fn legend(out: &mut String, tree: &Tree, y: i32) {
    let mut x = MARGIN;
    for kind in paint::kinds(&tree.cards) {
        let text = kind.name().to_string();
        let next = x + width(&text, 11, false) + 34;
        mark(out, &Mark::Rect { x, y: y - 10, w: 14, h: 12, r: 4, class: kind.name() });
        mark(out, &Mark::Text { x: x + 20, y, anchor: Anchor::Start, size: 11, bold: false, class: "soft", text });
        x = next;
    }
}

/// The classes, on light and on dark pages.
fn style() -> String {
    let mut light = String::from(
        ".convnet path{fill:none;stroke-width:1.5}\n.convnet .aside rect,.convnet rect.aside{stroke-dasharray:4 3}\n",
    );
    let mut dark = String::new();
    let plain = [
        (".page", "#ffffff", "#d0d7de", "#0d1117", "#3d444d"),
        (".even", "#ffffff", "#d0d7de", "#0d1117", "#3d444d"),
        (".odd", "#f6f8fa", "#d0d7de", "#161b22", "#3d444d"),
        (".frame.aside", "#f6f8fa", "#8c959f", "#161b22", "#6e7681"),
        (".badge", "#eaeef2", "#afb8c1", "#30363d", "#484f58"),
        (".ink", "#1f2328", "none", "#e6edf3", "none"),
        (".count", "#1f2328", "none", "#e6edf3", "none"),
        (".soft", "#59636e", "none", "#9198a1", "none"),
        (".edge path", "none", "#6e7781", "none", "#8b949e"),
        ("path.stem", "none", "#6e7781", "none", "#8b949e"),
        (".tip path", "#6e7781", "none", "#8b949e", "none"),
    ];
    let kinds = Category::ALL.map(|kind| (kind.name(), colours(kind)));
    let kinds = kinds.iter().map(|(class, [a, b, c, d])| (format!(".{class}"), *a, *b, *c, *d));
    let plain = plain.iter().map(|(class, a, b, c, d)| (class.to_string(), *a, *b, *c, *d));
    for (class, fill, stroke, dark_fill, dark_stroke) in plain.chain(kinds) {
        let _ = writeln!(light, ".convnet {class}{{fill:{fill};stroke:{stroke}}}");
        let _ = writeln!(dark, ".convnet {class}{{fill:{dark_fill};stroke:{dark_stroke}}}");
    }
    format!("{light}@media (prefers-color-scheme:dark){{\n{dark}}}\n")
}

/// Fill and stroke on light, then on dark pages.
fn colours(kind: Category) -> [&'static str; 4] {
    match kind {
        Category::Conv => ["#ddf4ff", "#54aeff", "#0c2d54", "#388bfd"],
        Category::Pool => ["#dafbe1", "#4ac26b", "#10331c", "#3fb950"],
        Category::Norm => ["#fbefff", "#c297ff", "#2f1b4d", "#a371f7"],
        Category::Activation => ["#fff1e5", "#fb8f44", "#42250b", "#db6d28"],
        Category::Linear => ["#ffebe9", "#ff8182", "#4b1a1c", "#f85149"],
        Category::Merge => ["#fff8c5", "#d4a72c", "#3b2e04", "#d29922"],
        Category::Other => ["#eaeef2", "#8c959f", "#21262d", "#6e7681"],
    }
}
