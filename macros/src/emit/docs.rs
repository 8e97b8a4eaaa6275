//! What rustdoc and an editor show: a line for each field, a table for the network.

use super::Emitter;
use super::numbers;
use convnet_graph::wording::grouped;
use convnet_language::cost::Count;
use convnet_language::graph::{Node, show};
use quote::{ToTokens, quote};

impl Emitter<'_> {
    /// `conv 5x5: [6, 14, 14] -> [16, 10, 10], 2,416 parameters, 240,000 MACs`
    pub fn describe(&self, node: &Node) -> String {
        let from = node.inputs.first().and_then(|input| self.graph.nodes.get(*input));
        let from = from.map_or(String::new(), |from| show(from.shape, self.network));
        let mut text = format!("`{}`: `{from}` -> `{}`", node.label, show(node.shape, self.network));
        for (count, what) in [(node.param_count(), "parameters"), (node.macs.clone(), "MACs")] {
            match count.evaluate(|_| None) {
                Some(0) => {}
                Some(n) => text += &format!(", {} {what}", grouped(n)),
                None => {
                    let names: Vec<_> =
                        self.network.symbols.iter().map(|symbol| symbol.name.to_token_stream()).collect();
                    let formula = numbers::count(&count, &quote!(usize), &names).to_string().replace(" as usize", "");
                    text += &format!(", {formula} {what}");
                }
            }
        }
        text
    }

    /// The architecture as a Markdown table, a line an element.
    pub fn table(&self) -> Vec<String> {
        let mut lines: Vec<String> =
            ["", "| layer | kind | output | parameters | MACs |", "|---|---|---|---:|---:|"].map(String::from).into();
        let number = |count: &Count| match count.evaluate(|_| None) {
            Some(0) => String::new(),
            Some(n) => grouped(n),
            None => "depends".into(),
        };
        lines.extend(self.graph.nodes.iter().map(|node| {
            let (params, macs) = (number(&node.param_count()), number(&node.macs));
            format!("| `{}` | {} | `{}` | {params} | {macs} |", node.name, node.label, show(node.shape, self.network))
        }));
        lines
    }
}
