//! No modules import each other in a circle, and no crate depends on one that stands above it.
//!
//! The rule, at every level of a crate: of two modules side by side, with all that is in their folders, at most one may use the
//! other, be it by way of others. What is taken from a third place that only hands it on (`pub use`) is taken from where it is.
//! The file of a folder stands for the folder: it may use what is in it, and what is in it may use what it defines. Tests of a
//! module do not count.

use super::{complain, files, root};
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};

/// A module's path from the root of its crate.
type Module = Vec<String>;

/// What a file says: the paths that it names, and the names that it brings in by `use`.
#[derive(Default)]
struct Said {
    /// Absolute, from the root of the crate; the last part may be `*`.
    paths: Vec<Module>,
    /// Name to absolute path; a list of those under `*`.
    uses: BTreeMap<String, Module>,
    globs: Vec<Module>,
    /// Modules in files of their own that only tests have.
    tests: Vec<Module>,
}

/// The tokens of one file, read into [`Said`].
struct Reader<'a> {
    /// Where the file is.
    file: &'a Module,
    /// Modules that are written out in the file, from its root.
    inline: Module,
    said: &'a mut Said,
}

impl Reader<'_> {
    fn here(&self) -> Module {
        self.file.iter().chain(&self.inline).cloned().collect()
    }

    fn read(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            at = self.item(&tokens, at);
        }
    }

    /// Reads what begins at `at`; gives where the next thing begins.
    fn item(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        if is_test(tokens, at) {
            let end = after_item(tokens, at);
            if let [TokenTree::Ident(word), TokenTree::Ident(name), TokenTree::Punct(_)] = &tokens[at + 2..end]
                && word == "mod"
            {
                self.said.tests.push(self.absolute(vec![name.to_string()]));
            }
            return end;
        }
        match &tokens[at] {
            TokenTree::Ident(word) if word == "use" => {
                let end = (at..tokens.len()).find(|i| is_punct(tokens.get(*i), ';')).unwrap_or(tokens.len());
                for (path, name) in use_tree(&tokens[at + 1..end], &Vec::new()) {
                    let path = self.absolute(path);
                    match name.as_str() {
                        "*" => self.said.globs.push(path.clone()),
                        _ => drop(self.said.uses.insert(name, path.clone())),
                    }
                    self.said.paths.push(path);
                }
                end
            }
            TokenTree::Ident(word) if word == "mod" => match (tokens.get(at + 1), tokens.get(at + 2)) {
                (Some(TokenTree::Ident(name)), Some(TokenTree::Group(body))) => {
                    self.inline.push(name.to_string());
                    self.read(body.stream());
                    self.inline.pop();
                    at + 3
                }
                _ => at + 1,
            },
            TokenTree::Ident(word) if word == "crate" || word == "super" => {
                let end = path_end(tokens, at);
                let parts = tokens[at..end].iter().filter(|token| matches!(token, TokenTree::Ident(_)));
                let path = self.absolute(parts.map(ToString::to_string).collect());
                self.said.paths.push(path);
                end
            }
            TokenTree::Group(group) => {
                self.read(group.stream());
                at + 1
            }
            _ => at + 1,
        }
    }

    /// A path as it is written, from the root of the crate. One that begins with neither `crate`, `self` nor `super` is of a
    /// module here, or of another crate, which nobody finds below this one.
    fn absolute(&self, path: Module) -> Module {
        let mut from = self.here();
        let mut rest = &path[..];
        if path.first().is_some_and(|first| first == "crate") {
            (from, rest) = (Vec::new(), &path[1..]);
        }
        while let Some((first, others)) = rest.split_first().filter(|(first, _)| *first == "super" || *first == "self")
        {
            if first == "super" {
                from.pop();
            }
            rest = others;
        }
        from.extend_from_slice(rest);
        from
    }
}

fn is_punct(token: Option<&TokenTree>, sign: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == sign)
}

fn is_test(tokens: &[TokenTree], at: usize) -> bool {
    let attribute = match tokens.get(at + 1) {
        Some(TokenTree::Group(group)) if is_punct(tokens.get(at), '#') => group.stream().to_string(),
        _ => return false,
    };
    attribute.replace(' ', "") == "cfg(test)"
}

/// Where the item ends that has an attribute at `at`: behind its body, or its semicolon.
fn after_item(tokens: &[TokenTree], at: usize) -> usize {
    let ends = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        token => is_punct(Some(token), ';'),
    };
    (at..tokens.len()).find(|i| ends(&tokens[*i])).map_or(tokens.len(), |i| i + 1)
}

/// Where the path ends that begins at `at`: `a::b::c`.
fn path_end(tokens: &[TokenTree], at: usize) -> usize {
    let mut end = at + 1;
    while is_punct(tokens.get(end), ':')
        && is_punct(tokens.get(end + 1), ':')
        && matches!(tokens.get(end + 2), Some(TokenTree::Ident(_)))
    {
        end += 3;
    }
    end
}

/// The paths of a `use`, each with the name that it is known by.
fn use_tree(tokens: &[TokenTree], before: &Module) -> Vec<(Module, String)> {
    let mut found = Vec::new();
    for tree in tokens.split(|token| is_punct(Some(token), ',')) {
        let (mut path, mut name, mut nested) = (before.clone(), None, false);
        let mut tokens = tree.iter();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Ident(word) if word == "as" => name = tokens.next().map(ToString::to_string),
                TokenTree::Ident(word) => path.push(word.to_string()),
                TokenTree::Punct(punct) if punct.as_char() == '*' => path.push("*".into()),
                TokenTree::Group(group) => {
                    let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                    found.extend(use_tree(&inner, &path));
                    nested = true;
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
        if path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        if let Some(last) = path.last().filter(|_| !nested && path.len() > before.len().min(1)) {
            let name = name.unwrap_or_else(|| last.clone());
            found.push((path, name));
        }
    }
    found
}

/// The modules of one crate.
struct Crate(BTreeMap<Module, Said>);

impl Crate {
    /// Reads the files below `folder`, whose root is `main`; those of other programs, in `bin`, are not its own.
    fn read(folder: &str, main: &str) -> Self {
        let own = files(".rs").into_iter().filter_map(|(path, text)| {
            let path = path.strip_prefix(folder)?.strip_prefix('/')?;
            let stem = path.trim_end_matches(".rs").to_string();
            (!path.starts_with("bin/")).then_some((stem, text))
        });
        Self::of(own, main)
    }

    /// Files by their path without its ending.
    fn of(files: impl IntoIterator<Item = (String, String)>, main: &str) -> Self {
        let mut modules = BTreeMap::new();
        for (stem, text) in files {
            let mut module: Module = stem.split('/').map(String::from).collect();
            if stem == main || module.last().is_some_and(|last| last == "mod") {
                module.pop();
            }
            let tokens: TokenStream = text.parse().unwrap_or_else(|error| panic!("{stem}: {error}"));
            let mut said = Said::default();
            Reader { file: &module, inline: Vec::new(), said: &mut said }.read(tokens);
            modules.insert(module, said);
        }
        let tests: Vec<Module> = modules.values().flat_map(|said| said.tests.clone()).collect();
        modules.retain(|module, _| !tests.iter().any(|test| module.starts_with(test)));
        Crate(modules)
    }

    /// The modules that a path leads to: where its last part is defined, whoever hands it on.
    fn resolve(&self, path: &[String], depth: usize) -> Vec<Module> {
        let known = (0..=path.len()).rev().find(|len| self.0.contains_key(&path[..*len])).unwrap_or(0);
        let (module, rest) = (path[..known].to_vec(), &path[known..]);
        let Some(said) = self.0.get(&module) else { return Vec::new() };
        // A circle of imports has an end, too.
        let Some(name) = rest.first().filter(|_| depth < 20) else { return vec![module] };
        if name == "*" {
            let handed_on = said.uses.values().chain(&said.globs);
            let mut all: Vec<Module> = handed_on.flat_map(|path| self.resolve(path, depth + 1)).collect();
            all.push(module);
            return all;
        }
        match said.uses.get(name) {
            Some(other) if self.is_own(other) => {
                let other: Module = other.iter().chain(&rest[1..]).cloned().collect();
                self.resolve(&other, depth + 1)
            }
            _ => vec![module],
        }
    }

    /// Whether a path is of this crate: of another one, not even the first part is known.
    fn is_own(&self, path: &[String]) -> bool {
        path.len() > 1 && self.0.keys().any(|module| !module.is_empty() && path.starts_with(&module[..1]))
    }

    /// For each folder (the crate's root is one), which of its modules use which others of its modules.
    fn arrows(&self) -> BTreeMap<Module, BTreeMap<String, BTreeMap<String, String>>> {
        let mut arrows: BTreeMap<Module, BTreeMap<String, BTreeMap<String, String>>> = BTreeMap::new();
        for (from, said) in &self.0 {
            for to in said.paths.iter().flat_map(|path| self.resolve(path, 0)) {
                let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
                if let (Some(a), Some(b)) = (from.get(shared), to.get(shared)) {
                    let folder = arrows.entry(from[..shared].to_vec()).or_default();
                    let what = format!("{} uses {}", from.join("::"), to.join("::"));
                    folder.entry(a.clone()).or_default().insert(b.clone(), what);
                }
            }
        }
        arrows
    }
}

/// A way from `start` back to itself, if there is one: what is said on each arrow.
fn way_back(arrows: &BTreeMap<String, BTreeMap<String, String>>, start: &str) -> Option<Vec<String>> {
    let mut ways = vec![(start.to_string(), Vec::new())];
    let mut seen = BTreeSet::new();
    while let Some((at, way)) = ways.pop() {
        for (next, what) in arrows.get(&at).into_iter().flatten() {
            let way: Vec<String> = way.iter().chain([what]).cloned().collect();
            if next == start {
                return Some(way);
            }
            if seen.insert(next.clone()) {
                ways.push((next.clone(), way));
            }
        }
    }
    None
}

impl Crate {
    /// For each folder with a circle: the folder, and what is said on the way round.
    fn circles(&self) -> Vec<String> {
        let arrows = self.arrows();
        let found = arrows.iter().filter_map(|(inside, arrows)| {
            let way = arrows.keys().find_map(|start| way_back(arrows, start))?;
            Some(format!("in `{}`: {}", inside.join("::"), way.join(", ")))
        });
        found.collect()
    }
}

/// Crates by their folder and the root file in it.
const CRATES: [(&str, &str); 7] = [
    ("runtime/graph/src", "lib"),
    ("macros/language/src", "lib"),
    ("macros/src", "lib"),
    ("runtime/engine/src", "lib"),
    ("runtime/src", "lib"),
    ("models/src", "lib"),
    ("models/cli/src", "lib"),
];

#[test]
fn no_modules_use_each_other_in_a_circle() {
    let mut problems = Vec::new();
    for (folder, main) in CRATES {
        let modules = Crate::read(folder, main);
        assert!(modules.0.contains_key(&Module::new()), "{folder} has no {main}.rs");
        problems.extend(modules.circles().into_iter().map(|circle| format!("{folder}, {circle}")));
    }
    complain(problems);
}

/// The rule, by small crates of which each breaks or keeps it in its own way.
#[test]
fn circles_are_found_wherever_they_pass() {
    let circles = |files: &[(&str, &str)]| {
        Crate::of(files.iter().map(|(stem, text)| (stem.to_string(), text.to_string())), "lib").circles()
    };
    let two = |a, b| circles(&[("lib", "mod a; mod b; pub use b::Handed;"), ("a", a), ("b", b)]);
    assert_eq!(two("use crate::b::B; struct A;", "fn b() { super::a::A; }"), ["in ``: a uses b, b uses a"]);
    // What the root hands on is where it is defined.
    assert_eq!(two("use crate::Handed;", "use crate::{a::{A as Other}};"), ["in ``: a uses b, b uses a"]);
    assert_eq!(two("use super::*;", "use crate::a;"), ["in ``: a uses b, b uses a"]);
    // One way, by tests, by other crates, by the file of the folder.
    assert_eq!(two("use crate::b::B;", "#[cfg(test)] mod tests { use crate::a::A; } use other::a::A;"), [""; 0]);
    assert_eq!(two("mod inner { use super::own; use super::super::b::B; }", "use crate::Defined;"), [""; 0]);
    let folder = [("lib", "mod f;"), ("f/mod", "mod a; mod b; use a::A;"), ("f/a", "use super::F;")];
    assert_eq!(circles(&folder), [""; 0]);
    let inside = circles(&[&folder[..], &[("f/b", "use super::a::A;"), ("f/a", "use crate::f::b;")]].concat());
    assert_eq!(inside, ["in `f`: f::a uses f::b, f::b uses f::a"]);
    // By way of a third.
    let third = [("lib", ""), ("a", "use crate::b;"), ("b/c", "use crate::d::D;"), ("b", ""), ("d", "use crate::a;")];
    assert_eq!(circles(&third), ["in ``: a uses b, b::c uses d, d uses a"]);
}

/// Each crate of the project, by the folder of its manifest, and those of the project that it may depend on.
const MAY_DEPEND: [(&str, &[&str]); 9] = [
    ("runtime/graph", &[]),
    ("runtime/mnist/train", &[]),
    ("runtime/mnist/test", &[]),
    ("macros/language", &["convnet-graph"]),
    ("macros", &["convnet-graph", "convnet-language"]),
    ("runtime/engine", &["convnet-graph"]),
    ("runtime/onnx", &["convnet-graph", "convnet-language"]),
    (
        "runtime",
        &[
            "convnet-graph",
            "convnet-language",
            "convnet-macros",
            "convnet-engine",
            "convnet-onnx",
            "convnet-mnist-train",
            "convnet-mnist-test",
        ],
    ),
    ("models", &["convnet"]),
];

#[test]
fn crates_depend_downwards_only() {
    let mut problems = Vec::new();
    for (folder, may) in MAY_DEPEND {
        let manifest = std::fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
        let mut section = "";
        for line in manifest.lines().map(str::trim) {
            if line.starts_with('[') {
                section = line;
            }
            let name = line.split(['.', ' ', '=']).next().unwrap_or("");
            let counts = section.ends_with("dependencies]") && section != "[dev-dependencies]";
            if counts && name.starts_with("convnet") && !may.contains(&name) {
                problems.push(format!("{folder} must not depend on {name}"));
            }
        }
    }
    complain(problems);
}
