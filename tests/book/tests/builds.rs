//! The book builds without a warning, each of its links leads somewhere, and each page with Rust in it is compiled.
#![forbid(unsafe_code)]

use mdbook_driver::MDBook;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// Pages of the book as (path below `docs/src`, text).
fn pages() -> Vec<(PathBuf, String)> {
    let (mut found, mut folders) = (Vec::new(), vec![docs().join("src")]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "md") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(docs().join("src")).unwrap().to_path_buf(), text));
            }
        }
    }
    found.sort();
    found
}

/// What stands in `name="..."` of a page of HTML.
fn attributes<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let opening = format!(" {name}=\"");
    html.match_indices(&opening).map(|(at, _)| html[at + opening.len()..].split('"').next().unwrap()).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let folder = tempfile::tempdir().unwrap();
    let mut book = MDBook::load(docs()).unwrap();
    book.config.build.build_dir = folder.path().to_path_buf();
    book.build().unwrap();
    let mut problems = Vec::new();
    let listed = std::fs::read_to_string(docs().join("src/SUMMARY.md")).unwrap();
    for (page, _) in pages() {
        let name = page.to_string_lossy().replace('\\', "/");
        if name != "SUMMARY.md" && !listed.contains(&format!("({name})")) {
            problems.push(format!("{name} is not in SUMMARY.md"));
        }
        let html = folder.path().join(page.with_extension("html"));
        let Ok(text) = std::fs::read_to_string(&html) else { continue };
        for link in attributes(&text, "href").into_iter().chain(attributes(&text, "src")) {
            // What needs the internet is not followed by a test; `build()` has warned of what it includes itself.
            if link.contains("://") || link.starts_with("mailto:") || link.starts_with("data:") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { html.clone() } else { html.parent().unwrap().join(file) };
            match std::fs::read_to_string(&target) {
                Ok(text) if !anchor.is_empty() && !attributes(&text, "id").contains(&anchor) => {
                    problems.push(format!("{name}: {link} has no such section"));
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    problems.push(format!("{name}: {link} is not there"));
                }
                _ => {}
            }
        }
        if text.contains("{{#") {
            problems.push(format!("{name}: something was not included"));
        }
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn every_page_with_rust_is_compiled() {
    let list = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let compiled: BTreeSet<&str> =
        list.split("docs/src/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    for (page, text) in pages() {
        let name = page.to_string_lossy().replace('\\', "/");
        let has_rust = text.lines().any(|line| line.trim_start().starts_with("```rust"));
        assert!(
            !has_rust || compiled.contains(name.as_str()),
            "{name} has Rust, and tests/book/src/lib.rs does not list it"
        );
    }
}
