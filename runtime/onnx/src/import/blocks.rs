//! What repeats: modules of one form become a block, with what differs between them as its parameters, and equal statements in a row a
//! `repeat`.
//!
//! Modules have one form if they are written alike but for their numbers, and for shortcuts that some of them have. Inner modules come
//! first, so that a block may use another one.

use super::draft::Draft;
use super::form::{form, form_of};
use super::item::{Item, Name, is_activation};
use super::parameters::{Block, block};
use super::print;
use convnet_language::words;
use std::collections::{BTreeMap, BTreeSet};

/// Makes blocks of the modules of a network.
pub fn blocks(items: &mut Vec<Item>, draft: &Draft, taken: &[&str]) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let whole = if items.iter().any(has_modules) { None } else { Some(parts(items)) };
    loop {
        let mut modules = Vec::new();
        items.iter().for_each(|item| each(item, None, &mut modules));
        if modules.is_empty() {
            break;
        }
        let mut alike: BTreeMap<&str, Vec<&Module<'_>>> = BTreeMap::new();
        for module in &modules {
            alike.entry(&module.form).or_default().push(module);
        }
        let mut made: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for module in &modules {
            let all = &alike[module.form.as_str()];
            if made.contains_key(module.form.as_str()) || !is_worth(all) {
                continue;
            }
            let items: Vec<Item> = all.iter().map(|module| module.item.clone()).collect();
            let mut make = |items: &[Item]| {
                let names: Vec<&str> =
                    taken.iter().copied().chain(found.iter().map(|block| block.name.as_str())).collect();
                let made = block(block_name(items, &names), items, draft);
                made.map(|block| {
                    found.push(block);
                    found.len() - 1
                })
            };
            let blocks = match make(&items) {
                Some(one) => vec![one],
                // Their shortcuts differ: those of one kind together.
                None => {
                    by_shortcut(items).iter().filter(|items| items.len() > 1).filter_map(|items| make(items)).collect()
                }
            };
            made.insert(&module.form, blocks);
        }
        let made: BTreeMap<String, Vec<usize>> = made.into_iter().map(|(form, at)| (form.to_string(), at)).collect();
        let change = |module: &mut Item| {
            let blocks = made.get(&form(module)).into_iter().flatten().map(|at| &found[*at]);
            let call = blocks.filter_map(|block| block.call(module, draft)).next();
            match (call, module) {
                (Some(call), module) => *module = call,
                (None, Item::Sequence { inline, .. }) => *inline = true,
                (None, _) => {}
            }
        };
        items.iter_mut().for_each(|item| replace(item, &change));
    }
    if let Some(whole) = whole {
        let parted = std::mem::take(items).into_iter().zip(whole);
        *items =
            parted.flat_map(|(item, whole)| if let Item::Call { .. } = item { vec![item] } else { whole }).collect();
    }
    // Not within blocks, where equal statements may have numbers that differ from use to use.
    repeats(items);
    found
}

fn has_modules(item: &Item) -> bool {
    match item {
        Item::Sequence { .. } => true,
        Item::Residual { body, shortcut, .. } => body.iter().chain(shortcut).any(has_modules),
        Item::Concat(body) | Item::Group(body) | Item::Repeat { body, .. } => body.iter().any(has_modules),
        Item::Layer { .. } | Item::Call { .. } => false,
    }
}

/// Modules whose shortcuts are written alike.
fn by_shortcut(modules: Vec<Item>) -> Vec<Vec<Item>> {
    let mut found: BTreeMap<String, Vec<Item>> = BTreeMap::new();
    for module in modules {
        let Item::Sequence { body, .. } = &module else { continue };
        found.entry(form_of(body)).or_default().push(module);
    }
    found.into_values().collect()
}

/// In a network without modules, each structure with the activations behind it may be a block. Names that are counted through the whole
/// network say nothing there, and are left out; what each part was with them is given back.
fn parts(items: &mut Vec<Item>) -> Vec<Vec<Item>> {
    let (mut parted, mut whole): (Vec<Item>, Vec<Vec<Item>>) = Default::default();
    for item in items.drain(..) {
        let follows = matches!(&item, Item::Layer { name: None, layer, .. } if is_activation(layer.word));
        match (&item, parted.last_mut(), whole.last_mut()) {
            (_, Some(Item::Sequence { body, .. }), Some(last)) if follows => {
                body.push(item.clone());
                last.push(item);
            }
            (Item::Residual { .. } | Item::Concat(_), ..) => {
                let mut nameless = item.clone();
                unname(&mut nameless);
                parted.push(Item::Sequence { name: Name::Part, class: None, body: vec![nameless], inline: false });
                whole.push(vec![item]);
            }
            _ => {
                parted.push(item.clone());
                whole.push(vec![item]);
            }
        }
    }
    *items = parted;
    whole
}

fn unname(item: &mut Item) {
    match item {
        Item::Layer { name, .. } => *name = None,
        Item::Residual { body, shortcut, .. } => body.iter_mut().chain(shortcut).for_each(unname),
        Item::Sequence { body, .. } | Item::Concat(body) | Item::Group(body) | Item::Repeat { body, .. } => {
            body.iter_mut().for_each(unname);
        }
        Item::Call { .. } => {}
    }
}

/// A module whose own modules are dealt with.
struct Module<'a> {
    item: &'a Item,
    form: String,
    /// The module around it: which one, and its form.
    around: Option<(*const Item, String)>,
}

/// Finds each such module; those of shortcuts stay where they are.
fn each<'a>(item: &'a Item, around: Option<&'a Item>, found: &mut Vec<Module<'a>>) {
    match item {
        Item::Sequence { body, inline, .. } => {
            let inner = if *inline { around } else { Some(item) };
            body.iter().for_each(|one| each(one, inner, found));
            if !inline && body.iter().all(is_done) {
                let around = around.map(|around| (std::ptr::from_ref(around), form(around)));
                found.push(Module { item, form: form(item), around });
            }
        }
        Item::Residual { body, .. } | Item::Concat(body) | Item::Group(body) | Item::Repeat { body, .. } => {
            body.iter().for_each(|one| each(one, around, found));
        }
        Item::Layer { .. } | Item::Call { .. } => {}
    }
}

/// Changes each such module.
fn replace(item: &mut Item, change: &impl Fn(&mut Item)) {
    let is_ready = matches!(item, Item::Sequence { body, inline: false, .. } if body.iter().all(is_done));
    if is_ready {
        return change(item);
    }
    match item {
        Item::Sequence { body, .. } | Item::Residual { body, .. } => {
            body.iter_mut().for_each(|item| replace(item, change));
        }
        Item::Concat(body) | Item::Group(body) | Item::Repeat { body, .. } => {
            body.iter_mut().for_each(|item| replace(item, change));
        }
        Item::Layer { .. } | Item::Call { .. } => {}
    }
}

fn is_done(item: &Item) -> bool {
    match item {
        Item::Sequence { body, inline, .. } => *inline && body.iter().all(is_done),
        Item::Residual { body, .. } | Item::Concat(body) | Item::Group(body) | Item::Repeat { body, .. } => {
            body.iter().all(is_done)
        }
        Item::Layer { .. } | Item::Call { .. } => true,
    }
}

/// Whether a block says less than the modules themselves: they have layers of their own, or many blocks, or no name.
fn is_worth(modules: &[&Module<'_>]) -> bool {
    let [first, _, ..] = modules else { return false };
    let Item::Sequence { name, body, .. } = first.item else { return false };
    let calls = body.iter().filter(|item| matches!(item, Item::Call { .. })).count();
    let is_long = (body.len() > calls && count(body) >= 2) || calls > 4 || matches!(name, Name::Index { .. });
    // If each is alone in a module of one form, that is the block, and they are written out in it.
    let around = |module: &Module<'_>| module.around.as_ref().map(|(_, form)| form.clone());
    let form = around(first);
    let outer: BTreeSet<Option<*const Item>> =
        modules.iter().map(|module| module.around.as_ref().map(|(place, _)| *place)).collect();
    let is_part = form.is_some() && outer.len() == modules.len() && modules.iter().all(|module| around(module) == form);
    is_long && !is_part
}

fn count(items: &[Item]) -> usize {
    let one = |item: &Item| match item {
        Item::Layer { .. } | Item::Call { .. } => 1,
        Item::Residual { body, shortcut, .. } => count(body) + count(shortcut),
        Item::Sequence { body, .. } | Item::Concat(body) | Item::Group(body) | Item::Repeat { body, .. } => count(body),
    };
    items.iter().map(one).sum()
}

/// What a block is called: as its modules' class, as they are, or after what it is.
fn block_name(modules: &[Item], taken: &[&str]) -> String {
    let class = modules.iter().find_map(|module| match module {
        Item::Sequence { class, .. } => class.as_deref(),
        _ => None,
    });
    let names = modules.iter().map(|module| match module {
        Item::Sequence { name: Name::Plain(name) | Name::As { field: name, .. }, .. } => name.as_str(),
        _ => "",
    });
    let same = stem(&names.collect::<Vec<_>>());
    let inside =
        |wanted: fn(&Item) -> bool| matches!(&modules[0], Item::Sequence { body, .. } if body.iter().any(wanted));
    let wanted = match (class.map(snake).filter(|class| !class.is_empty()), same) {
        (Some(class), _) => class,
        (None, Some(stem)) => stem.to_lowercase(),
        (None, None) if inside(|item| matches!(item, Item::Residual { is_gate: true, .. })) => "gate_unit".into(),
        (None, None) if inside(|item| matches!(item, Item::Residual { .. })) => "residual_unit".into(),
        (None, None) if inside(|item| matches!(item, Item::Concat(_))) => "concat_unit".into(),
        (None, None) => "unit".into(),
    };
    let is_free =
        |name: &String| words::find(name).is_none() && !words::is_structure(name) && !taken.contains(&name.as_str());
    let wanted =
        if words::find(&wanted).is_some() || words::is_structure(&wanted) { format!("{wanted}_unit") } else { wanted };
    let numbered = (2..1000).map(|n| format!("{wanted}{n}"));
    std::iter::once(wanted.clone()).chain(numbered).find(is_free).unwrap_or(wanted)
}

/// What names have in common before the number or the letter that tells them apart: `inception` of `inception3a` and `inception4b`.
fn stem<'a>(names: &[&'a str]) -> Option<&'a str> {
    let first = *names.first()?;
    let same = |name: &str| first.bytes().zip(name.bytes()).take_while(|(a, b)| a == b).count();
    let len = names.iter().map(|name| same(name)).min()?;
    let stem = first.get(..len)?.trim_end_matches(|c: char| c.is_ascii_digit() || c == '_');
    let are_short = names.iter().all(|name| name.len() - stem.len() <= 3);
    (stem.len() > 2 && are_short).then_some(stem)
}

/// `BasicBlock` as `basic_block`.
fn snake(class: &str) -> String {
    let mut text = String::new();
    let letters: Vec<char> = class.trim_start_matches('_').chars().filter(char::is_ascii_alphanumeric).collect();
    for (i, letter) in letters.iter().enumerate() {
        let begins = letter.is_ascii_uppercase()
            && i > 0
            && (letters[i - 1].is_ascii_lowercase()
                || letters.get(i + 1).is_some_and(char::is_ascii_lowercase) && !letters[i - 1].is_ascii_digit());
        if begins {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    if text.starts_with(|c: char| c.is_ascii_alphabetic()) { text } else { String::new() }
}

/// The longest row of statements that is looked at for one that comes again.
const LONGEST: usize = 12;

/// Equal statements without names, one after the other, as a `repeat`.
fn repeats(items: &mut Vec<Item>) {
    let mut rest: Vec<Item> = std::mem::take(items);
    for item in &mut rest {
        match item {
            Item::Residual { body, shortcut, .. } => {
                repeats(body);
                repeats(shortcut);
            }
            // Its statements are branches.
            Item::Concat(branches) => branches.iter_mut().for_each(|branch| {
                if let Item::Group(body) | Item::Sequence { body, .. } = branch {
                    repeats(body);
                }
            }),
            Item::Sequence { body, .. } | Item::Group(body) | Item::Repeat { body, .. } => repeats(body),
            Item::Layer { .. } | Item::Call { .. } => {}
        }
    }
    let said: Vec<Option<String>> = rest.iter().map(plain).collect();
    // People begin what they repeat with a layer that has weights and is no normalisation of what came before.
    let begins = |item: &Item| {
        let follows = |word: &str| print::has_no_weights(word) || word.ends_with("norm") || word == "channel_scale";
        !matches!(item, Item::Layer { layer, .. } if follows(layer.word))
    };
    let mut at = 0;
    while at < rest.len() {
        let longest = if begins(&rest[at]) || !rest[at..].iter().take(LONGEST).any(begins) { LONGEST } else { 1 };
        let best = (1..=longest).map(|period| (period, again(&said[at..], period))).filter(|(_, times)| *times > 1);
        match best.max_by_key(|(period, times)| (period * times, std::cmp::Reverse(*period))) {
            Some((period, times)) => {
                items.push(Item::Repeat { count: times, body: rest[at..at + period].to_vec() });
                at += period * times;
            }
            None => {
                items.push(rest[at].clone());
                at += 1;
            }
        }
    }
}

/// How often the first statements of a list come one after the other.
fn again(said: &[Option<String>], period: usize) -> usize {
    let Some(first) = said.get(..period).filter(|first| first.iter().all(Option::is_some)) else { return 0 };
    said.chunks_exact(period).take_while(|chunk| *chunk == first).count()
}

/// What a statement without a name says, all its numbers included.
fn plain(item: &Item) -> Option<String> {
    match item {
        Item::Layer { name: None, layer, .. } => Some(layer.written()),
        Item::Call { name: Name::Index { .. } | Name::Part, block, args, .. } => {
            let args: Vec<String> = args.iter().map(|(name, value, _)| format!("{name}={value}")).collect();
            Some(format!("{block}({})", args.join(",")))
        }
        _ => None,
    }
}
