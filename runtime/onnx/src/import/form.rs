//! The form of a module: what is written of it but its numbers, which are counted through in one order.

use super::draft::{Draft, Id, Layer, Value};
use super::item::{Item, Name};

/// A place for a number in a module.
#[derive(Clone)]
pub struct Slot {
    /// The argument.
    pub arg: String,
    /// What the number is.
    pub value: usize,
    /// What it is where it is not written.
    pub default: Option<usize>,
    /// The channels that come into the layer.
    pub channels: Option<usize>,
    /// The nearest name around it.
    pub owner: Option<String>,
}

/// What is written of a module, without its numbers and without the shortcuts of its residuals.
pub fn form(module: &Item) -> String {
    let mut text = String::new();
    match module {
        Item::Sequence { body, .. } => body.iter().for_each(|item| write(item, false, &mut text)),
        other => write(other, false, &mut text),
    }
    text
}

/// The form of some statements, shortcuts included.
pub fn form_of(items: &[Item]) -> String {
    let mut text = String::new();
    items.iter().for_each(|item| write(item, true, &mut text));
    text
}

/// What is written of some statements, everything included but numbers that are names.
pub fn exact(items: &[Item]) -> String {
    let mut text = form_of(items);
    numbers(items, &mut text);
    text
}

fn numbers(items: &[Item], text: &mut String) {
    for item in items {
        match item {
            Item::Layer { layer, .. } => {
                let all = layer.args.iter().filter_map(|(_, value)| match value {
                    Value::Number(n) => Some(format!(" {n}")),
                    _ => None,
                });
                text.extend(all);
            }
            Item::Call { args, .. } => text.extend(args.iter().map(|(_, value, _)| format!(" {value}"))),
            Item::Residual { body, shortcut, .. } => {
                numbers(body, text);
                numbers(shortcut, text);
            }
            Item::Sequence { body, .. } | Item::Concat(body) | Item::Group(body) | Item::Repeat { body, .. } => {
                numbers(body, text);
            }
        }
    }
}

fn write(item: &Item, shortcuts: bool, text: &mut String) {
    let mut all = |word: &str, items: &[Item]| {
        text.push_str(word);
        text.push('{');
        items.iter().for_each(|item| write(item, shortcuts, text));
        text.push('}');
    };
    match item {
        Item::Layer { name, layer, .. } => {
            text.push_str(&format!("{}{};", name.as_ref().map_or_else(String::new, written), args(layer)));
        }
        Item::Sequence { name, body, .. } => all(&written(name), body),
        Item::Residual { is_gate, body, shortcut, .. } => {
            all(if *is_gate { "gate" } else { "residual" }, body);
            if shortcuts {
                all("shortcut", shortcut);
            }
        }
        Item::Concat(body) => all("concat", body),
        Item::Group(body) => all("", body),
        Item::Repeat { count, body } => all(&format!("repeat {count}"), body),
        Item::Call { name, block, .. } => {
            let name = if let Name::Index { .. } = name { String::new() } else { written(name) };
            text.push_str(&format!("{name}{block}();"));
        }
    }
}

fn written(name: &Name) -> String {
    match name {
        Name::Plain(name) => format!("{name}:"),
        Name::As { field, key } => format!("{field} as {key}:"),
        Name::Index { number, in_place } => format!("{number} {in_place}:"),
        Name::Part => String::new(),
        Name::Output { name, dims } => format!("output {} {dims:?}", written(name)),
    }
}

fn args(layer: &Layer) -> String {
    layer.written_all(|_, value| match value {
        Value::Number(_) => "#".into(),
        other => other.written(),
    })
}

/// The places for numbers in a list of statements, in the order in which they are printed. With `pattern`, another module of the same form,
/// places of shortcuts that these do not have are nothing.
pub fn slots(items: &[Item], pattern: &[Item], draft: &Draft) -> Vec<Option<Slot>> {
    let mut found = Vec::new();
    Walk { draft, owner: None, found: &mut found }.items(Some(items), pattern);
    found
}

struct Walk<'a> {
    draft: &'a Draft,
    owner: Option<String>,
    found: &'a mut Vec<Option<Slot>>,
}

impl Walk<'_> {
    fn items(&mut self, items: Option<&[Item]>, pattern: &[Item]) {
        for (i, shape) in pattern.iter().enumerate() {
            self.item(items.and_then(|items| items.get(i)), shape);
        }
    }

    fn layer(&mut self, own: Option<(&Layer, Id)>, pattern: &Layer, name: Option<String>) {
        let owner = name.or_else(|| self.owner.clone());
        let numbers = pattern.args.iter().enumerate().filter(|(_, (_, value))| matches!(value, Value::Number(_)));
        for (i, (arg, _)) in numbers {
            let slot = own.and_then(|(own, id)| {
                let Some((_, Value::Number(value))) = own.args.get(i) else { return None };
                let input = self.draft.nodes[id].inputs.first().copied();
                let channels = input.and_then(|input| self.draft.nodes[input].dims.first().copied());
                let default = own.whole_default(arg);
                Some(Slot { arg: (*arg).into(), value: *value, default, channels, owner: owner.clone() })
            });
            self.found.push(slot);
        }
    }

    fn item(&mut self, item: Option<&Item>, pattern: &Item) {
        match pattern {
            Item::Layer { name, layer, .. } => {
                let own = match item {
                    Some(Item::Layer { layer, id, .. }) => Some((layer, *id)),
                    _ => None,
                };
                self.layer(own, layer, name.as_ref().and_then(field));
            }
            Item::Call { name, args, .. } => {
                let (own, channels) = match item {
                    Some(Item::Call { args, channels, .. }) => (Some(args), *channels),
                    _ => (None, None),
                };
                let owner = field(name).or_else(|| self.owner.clone());
                for i in 0..args.len() {
                    let slot = own.and_then(|own| own.get(i)).map(|(arg, value, default)| Slot {
                        arg: arg.clone(),
                        value: *value,
                        default: *default,
                        channels,
                        owner: owner.clone(),
                    });
                    self.found.push(slot);
                }
            }
            Item::Residual { body, shortcut, .. } => {
                let own = match item {
                    Some(Item::Residual { body, shortcut, .. }) => Some((body.as_slice(), shortcut.as_slice())),
                    _ => None,
                };
                self.items(own.map(|own| own.0), body);
                self.items(own.map(|own| own.1).filter(|own| !own.is_empty()), shortcut);
            }
            Item::Sequence { name, body, .. } => {
                let own = match item {
                    Some(Item::Sequence { body, .. }) => Some(body.as_slice()),
                    _ => None,
                };
                let outer = self.owner.clone();
                self.owner = field(name).or(outer.clone());
                self.items(own, body);
                self.owner = outer;
            }
            Item::Concat(body) | Item::Group(body) | Item::Repeat { body, .. } => {
                let own = match item {
                    Some(Item::Concat(body) | Item::Group(body) | Item::Repeat { body, .. }) => Some(body.as_slice()),
                    _ => None,
                };
                self.items(own, body);
            }
        }
    }
}

fn field(name: &Name) -> Option<String> {
    match name {
        Name::Plain(name) | Name::As { field: name, .. } => Some(name.clone()),
        Name::Output { name, .. } => field(name),
        Name::Index { .. } | Name::Part => None,
    }
}
