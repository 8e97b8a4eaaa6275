//! What is printed: statements with names, gathered into the modules that they belong to.

use super::draft::{Draft, Id, Layer, Op};
use super::place::Places;
use super::tree::Statement;
use convnet_language::words;
use std::collections::BTreeSet;

/// A statement of the language.
#[derive(Clone)]
pub enum Item {
    Layer {
        name: Option<Name>,
        layer: Layer,
        id: Id,
    },
    /// `inline` once it is known that no block is made of it.
    Sequence {
        name: Name,
        class: Option<String>,
        body: Vec<Item>,
        inline: bool,
    },
    /// `channels` come in.
    Residual {
        is_gate: bool,
        channels: usize,
        body: Vec<Item>,
        shortcut: Vec<Item>,
    },
    Concat(Vec<Item>),
    Group(Vec<Item>),
    /// A block with a number for each of its parameters and the parameter's default; `channels` come in.
    Call {
        name: Name,
        block: String,
        args: Vec<(String, usize, Option<usize>)>,
        channels: Option<usize>,
    },
    Repeat {
        count: usize,
        body: Vec<Item>,
    },
}

/// What an item is called.
#[derive(Clone, PartialEq, Eq)]
pub enum Name {
    /// A field and a key of the same name.
    Plain(String),
    /// A field whose key is no name of Rust.
    As { field: String, key: String },
    /// A number, which is what an item without a name has by its place; whether it is at that place.
    Index { number: usize, in_place: bool },
    /// None: a part of a sequence that may be a block.
    Part,
    /// That of a further output, whose layers are the sequence, with the shape that it gives.
    Output { name: Box<Name>, dims: Vec<usize> },
}

/// Everything under the modules that it belongs to.
pub fn items(statements: &[Statement], draft: &Draft, places: &Places) -> Vec<Item> {
    let mut items = Gathering { draft, places }.level(statements, &[]);
    if items.is_empty() {
        items.push(identity(0));
    }
    name(&mut items);
    items
}

struct Gathering<'a> {
    draft: &'a Draft,
    places: &'a Places,
}

impl Gathering<'_> {
    /// The statements of a module, those of its own modules gathered.
    fn level(&self, statements: &[Statement], prefix: &[String]) -> Vec<Item> {
        let mut scopes: Vec<Option<Vec<String>>> = statements.iter().map(|one| self.scope(one)).collect();
        // What does not tell its place is in the module around it: an activation in that of what is before it.
        for i in 0..scopes.len() {
            if scopes[i].is_none() {
                let before = i.checked_sub(1).and_then(|before| scopes[before].clone());
                let after = scopes[i + 1..].iter().flatten().next().cloned();
                scopes[i] = match (before, after) {
                    (Some(before), _) if self.is_activation(&statements[i]) => Some(before),
                    (None, after) if i == 0 => after,
                    (before, after) => common([before, after].into_iter().map(|scope| Some(scope.unwrap_or_default()))),
                };
            }
        }
        let inner = |i: usize| {
            let scope = scopes[i].as_deref()?;
            scope.strip_prefix(prefix)?.first()
        };
        let (mut items, mut i) = (Vec::new(), 0);
        while i < statements.len() {
            let Some(module) = inner(i) else {
                items.push(self.one(&statements[i], prefix));
                i += 1;
                continue;
            };
            let end = (i..statements.len()).find(|j| inner(*j) != Some(module)).unwrap_or(statements.len());
            let path: Vec<String> = prefix.iter().chain([module]).cloned().collect();
            let body = self.level(&statements[i..end], &path);
            if !body.iter().any(has_weights) {
                // A module of an activation alone says nothing.
                items.extend(body);
                i = end;
                continue;
            }
            let class = self.places.classes.get(&path).cloned();
            let name = Name::Plain(module.clone());
            items.push(Item::Sequence { name, class, body, inline: false });
            i = end;
        }
        items
    }

    fn one(&self, statement: &Statement, prefix: &[String]) -> Item {
        match statement {
            Statement::Layer(id) => {
                let layer = match &self.draft.nodes[*id].op {
                    Op::Layer(layer) => layer.clone(),
                    Op::Input | Op::Add | Op::Gate | Op::Concat | Op::Step(_) => Layer::new("identity", Vec::new()),
                };
                // Only weights have keys.
                let name = self.places.all[*id].name.clone().filter(|_| !self.draft.nodes[*id].weights.is_empty());
                Item::Layer { name: name.map(Name::Plain), layer, id: *id }
            }
            Statement::Residual { is_gate, from, body, shortcut, .. } => {
                let channels = self.draft.nodes[*from].dims.first().copied().unwrap_or(0);
                let mut body = self.level(body, prefix);
                if body.is_empty() {
                    body.push(identity(*from));
                }
                Item::Residual { is_gate: *is_gate, channels, body, shortcut: self.level(shortcut, prefix) }
            }
            Statement::Concat { branches, at } => Item::Concat(
                branches
                    .iter()
                    .map(|branch| {
                        let mut items = self.level(branch, prefix);
                        match items.len() {
                            0 => identity(*at),
                            1 => items.swap_remove(0),
                            _ => Item::Group(items),
                        }
                    })
                    .collect(),
            ),
            Statement::Output { number, from, body } => self.output(*number, *from, body, prefix),
        }
    }

    /// A further output. Where its layers are a module of the same name, as in files of ours, that is itself.
    fn output(&self, number: usize, from: Id, body: &[Statement], prefix: &[String]) -> Item {
        let output = &self.draft.outputs[number];
        let path = output.name.as_str();
        let key = if self.places.own { path.rsplit('.').next().unwrap_or(path) } else { path };
        let mut body = self.level(body, prefix);
        match body.as_mut_slice() {
            [] => body.push(identity(from)),
            [Item::Layer { name, .. }] if *name == Some(Name::Plain(key.into())) => *name = None,
            [Item::Sequence { name, body: inner, .. }] if *name == Name::Plain(key.into()) => {
                body = std::mem::take(inner)
            }
            _ => {}
        }
        let dims = self.draft.nodes[output.id].dims.clone();
        let name = Name::Output { name: Box::new(Name::Plain(key.into())), dims };
        Item::Sequence { name, class: None, body, inline: true }
    }

    fn is_activation(&self, statement: &Statement) -> bool {
        matches!(statement, Statement::Layer(id) if self.draft.layer(*id).is_some_and(|layer| is_activation(layer.word)))
    }

    /// The innermost module that holds all of a statement.
    fn scope(&self, statement: &Statement) -> Option<Vec<String>> {
        let own = |id: &Id| self.places.all[*id].scope.clone();
        match statement {
            Statement::Layer(id) => own(id),
            Statement::Residual { at, body, shortcut, .. } => {
                common(body.iter().chain(shortcut).map(|one| self.scope(one)).chain([own(at)]))
            }
            Statement::Concat { at, branches } => {
                common(branches.iter().flatten().map(|one| self.scope(one)).chain([own(at)]))
            }
            Statement::Output { number, from, .. } => match self.places.own {
                true => {
                    let path = &self.draft.outputs[*number].name;
                    let outer = path.rsplit_once('.').map_or("", |(outer, _)| outer);
                    Some(outer.split('.').filter(|part| !part.is_empty()).map(str::to_string).collect())
                }
                false => own(from),
            },
        }
    }
}

/// Whether there are layers with weights in it.
fn has_weights(item: &Item) -> bool {
    match item {
        Item::Layer { layer, .. } => words::find(layer.word).is_some_and(|word| !word.parameters.is_empty()),
        Item::Residual { body, shortcut, .. } => body.iter().chain(shortcut).any(has_weights),
        Item::Sequence { body, .. } | Item::Concat(body) | Item::Group(body) | Item::Repeat { body, .. } => {
            body.iter().any(has_weights)
        }
        Item::Call { .. } => true,
    }
}

/// Whether a word is an activation.
pub fn is_activation(word: &str) -> bool {
    let family = words::FAMILIES.iter().find(|family| family.name == "activation");
    family.is_some_and(|family| family.words.iter().any(|known| known.name() == word))
}

/// The input itself, as a layer.
fn identity(id: Id) -> Item {
    Item::Layer { name: None, layer: Layer::new("identity", Vec::new()), id }
}

/// The path that all begin with.
fn common(scopes: impl Iterator<Item = Option<Vec<String>>>) -> Option<Vec<String>> {
    scopes.flatten().reduce(|mut a, b| {
        let same = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
        a.truncate(same);
        a
    })
}

/// Makes the names of a level ones that the language takes, each once.
fn name(items: &mut [Item]) {
    let mut level = Level::default();
    level.items(items);
}

#[derive(Default)]
struct Level {
    taken: BTreeSet<String>,
    members: usize,
}

impl Level {
    fn items(&mut self, items: &mut [Item]) {
        for item in items {
            match item {
                Item::Layer { name, .. } => {
                    let fits = name.take().and_then(|name| self.fitting(name));
                    *name = fits.filter(|name| !matches!(name, Name::Index { .. }));
                    self.members += 1;
                }
                Item::Sequence { name: own, body, .. } => {
                    if let Some(fits) = self.fitting(own.clone()) {
                        *own = fits;
                    }
                    self.members += 1;
                    name(body);
                }
                Item::Residual { body, shortcut, .. } => {
                    self.items(body);
                    self.items(shortcut);
                }
                Item::Concat(body) | Item::Group(body) | Item::Repeat { body, .. } => self.items(body),
                Item::Call { .. } => self.members += 1,
            }
        }
    }

    fn fitting(&mut self, name: Name) -> Option<Name> {
        let key = match name {
            Name::Plain(key) => key,
            Name::Output { name, dims } => {
                let given = self.fitting(*name).filter(|name| !matches!(name, Name::Index { .. }));
                let name = Box::new(given.or_else(|| self.fitting(Name::Plain("further".into())))?);
                return Some(Name::Output { name, dims });
            }
            Name::As { .. } | Name::Index { .. } | Name::Part => return Some(name),
        };
        if let Ok(number) = key.parse::<usize>() {
            return Some(Name::Index { number, in_place: number == self.members });
        }
        let field: String = key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let field = field.trim_matches('_').to_string();
        if !field.starts_with(|c: char| c.is_ascii_alphabetic()) || field.len() > 100 {
            return None;
        }
        let is_free = convnet_language::is_name(&field) && !words::is_structure(&field) && field != "assert";
        let wanted = if is_free { field } else { format!("{field}_") };
        let numbered = (2..).map(|n| format!("{wanted}{n}"));
        let free = std::iter::once(wanted.clone()).chain(numbered).find(|name| !self.taken.contains(name))?;
        self.taken.insert(free.clone());
        // The key stays what it was where that is free.
        let keeps = free == wanted && free != key && !key.contains(['.', '"', '\\']) && self.taken.insert(key.clone());
        Some(if keeps { Name::As { field: free, key } } else { Name::Plain(free) })
    }
}

/// The layers in the order in which they are written.
pub fn layers(items: &[Item], found: &mut Vec<Id>) {
    for item in items {
        match item {
            // What stands for a value itself makes none.
            Item::Layer { layer, .. } if layer.word == "identity" => {}
            Item::Layer { id, .. } => found.push(*id),
            Item::Residual { body, shortcut, .. } => {
                layers(body, found);
                layers(shortcut, found);
            }
            Item::Sequence { body, .. } | Item::Concat(body) | Item::Group(body) | Item::Repeat { body, .. } => {
                layers(body, found);
            }
            Item::Call { .. } => {}
        }
    }
}

/// The channels that come into the first of some statements.
pub fn incoming(items: &[Item], draft: &Draft) -> Option<usize> {
    items.iter().find_map(|item| match item {
        Item::Layer { id, .. } => {
            let input = draft.nodes[*id].inputs.first()?;
            draft.nodes[*input].dims.first().copied()
        }
        Item::Residual { channels, .. } => Some(*channels),
        Item::Call { channels, .. } => *channels,
        Item::Sequence { body, .. } | Item::Concat(body) | Item::Group(body) | Item::Repeat { body, .. } => {
            incoming(body, draft)
        }
    })
}

/// Whether a layer is written out, and not within a block or a repeat.
pub fn has_layer(items: &[Item], wanted: Id) -> bool {
    items.iter().any(|item| match item {
        Item::Layer { id, .. } => *id == wanted,
        Item::Residual { body, shortcut, .. } => has_layer(body, wanted) || has_layer(shortcut, wanted),
        Item::Sequence { body, .. } | Item::Concat(body) | Item::Group(body) => has_layer(body, wanted),
        Item::Repeat { .. } | Item::Call { .. } => false,
    })
}
