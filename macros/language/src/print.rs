//! A network as source again, from its syntax tree.
//!
//! Neither a token stream's text nor the text in the file would do: fragments of `macro_rules!` lie in groups that nobody sees, so
//! `$k * 2` with `1 + 2` would read `1 + 2 * 2`, and a file has more networks than one. What is printed reads back as the same
//! tree, and printing that gives the same text. Attributes of a network other than doc comments and lints of ours are Rust's and stay behind.

use crate::ast::{
    Allowed, Arg, Block, BlockParam, Budget, Concat, Custom, Group, Head, HeadBody, If, Layer, Name, Network, Repeat,
    Residual, Sequence, Shortcut, Statement, Symbol,
};
use proc_macro2::Ident;
use quote::ToTokens;
use std::collections::BTreeSet;
use syn::{Attribute, Expr, ExprLit, Lit, LitStr, Meta};

/// One network with the blocks that it uses, and with its budgets, if they hold for the sizes that it has.
pub fn network(network: &Network, blocks: &[Block], budgets: bool) -> String {
    let mut printer = Printer { budgets, ..Printer::default() };
    let used = used(network, blocks);
    for block in blocks.iter().filter(|block| used.contains(&block.name)) {
        printer.block(block);
        printer.text.push('\n');
    }
    printer.network(network);
    printer.text
}

/// The names of the blocks that a network comes to, by way of others too.
fn used(network: &Network, blocks: &[Block]) -> BTreeSet<Ident> {
    let mut found = BTreeSet::new();
    let mut open = vec![network.body.as_slice()];
    while let Some(body) = open.pop() {
        let mut words = Vec::new();
        body.iter().for_each(|statement| mentioned(statement, &mut words));
        for block in blocks.iter().filter(|block| words.contains(&&block.name)) {
            if found.insert(block.name.clone()) {
                open.push(&block.body);
            }
        }
    }
    found
}

/// The words of the layers in a statement.
fn mentioned<'a>(statement: &'a Statement, words: &mut Vec<&'a Ident>) {
    let mut all = |bodies: &[&'a [Statement]]| {
        bodies.iter().flat_map(|body| body.iter()).for_each(|statement| mentioned(statement, words));
    };
    match statement {
        Statement::Layer(layer) => words.push(&layer.word),
        Statement::Allowed(Allowed { statement, .. }) => mentioned(statement, words),
        Statement::Sequence(Sequence { body, .. }) | Statement::Repeat(Repeat { body, .. }) => all(&[body]),
        Statement::Group(Group { body, .. }) | Statement::Concat(Concat { branches: body, .. }) => all(&[body]),
        Statement::If(If { then, otherwise, .. }) => all(&[then, otherwise]),
        Statement::Residual(Residual { body, shortcut, .. }) => {
            all(&[body, shortcut.as_ref().map_or(&[][..], |shortcut| &shortcut.body)]);
        }
        Statement::Head(Head { body: HeadBody::Sequence(body), .. }) => all(&[body]),
        Statement::Head(Head { body: HeadBody::One(layer), .. }) => words.push(&layer.word),
        Statement::Assert(_) | Statement::Custom(_) | Statement::Unknown(_) => {}
    }
}

#[derive(Default)]
struct Printer {
    text: String,
    depth: usize,
    budgets: bool,
}

impl Printer {
    fn line(&mut self, text: &str) {
        if !text.is_empty() {
            self.text.extend(std::iter::repeat_n("    ", self.depth));
            self.text.push_str(text);
        }
        self.text.push('\n');
    }

    /// `head {`, the statements one deeper, and `}`.
    fn braces(&mut self, head: &str, body: &[Statement]) {
        let space = if head.is_empty() { "" } else { " " };
        self.line(&format!("{head}{space}{{"));
        self.depth += 1;
        body.iter().for_each(|statement| self.statement(statement));
        self.depth -= 1;
        self.line("}");
    }

    fn docs(&mut self, attributes: &[Attribute]) {
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("doc")) {
            let Meta::NameValue(meta) = &attribute.meta else { continue };
            let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &meta.value else { continue };
            for line in text.value().split('\n') {
                // A comment cannot begin with a slash of its own, or end in a carriage return.
                match line.starts_with('/') || line.contains('\r') {
                    true => self.line(&format!("#[doc = {}]", quoted(line))),
                    false => self.line(&format!("///{line}")),
                }
            }
        }
    }

    fn allow(&mut self, lints: &[Ident]) {
        let lints: Vec<String> = lints.iter().map(Ident::to_string).collect();
        if !lints.is_empty() {
            self.line(&format!("#[allow({})]", lints.join(", ")));
        }
    }

    fn block(&mut self, block: &Block) {
        self.docs(&block.docs);
        self.allow(&block.allowed);
        let params = block.params.iter().map(|BlockParam { name, default }| match default {
            Some(default) => format!("{name} = {}", expr(default)),
            None => name.to_string(),
        });
        let params = params.collect::<Vec<_>>().join(", ");
        self.braces(&format!("block {}({params})", block.name), &block.body);
    }

    fn network(&mut self, network: &Network) {
        self.docs(&network.attrs);
        self.allow(&network.allowed);
        let fixed = network.fixed.iter().map(|fixed| format!("const {}: usize = {}", fixed.name, fixed.number));
        let symbols = network.symbols.iter().map(|Symbol { name, default }| match default {
            Some(default) => format!("const {name}: usize = {default}"),
            None => format!("const {name}: usize"),
        });
        let generics = fixed.chain(symbols).collect::<Vec<_>>().join(", ");
        let generics = if generics.is_empty() { generics } else { format!("<{generics}>") };
        let (input, output) = (list(&network.input), list(&network.output));
        self.braces(&format!("struct {}{generics}: [{input}] -> [{output}]", network.name), &network.body);
    }

    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Layer(layer) => {
                let called = layer.name.as_ref().map_or(String::new(), |name| format!("{}: ", called(name)));
                self.line(&format!("{called}{};", self::layer(layer)));
            }
            Statement::Sequence(sequence) => self.sequence(sequence),
            Statement::Allowed(Allowed { lints, statement }) => {
                self.allow(lints);
                self.statement(statement);
            }
            Statement::Assert(_) if !self.budgets => {}
            Statement::Assert(budgets) => {
                let clause =
                    |Budget { what, op, limit }: &Budget| format!("{what} {} {}", op.to_token_stream(), expr(limit));
                let clauses: Vec<String> = budgets.iter().map(clause).collect();
                self.line(&format!("assert {};", clauses.join(", ")));
            }
            Statement::Repeat(repeat) => self.braces(&format!("repeat {}", expr(&repeat.count)), &repeat.body),
            Statement::If(choice) => self.choice(choice),
            Statement::Residual(residual) => self.residual("", residual),
            Statement::Concat(concat) => self.braces(joining(concat), &concat.branches),
            Statement::Group(group) => self.braces("", &group.body),
            Statement::Head(Head { word, name, shape, body, .. }) => {
                let head = format!("{word} {}: [{}]", called(name), list(shape));
                match body {
                    HeadBody::Sequence(body) => self.braces(&head, body),
                    HeadBody::One(layer) => self.line(&format!("{head} = {};", self::layer(layer))),
                }
            }
            // Only a network without mistakes is printed.
            Statement::Unknown(_) => {}
            Statement::Custom(Custom { name, module, shape }) => {
                let module = module.to_token_stream();
                self.line(&format!("custom {}: {module} -> [{}];", called(name), list(shape)));
            }
        }
    }

    /// A structure with a name is a sequence that holds only it.
    fn sequence(&mut self, Sequence { name, body }: &Sequence) {
        let name = called(name);
        match body.as_slice() {
            [Statement::Residual(residual)] => self.residual(&format!("{name}: "), residual),
            [Statement::Concat(concat)] => self.braces(&format!("{name}: {}", joining(concat)), &concat.branches),
            [Statement::Repeat(repeat)] => {
                self.braces(&format!("{name}: repeat {}", expr(&repeat.count)), &repeat.body);
            }
            _ => self.braces(&format!("{name}:"), body),
        }
    }

    fn residual(&mut self, called: &str, residual: &Residual) {
        self.braces(&format!("{called}{}", if residual.is_gate { "gate" } else { "residual" }), &residual.body);
        if let Some(Shortcut { condition, body, .. }) = &residual.shortcut {
            let condition = condition.as_ref().map_or(String::new(), |condition| format!(" if {}", expr(condition)));
            self.braces(&format!("shortcut{condition}"), body);
        }
    }

    fn choice(&mut self, choice: &If) {
        let mut choice = choice;
        let mut word = "if";
        loop {
            self.braces(&format!("{word} {}", expr(&choice.condition)), &choice.then);
            match choice.otherwise.as_slice() {
                [] => return,
                [Statement::If(next)] => (choice, word) = (next, "else if"),
                otherwise => return self.braces("else", otherwise),
            }
        }
    }
}

/// The word of a structure whose branches are joined.
fn joining(concat: &Concat) -> &'static str {
    if concat.is_split { "split" } else { "concat" }
}

/// `name`, or `name as "key"`.
fn called(name: &Name) -> String {
    use syn::ext::IdentExt;
    match name.field.unraw() == name.key {
        true => name.field.to_string(),
        false => format!("{} as {}", name.field, quoted(&name.key)),
    }
}

/// A text as a literal.
fn quoted(text: &str) -> String {
    LitStr::new(text, proc_macro2::Span::call_site()).to_token_stream().to_string()
}

/// `word` or `word(args)`.
fn layer(layer: &Layer) -> String {
    let arg = |Arg { name, value }: &Arg| match name {
        Some(name) => format!("{name} = {}", expr(value)),
        None => expr(value),
    };
    let args: Vec<String> = layer.args.iter().map(arg).collect();
    if args.is_empty() { layer.word.to_string() } else { format!("{}({})", layer.word, args.join(", ")) }
}

fn list<'a>(exprs: impl IntoIterator<Item = &'a Expr>) -> String {
    exprs.into_iter().map(expr).collect::<Vec<_>>().join(", ")
}

/// An expression as people write it. What the language does not know has been refused, and is printed as its tokens.
fn expr(expr: &Expr) -> String {
    match expr {
        Expr::Paren(paren) => format!("({})", self::expr(&paren.expr)),
        Expr::Tuple(tuple) if tuple.elems.len() != 1 => format!("({})", list(&tuple.elems)),
        Expr::Array(array) => format!("[{}]", list(&array.elems)),
        Expr::Call(call) => format!("{}({})", self::expr(&call.func), list(&call.args)),
        Expr::Unary(unary) => format!("{}{}", unary.op.to_token_stream(), self::expr(&unary.expr)),
        Expr::Binary(binary) => {
            format!("{} {} {}", self::expr(&binary.left), binary.op.to_token_stream(), self::expr(&binary.right))
        }
        other => other.to_token_stream().to_string(),
    }
}
