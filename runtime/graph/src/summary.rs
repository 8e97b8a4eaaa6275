//! The table of a network: layers, shapes, parameters, MACs, receptive field.

use crate::wording::{counted, grouped, memory, noun};
use crate::{Graph, Node, Op};
use std::fmt;

/// Prints a [`Graph`] as a table. Made by [`Graph::summary`].
#[derive(Debug, Clone, Copy)]
pub struct Summary<'a> {
    graph: &'a Graph,
    batch: usize,
    notes: &'a [&'a str],
}

impl<'a> Summary<'a> {
    /// Memory for this many images at once.
    pub fn batch(self, batch: usize) -> Self {
        Summary { batch, ..self }
    }

    /// Adds a line below the table for each of these notes, which lints have found.
    pub fn notes(self, notes: &'a [&'a str]) -> Self {
        Summary { notes, ..self }
    }
}

impl Graph {
    /// A table of the layers, to print.
    pub fn summary(&self) -> Summary<'_> {
        Summary { graph: self, batch: 1, notes: &[] }
    }
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (graph, batch) = (self.graph, self.batch);
        let header = ["layer", "kind", "output", "parameters", "MACs", "memory", "receptive field", "jump"];
        let rows: Vec<[String; 8]> = graph.nodes.iter().map(|node| row(node, batch)).collect();
        let width: Vec<usize> =
            (0..8).map(|i| rows.iter().map(|row| row[i].len()).chain([header[i].len()]).max().unwrap_or(0)).collect();
        let line = |f: &mut fmt::Formatter<'_>, cells: [&str; 8]| {
            let mut text = String::new();
            for (i, cell) in cells.iter().enumerate() {
                let pad = " ".repeat(width[i] - cell.len());
                // Words to the left, numbers to the right.
                text += &if i < 3 { format!("{cell}{pad}  ") } else { format!("{pad}{cell}  ") };
            }
            writeln!(f, "{}", text.trim_end())
        };
        line(f, header)?;
        let rule = width.iter().map(|w| "-".repeat(*w)).collect::<Vec<_>>().join("  ");
        writeln!(f, "{rule}")?;
        for row in &rows {
            line(f, std::array::from_fn(|i| row[i].as_str()))?;
        }
        writeln!(f, "{rule}")?;
        let ([h, w], [down, across]) = (graph.receptive_field(), graph.jump());
        writeln!(
            f,
            "{}: {} {}, {} MACs, receptive field {h}x{w} every {down}x{across} pixels",
            graph.name,
            grouped(graph.param_count() as u64),
            noun(graph.param_count(), "parameter"),
            grouped(graph.mac_count())
        )?;
        if graph.outputs.len() > 1 {
            writeln!(f, "gives {}", graph.outputs_in_words())?;
        }
        let auxiliary: usize = graph.nodes.iter().filter(|node| node.auxiliary).map(|node| node.params).sum();
        if !graph.heads.is_empty() {
            let names: Vec<&str> = graph.heads.iter().map(|head| &*head.name).collect();
            let without = grouped((graph.param_count() - auxiliary) as u64);
            writeln!(f, "in training also {}; {without} parameters without", names.join(" and "))?;
        }
        write!(
            f,
            "activations of {}: {} at most at once, {} if all are kept for a backward pass",
            counted(batch, "image"),
            memory(batch * graph.peak_activations),
            memory(batch * graph.activation_count())
        )?;
        self.notes.iter().try_for_each(|note| write!(f, "\nwarning: {note}"))
    }
}

/// The row of a layer.
fn row(node: &Node, batch: usize) -> [String; 8] {
    let pair = |[h, w]: [usize; 2]| if h == w { h.to_string() } else { format!("{h}x{w}") };
    let count = |n: u64| if n == 0 { String::new() } else { grouped(n) };
    let [field, jump] = if matches!(node.op, Op::Input) {
        [String::new(), String::new()]
    } else {
        [pair(node.receptive_field), pair(node.jump)]
    };
    [
        node.name.to_string(),
        node.op.word().to_string(),
        node.shape.to_string(),
        count(node.params as u64),
        count(node.macs),
        memory(batch * node.shape.len()),
        field,
        jump,
    ]
}
