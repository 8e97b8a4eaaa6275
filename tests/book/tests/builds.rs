//! The book builds without a warning, each of its links leads somewhere, each page with Rust in it is compiled, and a browser shows it.
#![forbid(unsafe_code)]

#[path = "../../../runtime/tests/common/browser.rs"]
#[allow(dead_code)]
mod browser;

use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{BufferQueue, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer};
use mdbook_driver::MDBook;
use mdbook_markdown::pulldown_cmark::{Event, Parser, Tag};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Whether tools made a folder: a build folder or a virtual environment of Python, or what hides itself.
fn is_generated(folder: &Path) -> bool {
    let hidden = folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    hidden || ["CACHEDIR.TAG", "pyvenv.cfg"].iter().any(|mark| folder.join(mark).exists())
}

/// Files in a folder and below whose name ends so, relative to it.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(inner) = folders.pop() {
        for entry in std::fs::read_dir(inner).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.extend((!is_generated(&path)).then_some(path));
            } else if path.extension().is_some_and(|found| found == ending) {
                found.push(path.strip_prefix(folder).unwrap().to_path_buf());
            }
        }
    }
    found.sort();
    found
}

/// Pages of the book as (path below `docs/src`, text).
fn pages() -> Vec<(String, String)> {
    let source = root().join("docs/src");
    let page = |path: PathBuf| {
        let text = std::fs::read_to_string(source.join(&path)).unwrap();
        (path.to_string_lossy().replace('\\', "/"), text)
    };
    files(&source, "md").into_iter().map(page).collect()
}

/// What mdBook says while it builds the book into `folder`: nothing, where all is well.
fn built(folder: &Path) -> String {
    let said = Arc::new(Mutex::new(Vec::new()));
    let writer = said.clone();
    let listener = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_ansi(false)
        .without_time()
        .with_writer(move || Said(writer.clone()))
        .finish();
    tracing::subscriber::with_default(listener, || {
        let mut book = MDBook::load(root().join("docs")).unwrap();
        book.config.build.build_dir = folder.to_path_buf();
        book.build().unwrap();
    });
    String::from_utf8(said.lock().unwrap().clone()).unwrap()
}

struct Said(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Said {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Where a page of HTML leads to, and the places in it that others can lead to.
#[derive(Default)]
struct Page {
    links: RefCell<Vec<String>>,
    ids: RefCell<BTreeSet<String>>,
}

impl TokenSink for Page {
    type Handle = ();

    fn process_token(&self, token: Token, _: u64) -> TokenSinkResult<()> {
        let Token::TagToken(tag) = token else { return TokenSinkResult::Continue };
        for attribute in &tag.attrs {
            match &*attribute.name.local {
                "href" | "src" => self.links.borrow_mut().push(attribute.value.to_string()),
                "id" => _ = self.ids.borrow_mut().insert(attribute.value.to_string()),
                _ => {}
            }
        }
        match (tag.kind, &*tag.name) {
            (TagKind::StartTag, "script") => TokenSinkResult::RawData(RawKind::ScriptData),
            (TagKind::StartTag, "style") => TokenSinkResult::RawData(RawKind::Rawtext),
            _ => TokenSinkResult::Continue,
        }
    }
}

fn parsed(html: &str) -> Page {
    let (tokenizer, input) = (Tokenizer::new(Page::default(), Default::default()), BufferQueue::default());
    input.push_back(html.into());
    _ = tokenizer.feed(&input);
    tokenizer.end();
    tokenizer.sink
}

/// What needs the internet is not followed by a test.
fn is_elsewhere(link: &str) -> bool {
    ["http:", "https:", "mailto:", "data:"].iter().any(|scheme| link.starts_with(scheme))
}

#[test]
fn the_book_builds_and_every_link_leads_somewhere() {
    let folder = tempfile::tempdir().unwrap();
    let said = built(folder.path());
    assert!(said.is_empty(), "mdBook warns:\n{said}");
    let html = |path: PathBuf| {
        let page = parsed(&std::fs::read_to_string(folder.path().join(&path)).unwrap());
        (folder.path().join(path).canonicalize().unwrap(), page)
    };
    let built: BTreeMap<PathBuf, Page> = files(folder.path(), "html").into_iter().map(html).collect();
    let mut problems = Vec::new();
    for (name, _) in pages() {
        if name != "SUMMARY.md" && !folder.path().join(&name).with_extension("html").exists() {
            problems.push(format!("{name} is not in SUMMARY.md"));
        }
    }
    for (path, page) in &built {
        let name = path.strip_prefix(folder.path().canonicalize().unwrap()).unwrap().display();
        for link in page.links.borrow().iter().filter(|link| !is_elsewhere(link)) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            let Ok(target) = target.canonicalize() else {
                problems.push(format!("{name}: {link} is not there"));
                continue;
            };
            let is_place = |page: &Page| page.ids.borrow().contains(anchor);
            if !anchor.is_empty() && !built.get(&target).is_some_and(is_place) {
                problems.push(format!("{name}: {link} has no such section"));
            }
        }
    }
    assert!(built.len() > 10 && problems.is_empty(), "\n{}", problems.join("\n"));
}

/// The links of the README and of other pages outside of the book lead to files of the repository.
#[test]
fn links_of_the_other_pages_lead_to_files() {
    let mut problems = Vec::new();
    let mut found = 0;
    for name in files(&root(), "md").into_iter().filter(|name| !name.starts_with("docs")) {
        let (path, text) = (root().join(&name), std::fs::read_to_string(root().join(&name)).unwrap());
        for event in Parser::new(&text) {
            let Event::Start(Tag::Link { dest_url: link, .. } | Tag::Image { dest_url: link, .. }) = event else {
                continue;
            };
            // The pages of rustdoc name items.
            let item = link.contains("::") || !link.contains(['.', '/']);
            if is_elsewhere(&link) || item {
                continue;
            }
            found += 1;
            if link.contains('#') {
                problems
                    .push(format!("{}: {link} leads to a section, which only the book's pages may", name.display()));
            } else if !path.parent().unwrap().join(&*link).exists() {
                problems.push(format!("{}: {link} is not there", name.display()));
            }
        }
    }
    assert!(found > 10 && problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn every_page_with_rust_is_compiled() {
    let list = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let compiled: BTreeSet<&str> =
        list.split("docs/src/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    for (name, text) in pages() {
        let has_rust = text.lines().any(|line| line.trim_start().starts_with("```rust"));
        assert!(
            !has_rust || compiled.contains(name.as_str()),
            "{name} has Rust, and tests/book/src/lib.rs does not list it"
        );
    }
}

/// On a telephone and on a desk nothing is wider than the page and all images are there; in the dark it is dark.
#[test]
fn a_browser_shows_it() {
    let folder = tempfile::tempdir().unwrap();
    built(folder.path());
    for page in ["index.html", "guide/explain.html"].map(|page| folder.path().join(page)) {
        for width in [400, 1200] {
            let Some(found) = browser::measured(&page, width) else { return };
            assert_eq!((&found["overflow"], &found["broken"]), (&0.into(), &0.into()), "at {width} pixels: {found}");
        }
        let Some([(light, bright), (dark, dim)]) = browser::looks_at(&page) else { return };
        assert!(light > 0.02 && dark > 0.02, "an empty page: {light} {dark}");
        assert!(bright > 200 && dim < 60, "light and dark are {bright} and {dim}");
    }
}
