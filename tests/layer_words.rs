//! The documentation of `cnn!` leads to every layer; the book's pages of layers are held by its own tests.

use super::root;
use convnet_language::lint;
use convnet_language::words::{self, FAMILIES, Family};

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
