//! The pages of layers, one for each family, from the table that the language itself takes arguments and defaults from.

use super::hold;
use convnet_language::words::{self, ArgKind, DefaultValue, FAMILIES, Family, Spec, Word};
use convnet_language::{Sizes, read};

/// The page of a family, below `docs/src`.
fn page(family: &Family) -> String {
    format!("language/layers/{}.md", family.name.replace(' ', "-"))
}

/// The text with links in place of rustdoc's, as in "as in [`conv`]".
fn linked(text: &str) -> String {
    let link = |text: String, (family, word): (&Family, &Word)| {
        let name = word.name();
        text.replace(&format!("[`{name}`]"), &format!("[`{name}`]({}.md#{name})", family.name.replace(' ', "-")))
    };
    let known = FAMILIES.iter().flat_map(|family| family.words.iter().map(move |word| (family, word)));
    known.fold(text.to_string(), link)
}

/// A bar in a cell of a table would end it.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn argument(word: &Word, (index, spec): (usize, &Spec)) -> String {
    let default = match (spec.default, spec.default.written()) {
        (DefaultValue::Required, _) => "has to be given".into(),
        (DefaultValue::Absent, _) | (_, None) => "none".into(),
        (_, Some(default)) => format!("`{default}`"),
    };
    let position = if index < word.signature.positional { format!(", {}", ordinal(index)) } else { String::new() };
    let takes = match spec.kind {
        ArgKind::Flag => "`true` or `false`; the name alone sets it",
        kind => kind.takes(),
    };
    format!("| `{}`{position} | {takes} | {default} | {} |\n", spec.name, cell(spec.help))
}

fn ordinal(index: usize) -> &'static str {
    ["first", "second", "third"].get(index).copied().unwrap_or("later")
}

/// What the word's example makes of an input, as the language computes it.
fn example(word: &Word) -> String {
    let example = word.signature.example;
    let input = if word.name() == "linear" { "400" } else { "16, 32, 32" };
    let declared = |output: &str| format!("struct N: [{input}] -> [{output}] {{ one: {example}; }}");
    // The error for another shape than the declared one says what to declare.
    let wrong = read(&declared("1, 1, 2"), &Sizes::default()).unwrap_err();
    let message = &wrong.all()[0].message;
    let (_, output) = message.split_once("declare `-> [").unwrap_or_else(|| panic!("{}: {message}", word.name()));
    let output = output.split(']').next().unwrap();
    let graph = &read(&declared(output), &Sizes::default()).unwrap()[0].graph;
    let tensors: Vec<String> = graph
        .params
        .iter()
        .map(|param| format!("`{} {:?}`", param.name.trim_start_matches("one."), param.shape))
        .collect();
    let parameters = if tensors.is_empty() { String::new() } else { format!(", with {}", tensors.join(", ")) };
    format!("`{example};` turns `[{input}]` into `[{output}]`{parameters}.\n")
}

fn entry(word: &Word) -> String {
    let Word { signature, help, shape, parameters, .. } = word;
    let arguments: String = signature.args.iter().enumerate().map(|argument_| argument(word, argument_)).collect();
    let table = match arguments.as_str() {
        "" => String::new(),
        rows => format!("| argument | takes | default | meaning |\n|---|---|---|---|\n{rows}\n"),
    };
    let parameters =
        if parameters.is_empty() { String::new() } else { format!("* Parameters: {}.\n", linked(parameters)) };
    format!(
        "## `{}`\n\n{help}\n\n```rs\n{signature};\n```\n\n{table}* Shape of the output: {}.\n{parameters}* Example: {}\n",
        word.name(),
        linked(shape),
        example(word)
    )
}

/// Rows of the table of all layers: a word with arguments has one of its own, with its defaults and what it does; a family's words without
/// arguments share one.
fn rows(family: &Family) -> String {
    let (with, without): (Vec<&Word>, Vec<&Word>) =
        family.words.iter().partition(|word| !word.signature.args.is_empty());
    // A paper's "et al., 2015" has no full stop with a space after it.
    let sentence = |help: &str| format!("{}.", help.split(". ").next().unwrap().trim_end_matches('.'));
    let file = page(family).replace("language/", "");
    let link = |word: &Word| format!("[`{}`]({file}#{})", cell(&word.signature.to_string()), word.name());
    let mut cells: Vec<(String, String)> = with.iter().map(|word| (link(word), sentence(word.help))).collect();
    if !without.is_empty() {
        let links: Vec<String> = without.iter().map(|word| link(word)).collect();
        cells.push((links.join(", "), if let [word] = without[..] { sentence(word.help) } else { String::new() }));
    }
    let name = |index: usize| if index == 0 { format!(" [{}]({file}) ", family.name) } else { " ".into() };
    let row = |(i, (layers, help)): (usize, (String, String))| format!("|{}| {layers} | {help} |\n", name(i));
    cells.into_iter().enumerate().map(row).collect()
}

#[test]
fn the_pages_of_layers_are_those_of_the_table() {
    for family in FAMILIES {
        let entries: String = family.words.iter().map(entry).collect();
        hold(&page(family), "layers", &entries);
    }
    let rows: String = FAMILIES.iter().map(rows).collect();
    hold("language/layers.md", "layers", &format!("| | layer | what it does |\n|---|---|---|\n{rows}"));
    assert_eq!(FAMILIES.iter().map(|family| family.words.len()).sum::<usize>(), words::all().count());
}
