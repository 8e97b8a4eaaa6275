//! What is not a plain layer of the network: further outputs and auxiliary heads beside it, and modules from outside the language in it.

use super::{Checker, Level, parameterless};
use crate::ast::{Custom, Head, HeadBody};
use crate::graph::{self, MemberKind};
use crate::values::{self, SIZE, Scope};
use convnet_graph::Op;
use quote::quote;

impl<'a> Checker<'a, '_> {
    /// A further or an auxiliary output: walked from the current value, which stays the current one.
    pub(super) fn head(&mut self, head: &'a Head, level: &mut Level) {
        let locals = self.locals.clone();
        let scope = Scope { network: self.network, shape: Some(self.shape()), locals: &locals, largest: SIZE };
        let declared = values::shape(&head.shape, true, &head.name.field, &scope, self.errors);
        let start = self.at;
        self.named(Some(&head.name), &head.name, level, |checker, path| {
            let members = match &head.body {
                HeadBody::One(layer) => checker.one(layer, path.clone()),
                HeadBody::Sequence(body) => Some(checker.inner(body, path.clone())),
            };
            let actual = checker.shape();
            if !declared.is_unknown() && !actual.is_unknown() && declared != actual {
                let dims = &head.shape;
                let names = [&*head.name.to_string(), &*format!("{}: ", head.name)];
                checker.wrong_output(quote!(#(#dims),*), names, declared, actual);
            }
            if head.is_output && path == graph::OUTPUT {
                checker
                    .errors
                    .on(&head.name, "`output` is what the network's own output is called; give this one another name");
            }
            let list = if head.is_output { &mut checker.outputs } else { &mut checker.heads };
            list.push(graph::Head { path, node: checker.at.node, shape: declared });
            members
        });
        self.at = start;
    }

    /// A module from outside, which has the shape that is declared.
    pub(super) fn custom(&mut self, custom: &'a Custom, level: &mut Level) {
        let locals = self.locals.clone();
        let scope = Scope { network: self.network, shape: Some(self.shape()), locals: &locals, largest: SIZE };
        let shape = values::shape(&custom.shape, true, &custom.name.field, &scope, self.errors);
        self.named(Some(&custom.name), &custom.name, level, |checker, path| {
            let index = checker.nodes.iter().filter(|node| node.is_custom()).count();
            let from = checker.nodes.get(checker.at.node);
            let (field, jump) = from.map(|node| (node.receptive_field.clone(), node.jump)).unwrap_or_default();
            let input = vec![checker.at.node];
            let node = checker.node(parameterless(path, Op::Custom(index), "custom", input, shape, field, jump));
            let [_, height, width] = shape.chw();
            checker.at.source_extent = [height, width];
            Some(MemberKind::Custom(node, Box::new(custom.module.clone())))
        });
    }
}
