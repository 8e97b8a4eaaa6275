//! Blocks and repeats: the same statements with other numbers.

use super::{Checker, Level, unknown};
use crate::ast::{Block, Layer, Repeat};
use crate::cost::Dim;
use crate::graph::{MemberKind, size};
use crate::report::{did_you_mean, one_of};
use crate::values::{INDEX, SIZE, Scope, evaluate, number};
use quote::ToTokens;

impl<'a> Checker<'a, '_> {
    /// An instance of a block: a sequence in which the block's parameters have values.
    pub(super) fn instance(&mut self, layer: &'a Layer, block: &'a Block, path: String) -> Option<MemberKind> {
        if self.depth >= 16 {
            // The instances on the way here say nothing that the block's own name does not.
            self.errors.bare(&layer.word, format!("`{}` contains itself", block.name));
            self.limits.stopped = true;
            return None;
        }
        let values = if layer.broken { None } else { self.arguments(layer, block) };
        match values {
            _ if self.dry => {
                self.node(unknown(path, self.at.node));
                None
            }
            Some(values) => Some(self.filled(layer, block, values, path)),
            None => self.any_instance(layer, block, path),
        }
    }

    /// The sequence of a block whose parameters have these values.
    pub(super) fn filled(
        &mut self,
        layer: &'a Layer,
        block: &'a Block,
        values: Vec<(String, Dim)>,
        path: String,
    ) -> MemberKind {
        let shown = values.iter().map(|(name, value)| format!("{name} = {}", size(*value, self.network)));
        let shown = format!("{}({})", block.name, shown.collect::<Vec<_>>().join(", "));
        self.errors.enter(format!("`{path}`, made by `{shown}`"));
        let outer = (std::mem::replace(&mut self.locals, values), std::mem::replace(&mut self.indexed, false));
        let called = self.called;
        self.called = called.or(Some(&layer.word));
        self.depth += 1;
        let members = self.allowing(&block.allowed, |checker| checker.inner(&block.body, path));
        self.depth -= 1;
        self.called = called;
        (self.locals, self.indexed) = outer;
        self.errors.leave();
        members
    }

    /// The values of a block's parameters.
    pub(super) fn arguments(&mut self, layer: &Layer, block: &Block) -> Option<Vec<(String, Dim)>> {
        let names: Vec<String> = block.params.iter().map(|param| param.name.to_string()).collect();
        let mut values: Vec<Option<Dim>> = vec![None; names.len()];
        let outer = self.locals.clone();
        let scope = Scope { network: self.network, shape: Some(self.shape()), locals: &outer, largest: SIZE };
        let mut next = 0;
        let mut complete = true;
        for arg in &layer.args {
            // One error tells of all values that are too many.
            if arg.name.is_none() && next > names.len() {
                continue;
            }
            let index = match &arg.name {
                Some(name) => names.iter().position(|known| name == known),
                None => {
                    next += 1;
                    Some(next - 1)
                }
            };
            let place = arg.name.as_ref().map_or_else(|| arg.value.to_token_stream(), ToTokens::to_token_stream);
            match index.and_then(|index| values.get_mut(index)) {
                Some(Some(_)) => {
                    self.errors.on(place, format!("this parameter of `{}` is given twice", block.name));
                    complete = false;
                }
                Some(value) => *value = Some(evaluate(&arg.value, &scope, self.errors)),
                None => {
                    let known = one_of(names.iter().map(String::as_str)).replace(" or ", " and ");
                    let hint = arg.name.as_ref().map_or(String::new(), |name| {
                        did_you_mean(&name.to_string(), names.iter().map(String::as_str))
                    });
                    self.errors.on(place, format!("`{}` has the parameters {known}{hint}", block.name));
                    complete = false;
                }
            }
        }
        let mut bound: Vec<(String, Dim)> = Vec::new();
        for ((param, name), value) in block.params.iter().zip(names).zip(values) {
            let value = match (value, &param.default) {
                (Some(value), _) => value,
                // A default may refer to the parameters before it.
                (None, Some(default)) => {
                    let scope =
                        Scope { network: self.network, shape: Some(self.shape()), locals: &bound, largest: SIZE };
                    evaluate(default, &scope, self.errors)
                }
                (None, None) => {
                    self.errors.on(&layer.word, format!("`{}` needs `{name}`", block.name));
                    complete = false;
                    Dim::Unknown
                }
            };
            bound.push((name, value));
        }
        complete.then_some(bound)
    }

    pub(super) fn repeat(&mut self, repeat: &'a Repeat, level: &mut Level) {
        let locals = self.locals.clone();
        let scope = Scope { network: self.network, shape: Some(self.shape()), locals: &locals, largest: SIZE };
        let count = number(&repeat.count, &scope, self.errors).known();
        if repeat.body.is_empty() {
            self.errors.on(&repeat.word, "there is nothing to repeat");
            return;
        }
        let count = if self.dry { 1 } else { count.unwrap_or(0) };
        if !self.repeats(count, &repeat.count) {
            return;
        }
        self.limits.repeats.push((count, &repeat.count));
        let outer = (locals, self.indexed);
        for index in 0..count {
            if self.limits.stopped {
                break;
            }
            self.set_index(if self.dry { Dim::Unknown } else { Dim::Known(index) });
            self.body(&repeat.body, level);
        }
        (self.locals, self.indexed) = outer;
        self.limits.repeats.pop();
    }

    /// Makes `index` the number of a repetition, unless a parameter of the block is called so.
    fn set_index(&mut self, index: Dim) {
        match self.locals.iter_mut().find(|(name, _)| name == INDEX) {
            Some((_, value)) if self.indexed => *value = index,
            Some(_) => {}
            None => {
                self.locals.push((INDEX.into(), index));
                self.indexed = true;
            }
        }
    }
}
