//! Networks as a running program reads them: text and sizes in, graphs out.
//!
//! A text holds what stands between the braces of `cnn! { ... }`. It is checked with its const generics as symbols first, exactly
//! as rustc's reader does, and then with their numbers: what can be run can also be compiled. Text is bounded before anything
//! looks at it, and sizes before anything is made of them.

use crate::ast::{Call, Fixed, Network, Symbol};
use crate::graph::Graph;
use crate::report::Errors;
use crate::{check, lints, mistakes, numbers, print, text};
use mistakes::{Mistake, Mistakes};
use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;
use std::str::FromStr;
use syn::{Expr, ExprLit, Lit, LitInt};

/// The sizes that a text is read with, where they are not those that it declares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Numbers of const generics; one that is not here has its default.
    pub numbers: Vec<(String, usize)>,
    /// The number of classes: of the const generic that is the first dimension of the output.
    pub classes: Option<usize>,
    /// The shape of the input, `[C, H, W]` or `[N]`.
    pub input: Option<Vec<usize>>,
}

impl Sizes {
    /// The number that it gives to a const generic of a network, if any.
    fn number(&self, network: &Network, name: &Ident) -> Option<u64> {
        let number = self.numbers.iter().find(|(known, _)| name == known).map(|(_, number)| *number);
        let classes = self.classes.filter(|_| network.output.first().and_then(|dim| named(network, dim)) == Some(name));
        number.or(classes).and_then(|number| u64::try_from(number).ok())
    }
}

/// A network that was read.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Read {
    /// What executors run.
    pub graph: convnet_graph::Graph,
    /// Its const generics, in the order of the source, with their numbers.
    pub numbers: Vec<(String, usize)>,
    /// The const generic that is the first dimension of the output, `[CLASSES]` or `[CLASSES, H, W]`: which one to give another number
    /// for another number of classes. `None` where the output is written as a number.
    pub classes: Option<String>,
    /// The network with the blocks that it uses, as the language prints it, at these sizes: read without any, it is this network again.
    /// Budgets are left out where the sizes are not those of the text, for which they are meant.
    pub source: String,
    /// What the lints find in it at these sizes, to be drawn as mistakes are. Each is a layer's to allow: `#[allow(unread_pixels)]`.
    pub warnings: Mistakes,
    /// The warnings, a line each, for [`Summary::notes`](convnet_graph::Summary::notes).
    pub notes: Vec<String>,
}

/// Reads all networks of a text.
///
/// This is for programs; within a procedural macro it panics. When it returns, it has cleared this thread's map of source places, so
/// that texts do not pile up in memory. A program that keeps tokens of `proc-macro2` of its own should call it on another thread.
///
/// # Errors
/// All mistakes in the text at once; const generics that `sizes` gives and the text does not have, and those that have no number.
pub fn read(text: &str, sizes: &Sizes) -> Result<Vec<Read>, Mistakes> {
    let found = attempt(mistakes::unmarked(text), sizes);
    // Otherwise each text that was ever read would stay in memory.
    proc_macro2::extra::invalidate_current_thread_spans();
    found
}

fn attempt(text: &str, sizes: &Sizes) -> Result<Vec<Read>, Mistakes> {
    let tokens = lexed(text)?;
    let mut errors = Errors::default();
    let Some((mut call, _)) = crate::parsed(tokens, &mut errors) else { return Err(mistakes::of(&errors, text)) };
    if let Some(input) = &sizes.input {
        call.networks.iter_mut().for_each(|network| network.input = dims(input, network.name.span()));
    }
    // Budgets are about the sizes of the text.
    check::call(&call, sizes.input.is_none(), &mut errors);
    given(&call, sizes, &mut errors);
    if errors.count() > 0 {
        return Err(mistakes::of(&errors, text));
    }
    let Call { blocks, networks, .. } = &mut call;
    let mut found = Vec::new();
    for network in networks.iter_mut() {
        let classes = network.output.first().and_then(|dim| named(network, dim)).map(Ident::to_string);
        let as_declared =
            sizes.input.is_none() && network.symbols.iter().all(|symbol| is_default(network, symbol, sizes));
        let numbers = bind(network, sizes, &mut errors);
        let graph = check::network(network, blocks, false, &mut errors);
        if errors.count() == 0 {
            let source = print::network(network, blocks, as_declared);
            let findings = lints::find(&graph, network);
            let notes = findings.iter().map(lints::Finding::note).collect();
            let warnings = mistakes::warnings(&findings, text);
            let read = |graph| Read { graph, numbers, classes, source, warnings, notes };
            found.extend(whole(network, &graph, &mut errors).map(read));
        }
    }
    if errors.count() > 0 { Err(mistakes::of(&errors, text)) } else { Ok(found) }
}

/// The graph with numbers; an error where it has a size that is none, or one that this machine cannot count to.
fn whole(network: &Network, graph: &Graph, errors: &mut Errors) -> Option<convnet_graph::Graph> {
    let custom = graph.nodes.iter().find(|node| node.is_custom());
    if let Some(node) = custom {
        let message = format!(
            "`{}` is a `custom` module, which is Rust: a running program cannot read it\n  \
             fix: put the network into `cnn!` in a program of its own, which has it as a type; `convnet new` writes such a program",
            node.name
        );
        errors.on(&network.name, message);
        return None;
    }
    let found = numbers::graph(&network.name.to_string(), graph);
    if found.is_none() {
        errors.on(&network.name, "this network has a size that this machine cannot count to");
    }
    found
}

/// The tokens of a text within its bounds.
fn lexed(text: &str) -> Result<TokenStream, Mistakes> {
    if let Some((range, message)) = text::excess(text) {
        return Err(Mistakes::one(Mistake { message, range, lint: None }));
    }
    TokenStream::from_str(text).map_err(|error| {
        let message = text::NO_TOKENS.into();
        Mistakes::one(Mistake { message, range: mistakes::within(error.span().byte_range(), text), lint: None })
    })
}

fn dims(sizes: &[usize], span: Span) -> Vec<Expr> {
    let lit = |n: &usize| Lit::Int(LitInt::new(&n.to_string(), span));
    sizes.iter().map(|n| Expr::Lit(ExprLit { attrs: Vec::new(), lit: lit(n) })).collect()
}

/// Reports sizes that no network of the text has, and const generics that have no number.
fn given(call: &Call, sizes: &Sizes, errors: &mut Errors) {
    let Some(first) = call.networks.first() else { return };
    let known: Vec<String> = call.networks.iter().flat_map(Network::names).map(Ident::to_string).collect();
    let has = if known.is_empty() { "it has none".to_string() } else { format!("it has {}", known.join(", ")) };
    let mut problems = Vec::new();
    for (index, (name, _)) in sizes.numbers.iter().enumerate() {
        if !known.contains(name) {
            problems.push(format!("`{}` has no const generic `{name}`; {has}", first.name));
        }
        if sizes.numbers.iter().take(index).any(|(earlier, _)| earlier == name) {
            problems.push(format!("`{name}` is given two numbers"));
        }
    }
    if !problems.is_empty() {
        // They have one place, where only the first of several errors would be told.
        errors.bare(&first.name, problems.join("\n"));
    }
    for network in &call.networks {
        sizes.classes.into_iter().for_each(|classes| classes_given(network, classes, errors));
        for symbol in network.symbols.iter().filter(|symbol| symbol.default.is_none()) {
            if sizes.number(network, &symbol.name).is_none() {
                let message = format!(
                    "`{0}` needs a number\n  fix: give it one where the network is read, or a default here: `const {0}: usize = 10`",
                    symbol.name
                );
                errors.bare(&symbol.name, message);
            }
        }
    }
}

/// The const generic that an expression is, if it is one and nothing else.
fn named<'a>(network: &'a Network, dim: &Expr) -> Option<&'a Ident> {
    let Expr::Path(path) = dim else { return None };
    let name = path.path.get_ident()?;
    network.names().find(|known| *known == name)
}

fn is_default(network: &Network, symbol: &Symbol, sizes: &Sizes) -> bool {
    let given = sizes.number(network, &symbol.name);
    symbol.default.is_some() && (given.is_none() || given == symbol.default)
}

/// Reports a number of classes that an output cannot have, since it is written as another number.
fn classes_given(network: &Network, classes: usize, errors: &mut Errors) {
    let Some(output) = network.output.first() else { return };
    if named(network, output).is_some() {
        return;
    }
    let written = output.to_token_stream().to_string();
    if written != classes.to_string() {
        let name = &network.name;
        errors.bare(
            output,
            format!(
                "{classes} classes are wanted, and the output of `{name}` is written as {written}\n  \
                 fix: make it a const generic: `struct {name}<const CLASSES: usize = {written}>: [..] -> [CLASSES]`, with CLASSES \
                 for {written} in the last layer, too"
            ),
        );
    }
}

/// Gives each const generic its number.
fn bind(network: &mut Network, sizes: &Sizes, errors: &mut Errors) -> Vec<(String, usize)> {
    let mut fixed = Vec::new();
    for symbol in &network.symbols {
        let number = sizes.number(network, &symbol.name).or(symbol.default).unwrap_or(0);
        if number == 0 || number > crate::values::SIZE {
            let message =
                format!("`{}` is {number}; a size is at least 1 and at most {}", symbol.name, crate::values::SIZE);
            errors.bare(&symbol.name, message);
        }
        fixed.push(Fixed { name: symbol.name.clone(), number: number.max(1) });
    }
    network.symbols.clear();
    network.fixed.extend(fixed);
    let number = |fixed: &Fixed| (fixed.name.to_string(), usize::try_from(fixed.number).unwrap_or(usize::MAX));
    network.fixed.iter().map(number).collect()
}
