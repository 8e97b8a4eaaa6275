//! A network as an image: SVG for pages and papers, Mermaid for Markdown.
//!
//! Both come from one intermediate form, so that they show the same boxes:
//!
//! ```text
//! Graph -> draft -> collapse -> tree -> mermaid
//!                                  tree -> ports -> flow -> layout -> paint -> svg
//! ```
//!
//! `tree` decides *what* is drawn (boxes, frames, edges) and knows no geometry. `ports` and `flow` find sequences,
//! branches and side branches in a frame. `layout` gives them coordinates (`sketch`), `paint` fills the boxes with text, and the two writers
//! only print. An external layout engine (Graphviz, dagre) was rejected: these networks are nearly always
//! series-parallel, for which a recursive layout is short, deterministic and cleaner than a general one.

mod collapse;
mod draft;
mod flow;
mod label;
mod layout;
mod mermaid;
mod paint;
mod ports;
mod sketch;
mod svg;
mod text;
mod tree;

#[cfg(test)]
mod tests;

use crate::Graph;

/// The network as an SVG image, from top to bottom, for light and dark pages.
///
/// Equal modules that follow each other are drawn once with their number, and what follows a layer as its only reader
/// (batch normalisation, activation, dropout) is drawn in the layer's box.
pub fn svg(graph: &Graph) -> String {
    svg::write(&tree::Tree::new(graph))
}

/// The network as a Mermaid flowchart (version 11), with the boxes and frames of [`svg()`].
pub fn mermaid(graph: &Graph) -> String {
    mermaid::write(&tree::Tree::new(graph))
}
