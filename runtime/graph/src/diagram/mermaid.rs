//! Mermaid text: boxes as nodes, frames as subgraphs.
//!
//! The ids are numbers of boxes and frames (`b3`, `g1`), not names: names may hold words that Mermaid keeps for itself
//! (`end`) and may repeat. What a Mermaid label cannot hold is written as its entity.

use super::tree::{Card, Child, Role, Tree};
use crate::Category;

/// The flowchart.
pub(super) fn write(tree: &Tree) -> String {
    let title = format!("{}: {}", tree.name, tree.subtitle);
    let mut out = format!("---\ntitle: \"{}\"\n---\nflowchart TD\n", yaml(&title));
    children(tree, 0, 1, &mut out);
    for (from, to) in &tree.edges {
        out += &format!("    b{from} --> b{to}\n");
    }
    for kind in Category::ALL {
        let ids = tree.cards.iter().enumerate().filter(|(_, card)| card.kind == kind);
        let ids: Vec<String> = ids.map(|(id, _)| format!("b{id}")).collect();
        if !ids.is_empty() {
            let (fill, stroke) = colours(kind);
            out += &format!("    classDef {} fill:{fill},stroke:{stroke},color:#1f2328\n", kind.name());
            out += &format!("    class {} {}\n", ids.join(","), kind.name());
        }
    }
    out
}

fn children(tree: &Tree, group: usize, depth: usize, out: &mut String) {
    let indent = "    ".repeat(depth);
    for child in &tree.groups[group].children {
        match *child {
            Child::Card(id) => *out += &format!("{indent}b{id}{}\n", node(&tree.cards[id])),
            Child::Group(id) => {
                let group = &tree.groups[id];
                let mut title = group.title.clone();
                if group.times > 1 {
                    title += &format!("  ×{}", group.times);
                }
                if let Some(range) = &group.range {
                    title += &format!("  {range}");
                }
                *out += &format!("{indent}subgraph g{id}[\"{}\"]\n", escape(&title));
                children(tree, id, depth + 1, out);
                *out += &format!("{indent}end\n");
            }
        }
    }
}

/// A node's shape and label, without its id.
fn node(card: &Card) -> String {
    let chips: Vec<&str> = card.chips.iter().map(|(chip, _)| chip.as_str()).collect();
    let words = escape(&[&[card.label.as_str()], chips.as_slice()].concat().join(" · "));
    match card.role {
        Role::Knot if chips.is_empty() => format!("((\"{words}\"))"),
        Role::Knot => format!("([\"{words}\"])"),
        Role::Bar => format!("[[\"{words} {}\"]]", escape(&card.shape)),
        Role::Layer => {
            let local = card.name.rsplit('.').next().unwrap_or_default();
            // A number or the word itself tells nothing new.
            let named = local.parse::<usize>().is_err() && local != card.label;
            let name = if named { format!("{}: ", escape(local)) } else { String::new() };
            format!("[\"{name}{words}<br/>{}\"]", escape(&card.shape))
        }
    }
}

/// For a quoted label.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '#' => out += "#35;",
            '"' => out += "#quot;",
            '&' => out += "#amp;",
            '<' => out += "#lt;",
            '>' => out += "#gt;",
            '`' => out += "#96;",
            '\\' => out += "#92;",
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// For a quoted scalar of YAML.
fn yaml(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(plain).collect::<String>().replace('\\', "\\\\").replace('"', "\\\"")
}

/// Fill and stroke, dark enough for white pages and light enough for black text.
fn colours(kind: Category) -> (&'static str, &'static str) {
    match kind {
        Category::Conv => ("#ddf4ff", "#218bff"),
        Category::Pool => ("#dafbe1", "#2da44e"),
        Category::Norm => ("#fbefff", "#a475f9"),
        Category::Activation => ("#fff1e5", "#e16f24"),
        Category::Linear => ("#ffebe9", "#fa4549"),
        Category::Merge => ("#fff8c5", "#bf8700"),
        Category::Other => ("#eaeef2", "#6e7781"),
    }
}
