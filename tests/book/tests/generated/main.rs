//! Parts of the book that are printed, not written: what each layer takes, every error with its text, words of other frameworks.
//!
//! Such a part stands between `<!-- printed: NAME -->` and `<!-- end -->` in its page, and what is around it is written by hand. The tests
//! fail where it differs from what is printed here; `UPDATE_BOOK=1 cargo test -p convnet-book --test generated` writes it into the pages.
#![forbid(unsafe_code)]

mod errors;
mod layers;
mod words;

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Holds that the page (below `docs/src`) has this text as its part `name`, or writes it there where that is asked for.
fn hold(page: &str, name: &str, text: &str) {
    let path = root().join("docs/src").join(page);
    let found = read(&path);
    let opening = format!("<!-- printed: {name} -->\n");
    let start = found.find(&opening).unwrap_or_else(|| panic!("docs/src/{page} has no part `{name}`")) + opening.len();
    let end =
        start + found[start..].find("<!-- end -->").unwrap_or_else(|| panic!("`{name}` of docs/src/{page} has no end"));
    let text = format!("\n{}\n\n", text.trim());
    if found[start..end] == text {
        return;
    }
    if std::env::var_os("UPDATE_BOOK").is_some() {
        return std::fs::write(&path, format!("{}{text}{}", &found[..start], &found[end..])).unwrap();
    }
    let differs = found[start..end].lines().zip(text.lines()).find(|(found, wanted)| found != wanted);
    panic!(
        "docs/src/{page} differs, first in (page, printed) {differs:?}; write it anew by\n\
         UPDATE_BOOK=1 cargo test -p convnet-book --test generated"
    );
}

/// A word as a heading: `moving pixels` is `Moving pixels`.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
