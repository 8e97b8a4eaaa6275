//! Where documentation lists the layers, it says what the language's table of words says: names, arguments, defaults.

use super::root;
use convnet_language::lint;
use convnet_language::words::{self, FAMILIES, Family, Word};

/// Rows of the table in the book: a word with arguments has one of its own, with its defaults and what it does; a family's words without
/// arguments share one.
fn book_rows(family: &Family) -> Vec<String> {
    let (with, without): (Vec<&Word>, Vec<&Word>) =
        family.words.iter().partition(|word| !word.signature.args.is_empty());
    // A paper's "et al., 2015" has no full stop with a space after it.
    let sentence = |help: &str| format!("{}.", help.split(". ").next().unwrap().trim_end_matches('.'));
    let mut rows: Vec<(String, String)> =
        with.iter().map(|word| (format!("`{}`", word.signature), sentence(word.help))).collect();
    if !without.is_empty() {
        let names: Vec<String> = without.iter().map(|word| format!("`{}`", word.signature)).collect();
        let help = if let [word] = without[..] { sentence(word.help) } else { String::new() };
        rows.push((names.join(", "), help));
    }
    let name = |index: usize| if index == 0 { family.name } else { "" };
    // A bar in a cell would end it.
    let row = |(i, (layers, help)): (usize, (String, String))| {
        format!("| {} | {} | {help} |", name(i), layers.replace('|', "\\|")).replace("|  |", "| |")
    };
    rows.into_iter().enumerate().map(row).collect()
}

/// The row of the language's page: each word leads to its own page.
fn page_row(family: &Family) -> String {
    let links: Vec<String> = family.words.iter().map(|word| word.name()).map(link).collect();
    format!("| {} | {} |", family.name, links.join(", "))
}

fn link(word: &str) -> String {
    format!("[`{word}`](crate::words::{word})")
}

/// The rows below the first table after `heading`.
fn table<'a>(text: &'a str, heading: &str) -> Vec<&'a str> {
    let lines = text.lines().skip_while(|line| *line != heading).skip_while(|line| !line.starts_with("|---"));
    lines.skip(1).take_while(|line| line.starts_with('|')).collect()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

#[test]
fn the_book_lists_every_layer_with_its_defaults() {
    let page = read("docs/src/language/layers.md");
    let expected: Vec<String> = FAMILIES.iter().flat_map(book_rows).collect();
    assert_eq!(table(&page, "# Layers"), expected, "the table of layers is to be\n{}", expected.join("\n"));
}

#[test]
fn the_page_of_the_language_leads_to_every_layer() {
    let page = read("runtime/src/language.md");
    let expected: Vec<String> = FAMILIES.iter().map(page_row).collect();
    assert_eq!(table(&page, "# Layers"), expected, "the table of layers is to be\n{}", expected.join("\n"));
    assert!(words::all().all(|word| page.contains(&link(word.name()))));
}

#[test]
fn the_page_of_the_language_lists_every_lint() {
    let page = read("runtime/src/language.md");
    let row = |lint: &'static lint::Lint| {
        let source = lint.source;
        format!("| `{}` | {} | {} | {} | {source} |", lint.name, lint.what, lint.why, lint.fix)
    };
    let expected: Vec<String> = lint::ALL.into_iter().map(row).collect();
    assert_eq!(table(&page, "# Warnings"), expected, "the table of lints is to be\n{}", expected.join("\n"));
}

/// The zoo, the README and the language's page of the book switch lints off ten times at most, each with a reason on the line before.
#[test]
fn lints_are_switched_off_with_a_reason() {
    let texts = ["README.md", "docs/src/language/overview.md"].map(|path| (path.to_string(), read(path))).into_iter();
    let texts = texts.chain(super::rust().into_iter().filter(|(path, _)| path.starts_with("models/src")));
    let (mut off, mut problems) = (0, Vec::new());
    for (path, text) in texts {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for two in
            lines.windows(2).filter(|two| lint::ALL.iter().any(|lint| two[1] == format!("#[allow({})]", lint.name)))
        {
            off += 1;
            if !two[0].starts_with("// ") {
                problems.push(format!("{path}: {} has no reason before it", two[1]));
            }
        }
    }
    super::complain(problems);
    assert!((1..=10).contains(&off), "{off}");
}

/// The constants that those links lead to, one for each word, are printed and not written.
#[test]
fn the_pages_of_words_are_printed() {
    let pages = read("runtime/src/words.rs");
    assert!(pages.contains("convnet_macros::words! {}"));
    assert!(!pages.contains("pub const"));
}
