//! The pages of errors, one for each folder of `tests/ui`: what was written, what rustc says, and what that means. `tests/compile_fail.rs`
//! holds that rustc says it.

use super::{capital, hold, read, root};
use std::path::PathBuf;

/// What lies in a folder, in the order of names.
fn sorted(folder: PathBuf) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn stem(path: &std::path::Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

/// The text of an error without the lines that say in which file of `tests/ui` it is.
pub fn said(kind: &str, case: &str) -> String {
    let text = read(&root().join(format!("tests/ui/{kind}/{case}.stderr")));
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("--> ")).collect();
    lines.join("\n").trim().to_string()
}

/// The sentence that a case opens with, and its code without what every program has.
pub fn case(kind: &str, case: &str) -> (String, String) {
    let text = read(&root().join(format!("tests/ui/{kind}/{case}.rs")));
    let about: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim).collect();
    assert!(
        !about.is_empty(),
        "tests/ui/{kind}/{case}.rs has to open with `//!` and a sentence that says what is wrong"
    );
    // What is misused outside of a network is in the program.
    let is_shown = |line: &&str| kind == "outside" || !line.starts_with("fn main");
    let code = text.lines().skip(about.len()).take_while(is_shown);
    let everywhere = ["use convnet::prelude::*;", "#![deny(deprecated)]", "fn main() {}"];
    let code: Vec<&str> = code.filter(|line| !everywhere.contains(line)).collect();
    (about.join(" "), code.join("\n").trim().to_string())
}

fn entry(kind: &str, name: &str) -> String {
    let (about, code) = case(kind, name);
    let names = [("pytorch", "PyTorch"), ("keras", "Keras"), ("python", "Python")];
    let word = |word: &str| {
        names.iter().find(|(file, _)| *file == word).map_or(word.to_string(), |(_, name)| name.to_string())
    };
    let title = capital(&name.split('-').map(word).collect::<Vec<_>>().join(" "));
    format!("## {title}\n\n{about}\n\n```rs\n{code}\n```\n\n```text\n{}\n```\n\n", said(kind, name))
}

#[test]
fn every_error_has_its_place_in_the_book() {
    let mut rows = String::from("| kind | cases | the first of them |\n|---|---:|---|\n");
    for kind in sorted(root().join("tests/ui")).iter().filter(|path| path.is_dir()).map(|path| stem(path)) {
        let files = sorted(root().join("tests/ui").join(&kind));
        let names: Vec<String> =
            files.iter().filter(|path| path.extension().is_some_and(|e| e == "rs")).map(|path| stem(path)).collect();
        hold(&format!("errors/{kind}.md"), "errors", &names.iter().map(|name| entry(&kind, name)).collect::<String>());
        let first = said(&kind, names.first().unwrap());
        let message = first.lines().next().unwrap().split_once(": ").unwrap().1.replace('|', "\\|");
        rows.push_str(&format!("| [{}]({kind}.md) | {} | {message} |\n", capital(&kind), names.len()));
    }
    hold("errors/index.md", "kinds", &rows);
}

/// The five typical mistakes, as cases of `tests/ui`.
const FIVE: [(&str, &str); 5] = [
    ("shape", "kernel-larger-than-input"),
    ("merge", "residual-without-padding"),
    ("habits", "linear-with-inputs"),
    ("shape", "branches-differ-in-size"),
    ("shape", "output-differs"),
];

#[test]
fn what_convnet_says_to_the_five_mistakes_is_what_rustc_prints() {
    for (number, (kind, name)) in (1..).zip(FIVE) {
        hold("coming-from/mistakes.md", &format!("convnet {number}"), &format!("```text\n{}\n```", said(kind, name)));
    }
}
