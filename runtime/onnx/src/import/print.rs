//! The text of a network, as people write it: a layer without weights stands beside the one before it, short sequences on one line.

use super::draft::{Id, Value};
use super::item::{Item, Name};
use super::parameters::Block;
use convnet_language::words;
use std::collections::VecDeque;

/// What a network is printed from.
pub struct Source<'a> {
    pub name: &'a str,
    /// Where it comes from.
    pub remark: &'a str,
    pub input: &'a [usize],
    pub output: &'a [usize],
    pub blocks: &'a [Block],
    pub items: &'a [Item],
    /// The layer whose outputs are the classes, where their number is a const generic.
    pub classes: Option<Id>,
}

/// Lines that are no longer than this may be put together.
const SHORT: usize = 88;

impl Source<'_> {
    pub fn print(&self) -> String {
        let mut text = format!("//! {}\n\n", self.remark);
        for block in self.blocks {
            text.push_str(&self.block(block));
            text.push('\n');
        }
        let (generics, output) = match (self.classes, self.output) {
            (Some(_), [classes]) => (format!("<const CLASSES: usize = {classes}>"), "CLASSES".to_string()),
            _ => (String::new(), sizes(self.output)),
        };
        let head = format!("pub struct {}{generics}: [{}] -> [{output}]", self.name, sizes(self.input));
        let mut printer = Printer { classes: self.classes, ..Printer::default() };
        let body = printer.body(self.items);
        text.push_str(&long(&head, &body).join("\n"));
        text.push('\n');
        text
    }

    fn block(&self, block: &Block) -> String {
        let params = block.params.iter().map(|param| match param.default {
            Some(default) => format!("{} = {default}", param.name),
            None => param.name.clone(),
        });
        let head = format!("block {}({})", block.name, params.collect::<Vec<_>>().join(", "));
        let numbers = block.numbers.iter().cloned().collect();
        let conditions = block.conditions.iter().cloned().collect();
        let mut printer = Printer { numbers: Some(numbers), conditions, classes: None };
        let body = printer.body(&block.body);
        long(&head, &body).join("\n") + "\n"
    }
}

#[derive(Default)]
struct Printer {
    /// What stands at the places for numbers, in a block.
    numbers: Option<VecDeque<String>>,
    conditions: VecDeque<Option<String>>,
    classes: Option<Id>,
}

impl Printer {
    /// The lines of a sequence.
    fn body(&mut self, items: &[Item]) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        let mut joins = false;
        for item in items {
            let is_layer = matches!(item, Item::Layer { .. });
            let follows = matches!(item, Item::Layer { name: None, layer, .. } if has_no_weights(layer.word));
            let own = self.item(item);
            match (own.as_slice(), lines.last_mut()) {
                ([one], Some(last)) if joins && follows && last.len() + one.len() < SHORT => {
                    last.push(' ');
                    last.push_str(one);
                }
                _ => lines.extend(own),
            }
            joins = is_layer;
        }
        lines
    }

    fn item(&mut self, item: &Item) -> Vec<String> {
        match item {
            Item::Layer { name, layer, id } => {
                let is_classes = self.classes == Some(*id);
                let said = layer.written_with(|i, value| match value {
                    Value::Number(_) if is_classes && layer.args.get(i).is_some_and(|(name, _)| *name == "out") => {
                        "CLASSES".into()
                    }
                    Value::Number(n) => self.number(*n),
                    other => other.written(),
                });
                vec![format!("{}{said};", name.as_ref().map_or_else(String::new, called))]
            }
            Item::Call { name, block, args, .. } => {
                // A number is what it is called by its place anyway.
                let name = if let Name::Index { .. } = name { String::new() } else { called(name) };
                vec![format!("{name}{block}({});", self.args(args))]
            }
            Item::Sequence { name: name @ Name::Output { .. }, body, .. } => match body.as_slice() {
                [layer @ Item::Layer { name: None, .. }] => {
                    vec![format!("{} = {}", called(name), self.item(layer).concat())]
                }
                _ => braces(&called(name), self.body(body)),
            },
            Item::Sequence { name, body, .. } => {
                let name = called(name);
                if let [Item::Concat(_) | Item::Repeat { .. }] = body.as_slice() {
                    let mut lines = self.item(&body[0]);
                    lines[0].insert_str(0, &name);
                    return lines;
                }
                braces(name.trim_end(), self.body(body))
            }
            Item::Residual { is_gate, body, shortcut, .. } => {
                let word = if *is_gate { "gate" } else { "residual" };
                // In the order in which they were found: from the outside in.
                let condition = if shortcut.is_empty() { None } else { self.conditions.pop_front().flatten() };
                let inner = self.body(body);
                if shortcut.is_empty() {
                    return braces(word, inner);
                }
                let mut lines = long(word, &inner);
                let condition = condition.map_or_else(String::new, |condition| format!(" if {condition}"));
                let other = braces(&format!("}} shortcut{condition}"), self.body(shortcut));
                lines.pop();
                lines.extend(other);
                lines
            }
            Item::Concat(branches) => {
                let lines: Vec<String> = branches.iter().flat_map(|branch| self.item(branch)).collect();
                braces("concat", lines)
            }
            Item::Group(body) => braces("", self.body(body)),
            Item::Repeat { count, body } => braces(&format!("repeat {count}"), self.body(body)),
        }
    }

    fn args(&mut self, args: &[(String, usize, Option<usize>)]) -> String {
        let mut parts = Vec::new();
        for (name, value, default) in args {
            let said = self.number(*value);
            match default {
                Some(default) if said == default.to_string() => {}
                // What has a default is said by its name, as other options are; a name alone would be the next parameter in order.
                Some(_) => parts.push(format!("{name} = {said}")),
                None => parts.push(said),
            }
        }
        parts.join(", ")
    }

    fn number(&mut self, n: usize) -> String {
        match &mut self.numbers {
            Some(numbers) => numbers.pop_front().unwrap_or_else(|| n.to_string()),
            None => n.to_string(),
        }
    }
}

fn sizes(sizes: &[usize]) -> String {
    sizes.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
}

pub fn has_no_weights(word: &str) -> bool {
    words::find(word).is_some_and(|word| word.parameters.is_empty())
}

fn called(name: &Name) -> String {
    match name {
        Name::Plain(name) => format!("{name}: "),
        Name::As { field, key } => format!("{field} as {key:?}: "),
        Name::Index { number, in_place: true } => format!("part{number} as \"{number}\": "),
        Name::Index { number, .. } => format!("part{number}: "),
        Name::Part => String::new(),
        Name::Output { name, dims } => format!("output {}[{}]", called(name), sizes(dims)),
    }
}

/// Statements in braces, on one line where they are few.
fn braces(head: &str, body: Vec<String>) -> Vec<String> {
    let short: usize = body.iter().map(|line| line.len() + 1).sum();
    let is_plain = body.iter().all(|line| !line.ends_with(['{', '}']));
    let space = if head.is_empty() { "" } else { " " };
    match is_plain && body.len() <= 3 && head.len() + short < SHORT {
        true => vec![format!("{head}{space}{{ {} }}", body.join(" "))],
        false => long(head, &body),
    }
}

/// Statements in braces, each on its line.
fn long(head: &str, body: &[String]) -> Vec<String> {
    let space = if head.is_empty() { "" } else { " " };
    let mut lines = vec![format!("{head}{space}{{")];
    lines.extend(body.iter().map(|line| format!("    {line}")));
    lines.push("}".into());
    lines
}
