//! A block out of modules of one form: which of their numbers differ, which follow from each other, and what they are called.

use super::draft::Draft;
use super::form::{Slot, exact, form_of, slots};
use super::item::{Item, incoming};
use convnet_language::words;

/// `block name(parameters) { ... }`
pub struct Block {
    pub name: String,
    pub params: Vec<Param>,
    /// One of its modules, with all shortcuts.
    pub body: Vec<Item>,
    /// What stands at each place for a number.
    pub numbers: Vec<String>,
    /// For each residual with a shortcut, in order, when it has one; always, where there is no condition.
    pub conditions: Vec<Option<String>>,
    /// The values of the parameters for each module, by what is written in it.
    calls: Vec<(String, Vec<usize>)>,
}

/// A parameter of a block.
pub struct Param {
    pub name: String,
    pub default: Option<usize>,
    values: Vec<usize>,
    arg: String,
    owner: Option<String>,
}

/// What a number of a block is.
#[derive(Clone, Copy, PartialEq)]
enum Number {
    Literal(usize),
    /// A parameter times a number.
    Times(usize, usize),
    /// The channels that come in, times and over a number.
    Channels {
        times: usize,
        over: usize,
    },
}

/// Multiples that people write as such.
const MULTIPLES: std::ops::RangeInclusive<usize> = 2..=8;

/// A block for these modules, unless their shortcuts have no form in common.
pub fn block(name: String, modules: &[Item], draft: &Draft) -> Option<Block> {
    let bodies: Vec<&[Item]> = modules.iter().map(body).collect();
    // One that has all shortcuts that any of them has.
    let template = *bodies.iter().max_by_key(|body| residuals(body).iter().filter(|has| has.is_some()).count())?;
    let pattern = residuals(template);
    let all: Vec<Vec<Option<String>>> = bodies.iter().map(|body| residuals(body)).collect();
    let alike = |one: &Vec<Option<String>>| {
        one.len() == pattern.len() && one.iter().zip(&pattern).all(|(own, known)| own.is_none() || own == known)
    };
    if !all.iter().all(alike) {
        return None;
    }
    let found: Vec<Vec<Option<Slot>>> = bodies.iter().map(|body| slots(body, template, draft)).collect();
    let places = found.first()?.len();
    let mut making = Making::default();
    for place in 0..places {
        let column: Vec<Option<&Slot>> = found.iter().map(|one| one.get(place).and_then(Option::as_ref)).collect();
        making.place(&column);
    }
    let inputs: Vec<Vec<usize>> = bodies.iter().map(|body| channels(body)).collect();
    let mut conditions = Vec::new();
    for (i, _) in pattern.iter().enumerate().filter(|(_, has)| has.is_some()) {
        let has: Vec<bool> = all.iter().map(|one| one[i].is_some()).collect();
        let channels: Vec<usize> = inputs.iter().map(|one| one.get(i).copied().unwrap_or(0)).collect();
        conditions.push(making.condition(&has, &channels));
    }
    making.name_params();
    let numbers = making.numbers.iter().map(|(_, number)| making.written(*number)).collect();
    let conditions = conditions.into_iter().map(|how| how.map(|how| making.condition_written(how))).collect();
    let value = |module: usize| making.params.iter().map(|param| param.values[module]).collect::<Vec<_>>();
    let calls = bodies.iter().enumerate().map(|(module, body)| (exact(body), value(module))).collect();
    let mut block = Block { name, params: making.params, body: template.to_vec(), numbers, conditions, calls };
    block.required_first();
    Some(block)
}

impl Block {
    /// The call that stands for a module.
    pub fn call(&self, module: &Item, draft: &Draft) -> Option<Item> {
        let Item::Sequence { name, body, .. } = module else { return None };
        let text = exact(body);
        let (_, values) = self.calls.iter().find(|(known, _)| *known == text)?;
        let arg = |(param, value): (&Param, &usize)| (param.name.clone(), *value, param.default);
        let args = self.params.iter().zip(values).map(arg).collect();
        let channels = incoming(body, draft);
        Some(Item::Call { name: name.clone(), block: self.name.clone(), args, channels })
    }

    /// Parameters without a default come first.
    fn required_first(&mut self) {
        let mut order: Vec<usize> = (0..self.params.len()).collect();
        order.sort_by_key(|at| self.params[*at].default.is_some());
        for (_, values) in &mut self.calls {
            *values = order.iter().map(|at| values[*at]).collect();
        }
        let mut sorted: Vec<Option<Param>> = std::mem::take(&mut self.params).into_iter().map(Some).collect();
        self.params = order.iter().filter_map(|at| sorted[*at].take()).collect();
    }
}

/// When a residual has its shortcut.
#[derive(Clone, Copy)]
enum Condition {
    /// The stride, a parameter, is not 1, or the channels that come in are not these; or one of both.
    Changes { stride: Option<usize>, out: Option<Number> },
    /// A parameter that says so.
    Said(usize),
}

/// The numbers of a block so far.
#[derive(Default)]
struct Making {
    params: Vec<Param>,
    /// Each with its argument.
    numbers: Vec<(String, Number)>,
}

impl Making {
    /// Finds what the next number is, from what it is in each module.
    fn place(&mut self, column: &[Option<&Slot>]) {
        let Some(slot) = column.iter().find_map(|slot| *slot) else { return };
        let number = self.number(slot, column);
        self.numbers.push((slot.arg.clone(), number));
    }

    fn number(&mut self, slot: &Slot, column: &[Option<&Slot>]) -> Number {
        let values: Vec<Option<usize>> = column.iter().map(|slot| slot.map(|slot| slot.value)).collect();
        let is_whole = values.iter().all(Option::is_some);
        let is_one = values.iter().flatten().all(|value| *value == slot.value);
        if is_whole && is_one {
            return Number::Literal(slot.value);
        }
        let fits = |known: &[usize], times: usize| {
            let each = values.iter().zip(known);
            each.into_iter().all(|(value, known)| value.is_none_or(|value| known.checked_mul(times) == Some(value)))
        };
        let counts = counts_channels(&slot.arg);
        let same = |param: &&(usize, &Param)| param.1.arg == slot.arg || (counts && counts_channels(&param.1.arg));
        let params: Vec<(usize, &Param)> = self.params.iter().enumerate().collect();
        if let Some((at, _)) = params.iter().filter(same).find(|(_, param)| fits(&param.values, 1)) {
            return Number::Times(*at, 1);
        }
        // Where a shortcut is missing, nothing is known and nothing needed.
        let channels: Vec<Option<usize>> = column.iter().map(|slot| slot.and_then(|slot| slot.channels)).collect();
        let from_channels = |times: usize, over: usize| {
            let is = |(value, channels): (&Option<usize>, &Option<usize>)| match (value, channels) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(value), Some(channels)) => {
                    channels % over == 0 && channels.checked_mul(times).map(|all| all / over) == Some(*value)
                }
            };
            counts && values.iter().zip(&channels).all(is)
        };
        if from_channels(1, 1) {
            return Number::Channels { times: 1, over: 1 };
        }
        for times in MULTIPLES.filter(|_| counts) {
            if let Some((at, _)) = params.iter().filter(same).find(|(_, param)| fits(&param.values, times)) {
                return Number::Times(*at, times);
            }
        }
        for many in MULTIPLES {
            for (times, over) in [(many, 1), (1, many)] {
                if from_channels(times, over) {
                    return Number::Channels { times, over };
                }
            }
        }
        if is_one {
            return Number::Literal(slot.value);
        }
        let default = slot.default.filter(|default| values.contains(&Some(*default)));
        let filled = values.iter().map(|value| value.or(default).unwrap_or(slot.value)).collect();
        self.param(&slot.arg, default, filled, slot.owner.clone())
    }

    fn param(&mut self, arg: &str, default: Option<usize>, values: Vec<usize>, owner: Option<String>) -> Number {
        self.params.push(Param { name: String::new(), default, values, arg: arg.into(), owner });
        Number::Times(self.params.len() - 1, 1)
    }

    /// When a residual has its shortcut: as people say it, or by a parameter of its own. Nothing where it always has.
    fn condition(&mut self, has: &[bool], channels: &[usize]) -> Option<Condition> {
        if has.iter().all(|has| *has) {
            return None;
        }
        let strides: Vec<usize> = (0..self.params.len()).filter(|at| self.params[*at].arg == "stride").collect();
        let outs: Vec<Number> =
            self.numbers.iter().rev().filter(|(arg, _)| counts_channels(arg)).map(|(_, number)| *number).collect();
        let value = |number: Number, module: usize| match number {
            Number::Literal(n) => Some(n),
            Number::Times(at, times) => self.params[at].values[module].checked_mul(times),
            Number::Channels { .. } => None,
        };
        let holds = |stride: Option<usize>, out: Option<Number>| {
            (0..has.len()).all(|module| {
                let strides = stride.is_some_and(|at| self.params[at].values[module] != 1);
                let changes = out.is_some_and(|out| value(out, module) != Some(channels[module]));
                has[module] == (strides || changes)
            })
        };
        let both = strides.iter().flat_map(|stride| outs.iter().map(move |out| (Some(*stride), Some(*out))));
        let one = outs.iter().map(|out| (None, Some(*out))).chain(strides.iter().map(|stride| (Some(*stride), None)));
        let found = both.chain(one).find(|(stride, out)| holds(*stride, *out));
        if let Some((stride, out)) = found {
            return Some(Condition::Changes { stride, out });
        }
        let values = has.iter().map(|has| usize::from(*has)).collect();
        match self.param("project", Some(0), values, None) {
            Number::Times(at, _) => Some(Condition::Said(at)),
            Number::Literal(_) | Number::Channels { .. } => None,
        }
    }

    /// Names each parameter after its argument, or, where several have the same, after whose number it is.
    fn name_params(&mut self) {
        for at in 0..self.params.len() {
            let param = &self.params[at];
            let is_alone = self.params.iter().filter(|other| other.arg == param.arg).count() == 1;
            let wanted = match (&param.owner, param.arg.as_str()) {
                (Some(owner), "out") if !is_alone => owner.clone(),
                (Some(owner), arg) if !is_alone => format!("{owner}_{arg}"),
                (_, arg) => arg.to_string(),
            };
            let is_word =
                |name: &String| words::is_structure(name) || words::VALUES.iter().any(|value| value.name == name);
            let wanted = if is_word(&wanted) { format!("{wanted}_out") } else { wanted };
            let taken = |name: &String| self.params.iter().any(|param| param.name == *name);
            let ends = if wanted.ends_with(|c: char| c.is_ascii_digit()) { "_" } else { "" };
            let numbered = (2..).map(|n| format!("{wanted}{ends}{n}"));
            let name = std::iter::once(wanted.clone()).chain(numbered).find(|name| !taken(name));
            self.params[at].name = name.unwrap_or(wanted);
        }
    }

    fn written(&self, number: Number) -> String {
        match number {
            Number::Literal(n) => n.to_string(),
            Number::Times(at, 1) => self.params[at].name.clone(),
            Number::Times(at, times) => format!("{times} * {}", self.params[at].name),
            Number::Channels { times: 1, over: 1 } => "channels".into(),
            Number::Channels { times, over: 1 } => format!("{times} * channels"),
            Number::Channels { over, .. } => format!("channels / {over}"),
        }
    }

    fn condition_written(&self, condition: Condition) -> String {
        match condition {
            Condition::Said(at) => format!("{} == 1", self.params[at].name),
            Condition::Changes { stride, out } => {
                let stride = stride.map(|at| format!("{} != 1", self.params[at].name));
                let out = out.map(|out| format!("channels != {}", self.written(out)));
                stride.into_iter().chain(out).collect::<Vec<_>>().join(" || ")
            }
        }
    }
}

/// Whether an argument is a number of channels, or of outputs.
fn counts_channels(arg: &str) -> bool {
    !["kernel", "stride", "pad", "dilation", "groups", "multiplier", "size", "scale", "height", "width", "output_pad"]
        .iter()
        .any(|other| arg == *other || arg.ends_with(&format!("_{other}")))
}

fn body(module: &Item) -> &[Item] {
    match module {
        Item::Sequence { body, .. } => body,
        other => std::slice::from_ref(other),
    }
}

/// Calls with the residuals of some statements in their order.
fn visit<'a>(items: &'a [Item], found: &mut impl FnMut(usize, &'a [Item])) {
    for item in items {
        match item {
            Item::Residual { channels, body, shortcut, .. } => {
                found(*channels, shortcut);
                visit(body, found);
                visit(shortcut, found);
            }
            Item::Sequence { body, .. } | Item::Concat(body) | Item::Group(body) | Item::Repeat { body, .. } => {
                visit(body, found);
            }
            Item::Layer { .. } | Item::Call { .. } => {}
        }
    }
}

/// The shortcut of each residual, if it has one, by its form.
fn residuals(items: &[Item]) -> Vec<Option<String>> {
    let mut found = Vec::new();
    visit(items, &mut |_, shortcut| found.push((!shortcut.is_empty()).then(|| form_of(shortcut))));
    found
}

/// The channels that come into each residual.
fn channels(items: &[Item]) -> Vec<usize> {
    let mut found = Vec::new();
    visit(items, &mut |channels, _| found.push(channels));
    found
}
