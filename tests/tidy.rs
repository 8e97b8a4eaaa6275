//! The rules of the house that a script can check: what a file opens with, how long it is, what it may not contain.
#![forbid(unsafe_code)]

mod circles;
mod layer_words;
mod packages;
mod wildcards;

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Whether a folder holds what tools made, not what people wrote. Build folders and Python's virtual environments (the
/// comparison with PyTorch asks for one) carry these marks whatever their names are.
fn is_generated(folder: &Path) -> bool {
    [".git", "target"].iter().any(|name| folder.ends_with(name))
        || ["CACHEDIR.TAG", "pyvenv.cfg"].iter().any(|mark| folder.join(mark).exists())
}

/// Files below the root whose name ends so, as (path relative to the root, text).
fn files(ending: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            if kind.is_dir() && !is_generated(&path) {
                folders.push(path);
            } else if kind.is_file() && entry.file_name().to_string_lossy().ends_with(ending) {
                let relative = path.strip_prefix(root()).unwrap().to_string_lossy().to_string();
                let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{relative}: {error}"));
                found.push((relative, text));
            }
        }
    }
    found.sort();
    found
}

/// Rust files of the project; those under `tests/ui` are examples of mistakes.
fn rust() -> Vec<(String, String)> {
    files(".rs").into_iter().filter(|(path, _)| !path.starts_with("tests/ui/")).collect()
}

fn complain(problems: Vec<String>) {
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

/// Lines of Rust that are not comments, with their numbers.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(i, line)| (i + 1, line)).filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Whether the line holds the word by itself, not as a part of a longer name.
fn has_word(line: &str, word: &str) -> bool {
    let in_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(in_name) && !line[at + word.len()..].starts_with(in_name))
}

#[test]
fn every_file_says_what_it_holds_and_is_short() {
    let mut problems = Vec::new();
    for (path, text) in rust() {
        if !text.starts_with("//!") {
            problems.push(format!("{path}: does not open with `//!`"));
        }
        let lines = text.lines().count();
        if lines > 600 {
            problems.push(format!("{path}: {lines} lines, more than 600"));
        }
    }
    complain(problems);
}

#[test]
fn nothing_is_left_unfinished() {
    // Spelt in two parts, so that this file does not contain them.
    let words = [["todo", "!("], ["unimplemented", "!("], ["dbg", "!("], ["#[ign", "ore"], ["FIX", "ME"]]
        .map(|parts| parts.concat());
    let mut problems = Vec::new();
    for (path, text) in rust() {
        for (i, line) in text.lines().enumerate() {
            for word in words.iter().filter(|word| line.contains(word.as_str())) {
                problems.push(format!("{path}:{}: {word}", i + 1));
            }
        }
    }
    complain(problems);
}

#[test]
fn no_trailing_space() {
    let mut problems = Vec::new();
    for ending in [".rs", ".md", ".toml", ".py", ".sh", "run"] {
        for (path, text) in files(ending) {
            let bad = text.lines().enumerate().filter(|(_, line)| line.ends_with([' ', '\t']));
            problems.extend(bad.map(|(i, _)| format!("{path}:{}: white space at the end of the line", i + 1)));
        }
    }
    complain(problems);
}

#[test]
fn unsafe_code_is_in_the_kernels_and_says_why_it_is_safe() {
    let keyword = concat!("un", "safe");
    let mut problems = Vec::new();
    for (path, text) in rust() {
        // Beside the kernels there is one place that sees a tensor's numbers.
        let kernels = path.starts_with("runtime/engine/src/kernels/") || path == "runtime/src/device/cpu/view.rs";
        let lines: Vec<&str> = text.lines().collect();
        for (number, line) in code(&text) {
            // The compiler refuses it elsewhere, as long as nobody switches that lint off.
            if line.contains(&format!("allow({keyword}_code)"))
                && !["mod kernels;", "mod view;"].contains(lines.get(number).unwrap_or(&""))
            {
                problems.push(format!(
                    "{path}:{number}: only the kernels and the view of tensors may allow {keyword} code"
                ));
            }
            if !has_word(line, keyword) {
                continue;
            }
            if !kernels {
                problems.push(format!("{path}:{number}: {keyword} outside the kernels and the view of tensors"));
            }
            // The reason stands in the comment above, or above the statement that the block is in.
            let above = &lines[number.saturating_sub(5)..number];
            let opens = ["{", "impl"].iter().any(|next| line.contains(&format!("{keyword} {next}")));
            if opens && !above.iter().any(|line| line.contains("SAFETY")) {
                problems.push(format!("{path}:{number}: no SAFETY line"));
            }
        }
    }
    complain(problems);
}

/// Where cargo features are named: devices, ways to communicate, and the digits that a program may carry.
const FEATURES: [&str; 8] = [
    "runtime/src/device/",
    "runtime/src/distributed/",
    "runtime/src/data/mnist.rs",
    // Which devices there are.
    "runtime/src/backend/located.rs",
    "runtime/src/language.rs",
    "runtime/src/onnx.rs",
    "runtime/onnx/src/lib.rs",
    "macros/language/src/lib.rs",
];

#[test]
fn layers_of_the_design_hold() {
    let mut problems = Vec::new();
    for (path, text) in rust() {
        for (number, line) in code(&text) {
            if has_word(line, "feature =")
                && path.contains("/src/")
                && !FEATURES.iter().any(|place| path.starts_with(place))
            {
                problems.push(format!("{path}:{number}: only these name a cargo feature: {}", FEATURES.join(", ")));
            }
            let in_macro = (path.starts_with("macros/src/") || path.starts_with("macros/language/src/"))
                && !path.contains("/src/tests/");
            // The header of a file that `embed!` names has to be known to rustc, which reads the rest itself.
            let reads = path == "macros/src/file.rs" && ["std::fs", "std::env"].iter().any(|word| line.contains(word));
            for word in ["std::fs", "std::env", ".unwrap()", ".expect(", "panic!(", "unreachable!("] {
                if in_macro && !reads && line.contains(word) {
                    problems.push(format!("{path}:{number}: the macro does no I/O and does not panic: {word}"));
                }
            }
            if path.starts_with("runtime/engine/") && (line.contains("dfdx") || line.contains("Tensor<")) {
                problems.push(format!("{path}:{number}: the engine sees slices and sizes, not tensors"));
            }
        }
    }
    complain(problems);
}

/// dfdx's `fast-alloc` aborts the process when memory runs out.
#[test]
fn running_out_of_memory_is_an_error() {
    // That one forbids it.
    for (path, text) in files(".toml").into_iter().filter(|(path, _)| path != "deny.toml") {
        let on = text.lines().any(|line| !line.trim_start().starts_with('#') && line.contains("fast-alloc"));
        assert!(!on, "{path} switches fast-alloc on");
    }
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(manifest.contains("dfdx = { version = \"0.13\", default-features = false"));
}

#[test]
fn the_readme_says_what_ci_runs() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let ci = std::fs::read_to_string(root().join(".ci/run")).unwrap();
    let command = "cargo test --workspace";
    assert!(readme.lines().any(|line| line.trim() == command), "the README does not give `{command}`");
    assert_eq!(ci.lines().rfind(|line| !line.trim().is_empty()), Some(command), ".ci/run does not end with it");
}
