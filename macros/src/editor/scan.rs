//! The words of a call, by their tokens alone: what a word is can be told from what stands around it, whatever else is wrong there.

use super::{Block, Number, Paths, Place, Scope, is, is_name};
use proc_macro2::{Delimiter, Group, Ident, Spacing, TokenTree};
use quote::ToTokens;

impl Paths {
    /// Blocks and networks.
    pub(super) fn call(&mut self, trees: &[TokenTree]) {
        // A block may be declared after its use.
        let starts: Vec<(usize, &Ident)> = trees.windows(2).enumerate().filter_map(declared).collect();
        let mut bodies = Vec::new();
        for (at, name) in starts {
            let rest = trees.get(at + 2..).unwrap_or_default();
            let end = rest.iter().position(|tree| braced(tree).is_some());
            let (head, body) = match end {
                Some(end) => (rest.get(..end).unwrap_or_default(), rest.get(end).and_then(braced)),
                None => (rest, None),
            };
            let is_block = matches!(trees.get(at), Some(TokenTree::Ident(word)) if word == "block");
            let numbers = if is_block { parameters(name, head) } else { generics(name, head) };
            self.scopes.push(Scope { numbers });
            let scope = self.scopes.len() - 1;
            if is_block {
                let params: Vec<String> = params(head).iter().map(|param| written(param)).collect();
                let docs = docs(trees.get(..at).unwrap_or_default()).iter().cloned().collect();
                self.blocks.push(Block {
                    name: name.clone(),
                    docs,
                    written: format!("`block {name}({})`\n\n", params.join(", ")),
                    scope,
                });
            }
            bodies.push((trees.get(at), head, body, scope, is_block));
        }
        for (keyword, head, body, scope, is_block) in bodies {
            if let (Some(TokenTree::Ident(keyword)), true) = (keyword, is_block) {
                self.follow(Place::Declarations, keyword);
            }
            self.head(head, scope);
            if let Some(body) = body {
                self.body(&inside(body), scope);
            }
        }
        self.close(None);
    }

    /// Defaults of parameters, and the shapes of a network.
    fn head(&mut self, head: &[TokenTree], scope: usize) {
        for tree in head {
            match tree {
                TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => {
                    self.values(&inside(group), scope);
                }
                TokenTree::Group(group) => {
                    for param in inside(group).split(|tree| is(tree, ',')) {
                        self.values(param.get(2..).unwrap_or_default(), scope);
                    }
                }
                _ => {}
            }
        }
    }

    fn body(&mut self, trees: &[TokenTree], scope: usize) {
        let mut rest = trees;
        while !rest.is_empty() {
            self.slot(Place::Words);
            rest = self.statement(rest, scope);
        }
        self.slot(Place::Words);
    }

    /// The first part of a statement; what comes after it.
    fn statement<'a>(&mut self, trees: &'a [TokenTree], scope: usize) -> &'a [TokenTree] {
        match trees {
            [TokenTree::Ident(_), TokenTree::Punct(colon), rest @ ..]
                if colon.as_char() == ':' && colon.spacing() == Spacing::Alone =>
            {
                rest
            }
            [TokenTree::Ident(_), TokenTree::Ident(word), TokenTree::Literal(_), colon, rest @ ..]
                if word == "as" && is(colon, ':') =>
            {
                rest
            }
            [TokenTree::Ident(word), rest @ ..] => self.worded(word, rest, scope),
            [hash, TokenTree::Group(_), rest @ ..] if is(hash, '#') => rest,
            [TokenTree::Group(group), rest @ ..] => {
                match group.delimiter() {
                    Delimiter::Brace => self.body(&inside(group), scope),
                    // The shape of a head.
                    _ => self.values(&inside(group), scope),
                }
                rest
            }
            [_, rest @ ..] => rest,
            [] => trees,
        }
    }

    /// A word at the start of a statement, with what belongs to it.
    fn worded<'a>(&mut self, word: &Ident, rest: &'a [TokenTree], scope: usize) -> &'a [TokenTree] {
        self.follow(Place::Words, word);
        let until = |ends: fn(&TokenTree) -> bool| rest.split_at(rest.iter().position(ends).unwrap_or(rest.len()));
        match word.to_string().as_str() {
            "repeat" | "if" | "else" | "shortcut" => {
                let (condition, rest) = until(|tree| braced(tree).is_some() || is(tree, ';'));
                if condition.is_empty() && (word == "repeat" || word == "if") {
                    self.slot(Place::Values(scope));
                }
                self.values(condition, scope);
                rest
            }
            "assert" => {
                let (budgets, rest) = until(|tree| braced(tree).is_some() || is(tree, ';'));
                for budget in budgets.split(|tree| is(tree, ',')) {
                    match budget {
                        [TokenTree::Ident(what), ..] => self.follow(Place::Budgets, what),
                        _ => self.slot(Place::Budgets),
                    }
                }
                rest
            }
            // Its type is Rust's.
            "custom" => {
                let (module, rest) = until(|tree| is(tree, ';'));
                self.values(module.last().map(std::slice::from_ref).unwrap_or_default(), scope);
                rest
            }
            _ => match rest {
                [TokenTree::Group(group), rest @ ..] if group.delimiter() == Delimiter::Parenthesis => {
                    self.arguments(&word.to_string(), &inside(group), scope);
                    rest
                }
                _ => rest,
            },
        }
    }

    fn arguments(&mut self, word: &str, trees: &[TokenTree], scope: usize) {
        // In an editor, a bracket that is not closed yet holds the statements after it, too.
        let end = trees.iter().position(|tree| is(tree, ';')).unwrap_or(trees.len());
        let (own, statements) = trees.split_at(end);
        let (alone, named) = match self.has_options(word) {
            true => (Place::Arguments(word.to_string(), scope), Place::Options(word.to_string())),
            false => (Place::Values(scope), Place::Values(scope)),
        };
        for argument in own.split(|tree| is(tree, ',')) {
            match argument {
                [] => self.slot(alone.clone()),
                [TokenTree::Ident(name)] => self.follow(alone.clone(), name),
                // The word after it starts the next statement: the bracket is not closed yet.
                [TokenTree::Ident(name), next @ ..] if next.first().is_some_and(|tree| ident(tree).is_some()) => {
                    self.follow(alone.clone(), name);
                    self.body(next, scope);
                }
                [TokenTree::Ident(name), TokenTree::Punct(equals), value @ ..]
                    if equals.as_char() == '=' && equals.spacing() == Spacing::Alone =>
                {
                    self.follow(named.clone(), name);
                    if value.is_empty() {
                        self.slot(Place::Values(scope));
                    }
                    self.values(value, scope);
                }
                value => self.values(value, scope),
            }
        }
        if !statements.is_empty() {
            self.body(statements, scope);
        }
    }

    /// The names that values are computed from.
    fn values(&mut self, trees: &[TokenTree], scope: usize) {
        for tree in trees {
            match tree {
                TokenTree::Ident(name) => self.follow(Place::Values(scope), name),
                TokenTree::Group(group) => self.values(&inside(group), scope),
                _ => {}
            }
        }
    }
}

/// `block name` or `struct Name`, and where it stands.
fn declared((at, window): (usize, &[TokenTree])) -> Option<(usize, &Ident)> {
    match window {
        [TokenTree::Ident(word), TokenTree::Ident(name)] if (word == "block" || word == "struct") && is_name(name) => {
            Some((at, name))
        }
        _ => None,
    }
}

fn braced(tree: &TokenTree) -> Option<&Group> {
    match tree {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Some(group),
        _ => None,
    }
}

fn ident(tree: &TokenTree) -> Option<&Ident> {
    match tree {
        TokenTree::Ident(name) => Some(name),
        _ => None,
    }
}

fn inside(group: &Group) -> Vec<TokenTree> {
    group.stream().into_iter().collect()
}

/// The doc comments that trees end with.
fn docs(trees: &[TokenTree]) -> &[TokenTree] {
    let mut start = trees.len();
    while let Some([hash, TokenTree::Group(group)]) = start.checked_sub(2).and_then(|at| trees.get(at..start))
        && is(hash, '#')
        && inside(group).first().and_then(ident).is_some_and(|word| word == "doc")
    {
        start -= 2;
    }
    trees.get(start..).unwrap_or_default()
}

/// What stands between the commas of a block's brackets.
fn params(head: &[TokenTree]) -> Vec<Vec<TokenTree>> {
    let Some(TokenTree::Group(group)) = head.first() else { return Vec::new() };
    let params = inside(group);
    params.split(|tree| is(tree, ',')).filter(|param| !param.is_empty()).map(<[TokenTree]>::to_vec).collect()
}

/// A parameter as it is written; rust-analyzer and rustc print a stream of tokens with different spaces.
fn written(param: &[TokenTree]) -> String {
    let words: Vec<String> = param.iter().map(|tree| tree.to_token_stream().to_string()).collect();
    words.join(" ")
}

/// The parameters of a block.
fn parameters(block: &Ident, head: &[TokenTree]) -> Vec<Number> {
    let number = |param: &Vec<TokenTree>| {
        let name = param.first().and_then(ident).filter(|name| is_name(name))?;
        Some(Number { name: name.clone(), page: format!("`{}`: a parameter of the block `{block}`.", written(param)) })
    };
    params(head).iter().filter_map(number).collect()
}

/// The const generics of a network.
fn generics(network: &Ident, head: &[TokenTree]) -> Vec<Number> {
    let names = head.windows(2).filter_map(|window| match window {
        [TokenTree::Ident(word), TokenTree::Ident(name)] if word == "const" => Some(name),
        _ => None,
    });
    let number = |name: &Ident| Number { name: name.clone(), page: format!("A const generic of `{network}`.") };
    names.filter(|name| is_name(name)).map(number).collect()
}
