//! The table of a network: layers, shapes, parameters, MACs, receptive field.

use super::{Graph, Op};
use std::fmt;

/// Prints a [`Graph`] as a table. Made by [`Graph::summary`].
#[derive(Debug, Clone, Copy)]
pub struct Summary<'a>(&'a Graph);

impl Graph {
    /// A table of the layers, to print.
    pub fn summary(&self) -> Summary<'_> {
        Summary(self)
    }
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let graph = self.0;
        let header = ["layer", "kind", "output", "parameters", "MACs", "receptive field", "jump"];
        let rows: Vec<[String; 7]> = graph
            .nodes
            .iter()
            .map(|node| {
                let pair = |[h, w]: [usize; 2]| if h == w { h.to_string() } else { format!("{h}x{w}") };
                let count = |n: u64| if n == 0 { String::new() } else { grouped(n) };
                let rest = if matches!(node.op, Op::Input) {
                    [String::new(), String::new()]
                } else {
                    [pair(node.receptive_field), pair(node.jump)]
                };
                let [field, jump] = rest;
                [
                    node.name.to_string(),
                    node.op.word().to_string(),
                    node.shape.to_string(),
                    count(node.params as u64),
                    count(node.macs),
                    field,
                    jump,
                ]
            })
            .collect();
        let width: Vec<usize> =
            (0..7).map(|i| rows.iter().map(|row| row[i].len()).chain([header[i].len()]).max().unwrap_or(0)).collect();
        let line = |f: &mut fmt::Formatter<'_>, cells: [&str; 7]| {
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
        let [h, w] = graph.receptive_field();
        write!(
            f,
            "{}: {} parameters, {} MACs, receptive field {h}x{w}",
            graph.name,
            grouped(graph.param_count() as u64),
            grouped(graph.mac_count())
        )
    }
}

/// `61706` as `61,706`.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
