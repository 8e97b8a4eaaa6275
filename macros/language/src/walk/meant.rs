//! What stands for a layer that is not understood: what was meant as far as that can be told, so that the rest of the network is checked,
//! and a field and a tap of its name, so that code that uses them is not told of the mistake a second time.

use super::{Checker, Level, unknown};
use crate::args::Args;
use crate::ast::{Arg, Block, Layer, Name};
use crate::cost::Dim;
use crate::graph::{Member, MemberKind, Shape};
use crate::layers;
use crate::report::Errors;
use crate::values::{SIZE, Scope};
use crate::words::{self, Meaning, Word};
use proc_macro2::{Ident, Span};
use syn::Expr;

/// Whose tensors a layer has that may be any.
const ANY: &str = "conv";

impl<'a> Checker<'a, '_> {
    /// Does something without its errors, which would follow from one that was told; and says whether there were any.
    fn quietly<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> (T, bool) {
        let mut aside = std::mem::take(self.errors);
        let made = act(self);
        std::mem::swap(self.errors, &mut aside);
        (made, aside.count() > 0)
    }

    /// A layer of which something was told that leaves no word or no arguments; `word` is the one that was meant, if that can be told.
    pub(super) fn meant(&mut self, layer: &'a Layer, word: Option<&str>, path: String) -> Option<MemberKind> {
        let block = word.and_then(|word| self.blocks.iter().find(|block| block.name == word));
        let found = words::find(word.unwrap_or(ANY)).and_then(|word| match word.meaning {
            Meaning::Layer(check) => Some((word, check)),
            Meaning::SqueezeExcite => None,
        });
        let (kind, wrong) = match (block, found) {
            _ if self.dry => (None, true),
            (Some(block), _) => self.quietly(|checker| checker.instance(layer, block, path)),
            (None, Some((word, check))) => {
                let own = Ident::new(word.name(), layer.word.span());
                let own = Layer { name: layer.name.clone(), word: own, args: layer.args.clone(), broken: false };
                let (node, wrong) = self.quietly(|checker| checker.layer(&own, word, check, &path));
                self.complete(node, word);
                (Some(MemberKind::Layer(node)), wrong)
            }
            (None, None) => (None, true),
        };
        if wrong || layer.broken || word.is_none() {
            self.lost();
        }
        kind
    }

    /// A statement that was not understood at all.
    pub(super) fn nothing(&mut self, name: Option<&'a Name>, level: &mut Level) {
        let key = |name: &Name| name.key.clone();
        let is_free =
            |name: &&Name| level.taken.iter().all(|[other, field, _]| *other != name.key && name.field != field);
        if let Some(name) = name.filter(|name| !self.dry && is_free(name)) {
            let node = self.node(unknown(name.key.clone(), self.at.node));
            if let Some(word) = words::find(ANY) {
                self.complete(node, word);
            }
            let kind = MemberKind::Layer(node);
            level.taken.push([key(name), name.field.to_string(), String::new()]);
            level.members.push(Member { key: key(name), name: Some(name.field.clone()), kind });
        }
        self.lost();
    }

    /// Nothing is known of what comes out of the last layer.
    fn lost(&mut self) {
        self.node(unknown(String::new(), self.at.node));
    }

    /// An instance of a block with parameters that are not known.
    pub(super) fn any_instance(&mut self, layer: &'a Layer, block: &'a Block, path: String) -> Option<MemberKind> {
        let values = block.params.iter().map(|param| (param.name.to_string(), Dim::Unknown)).collect();
        let (kind, _) = self.quietly(|checker| checker.filled(layer, block, values, path));
        self.lost();
        Some(kind)
    }

    /// Gives a layer whose arguments are at fault the tensors that layers of its word have; their sizes are not known.
    pub(super) fn complete(&mut self, node: usize, word: &'static Word) {
        let has_tensors = self.nodes.get(node).is_some_and(|node| !node.params.is_empty());
        let (Meaning::Layer(check), false, false) = (word.meaning, word.parameters.is_empty(), has_tensors) else {
            return;
        };
        let example = example(word);
        let some = Dim::Known(64);
        for shape in [Shape::Map([some; 3]), Shape::Vector(some)] {
            let mut errors = Errors::default();
            let scope = Scope { network: self.network, shape: Some(shape), locals: &[], largest: SIZE };
            let args = Args::new(&example, &word.signature, &scope, &mut errors);
            let (way, source_extent) = ((self.nodes.as_slice(), node), [some; 2]);
            let network = self.network;
            let context =
                layers::Context { layer: &example, args: &args, shape, network, locals: &[], way, source_extent };
            let made = layers::made(check, &context, &mut errors);
            if let (0, Some(node)) = (errors.count(), self.nodes.get_mut(node)) {
                (node.op, node.params) = (made.op, made.params);
                node.params.iter_mut().for_each(|param| param.shape.fill(Dim::Unknown));
                return;
            }
        }
    }
}

/// The example that the table has for a word.
fn example(word: &Word) -> Layer {
    let written = match syn::parse_str(word.signature.example) {
        Ok(Expr::Call(call)) => call.args.into_iter().collect(),
        _ => Vec::new(),
    };
    let args = written.into_iter().map(|arg| match arg {
        Expr::Assign(assign) => match *assign.left {
            Expr::Path(path) => Arg { name: path.path.get_ident().cloned(), value: *assign.right },
            value => Arg { name: None, value },
        },
        value => Arg { name: None, value },
    });
    let args = args.collect();
    Layer { name: None, word: Ident::new(word.name(), Span::call_site()), args, broken: false }
}
