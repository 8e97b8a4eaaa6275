//! Warnings about the networks of `tests/ui/lints`: what they say to write is written, and they are gone; so is what they say switches
//! them off.
#![cfg(test)]

use convnet_language::{Mistake, Sizes, read};
use std::path::Path;

/// What stands in the braces of the first `cnn!` of a file.
fn networks(source: &str) -> Option<&str> {
    source.split_once("cnn! {")?.1.split_once("\n}\n").map(|(text, _)| text)
}

fn warnings(text: &str) -> Vec<Mistake> {
    let found = read(text, &Sizes::default()).unwrap_or_else(|mistakes| panic!("{mistakes}\n{text}"));
    // What two networks share is told of both.
    let mut list: Vec<Mistake> = found.iter().flat_map(|network| network.warnings.all().to_vec()).collect();
    list.dedup_by_key(|warning| warning.range.clone());
    list
}

/// The line of a warning that begins so.
fn line<'a>(warning: &'a Mistake, start: &str) -> &'a str {
    warning.message.lines().find_map(|line| line.trim().strip_prefix(start)).unwrap()
}

/// Where the statement with the place of a warning begins.
fn statement(text: &str, Mistake { range, .. }: &Mistake) -> usize {
    text[..range.start].rfind(['{', '}', ';']).map_or(0, |at| at + 1)
}

fn inserted(text: &str, at: usize, what: &str) -> String {
    format!("{}{what}{}", &text[..at], &text[at..])
}

/// The text with the fix, where it is one that a program can apply.
fn fixed(text: &str, warning: &Mistake) -> Option<String> {
    let (fix, end) = (line(warning, "fix: "), text[warning.range.start..].find(')').map(|at| warning.range.start + at));
    if fix.starts_with("add `ceil`") {
        return Some(inserted(text, end?, ", ceil"));
    }
    if fix.starts_with("use `pad = ") || fix == "write `bias = false`" {
        let what = fix.split_once(' ')?.1.trim_matches('`');
        return Some(inserted(text, end?, &format!(", {what}")));
    }
    if let Some(kernel) = fix.strip_prefix("use `kernel = ").and_then(|rest| rest.strip_suffix('`')) {
        return Some(format!("{}{kernel}{}", &text[..warning.range.start], &text[warning.range.end..]));
    }
    if fix.starts_with("leave one of them out") || fix.starts_with("end with the layer before it") {
        let start = statement(text, warning);
        let end = text[start..].find(';')? + start + 1;
        return Some(format!("{}{}", &text[..start], &text[end..]));
    }
    None
}

#[test]
fn warnings_go_away_as_they_say() {
    let (mut found, mut applied) = (0, 0);
    for file in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/ui/lints")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "rs") || path.ends_with("unknown-lint.rs") {
            continue;
        }
        let source = std::fs::read_to_string(&path).unwrap();
        let text = networks(&source).unwrap();
        let before = warnings(text);
        assert!(!before.is_empty(), "{}", path.display());
        for warning in &before {
            found += 1;
            let gone = |text: &str| warnings(text).iter().all(|other| other.message != warning.message);
            let off = line(warning, "off: ").split('`').nth(1).unwrap();
            assert!(off.contains(warning.lint.unwrap()));
            let allowed = inserted(text, statement(text, warning), &format!(" {off} "));
            assert!(gone(&allowed), "{}\n{allowed}", warning.message);
            if let Some(fixed) = fixed(text, warning) {
                applied += 1;
                assert!(gone(&fixed), "{}\n{fixed}", warning.message);
            }
        }
    }
    assert!(found >= 10 && applied >= 8, "{found} warnings, {applied} fixes");
}
