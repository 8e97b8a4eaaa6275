//! The course: each of its examples gives the numbers and the figures that the book shows, and the numbers in its prose are among them.
//!
//! A chapter `docs/src/course/NAME.md` has an example `examples/NAME.rs`, whose page is kept in `output/NAME.txt` and whose figures are
//! kept in `figures`. `UPDATE_BOOK=1 cargo test --workspace --test course` writes both anew; a name behind `--` takes one chapter alone.
//!
//! Numbers after a `~` come out of training. On one kind of processor they are the same each time; on another one sums are rounded in
//! another order, so they are only held to be near, and the figures to be there. What a chapter concludes from them is asserted by its
//! example.
#![forbid(unsafe_code)]

use convnet_book::course::{Outcome, Page};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// The examples, each of which has a `main` of its own too.
macro_rules! chapters {
    ($($name:ident $file:literal)*) => {
        $(#[path = $file] #[allow(dead_code)] mod $name;)*
        const CHAPTERS: &[(&str, fn(&mut Page) -> Outcome)] = &[$((stringify!($name), $name::$name)),*];
    };
}

// Those that take longest first.
chapters! {
    training "../examples/training.rs"
    residuals "../examples/residuals.rs"
    explained "../examples/explained.rs"
    convolution "../examples/convolution.rs"
    edges "../examples/edges.rs"
    sizes "../examples/sizes.rs"
    receptive_field "../examples/receptive_field.rs"
    pooling "../examples/pooling.rs"
    gradients "../examples/gradients.rs"
    classics "../examples/classics.rs"
    deeper "../examples/deeper.rs"
}

type Problems = Vec<String>;

fn course() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/course")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn main() -> ExitCode {
    if let Some(outcome) = explained::program() {
        return outcome;
    }
    let names: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let chosen: Vec<_> = CHAPTERS
        .iter()
        .filter(|(name, _)| names.is_empty() || names.iter().any(|n| name.contains(n.as_str())))
        .collect();
    // Chapters run side by side instead.
    convnet::engine::set_threads(1).expect("there is a thread");
    let next = AtomicUsize::new(0);
    let work = || {
        let mut problems = Problems::new();
        while let Some((name, example)) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
            let since = Instant::now();
            let mut found = chapter(name, *example);
            found.extend(unfounded(name));
            let outcome = if found.is_empty() { "ok" } else { "FAILED" };
            println!("chapter {name} ... {outcome}, {:.1} s", since.elapsed().as_secs_f64());
            problems.extend(found.into_iter().map(|problem| format!("{name}: {problem}")));
        }
        problems
    };
    let mut problems: Problems = std::thread::scope(|scope| {
        let others: Vec<_> = (1..std::thread::available_parallelism().map_or(1, usize::from).min(4))
            .map(|_| scope.spawn(work))
            .collect();
        let mut problems = work();
        others
            .into_iter()
            .for_each(|other| problems.extend(other.join().unwrap_or_else(|_| vec!["an example panicked".into()])));
        problems
    });
    if names.is_empty() {
        problems.extend(figures_are_shown());
    }
    problems.iter().for_each(|problem| eprintln!("{problem}"));
    if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs an example, and keeps what it gives or holds it against what is kept.
fn chapter(name: &str, example: fn(&mut Page) -> Outcome) -> Problems {
    let folder = tempfile::tempdir().expect("there is a folder for figures");
    let mut page = Page::new(folder.path());
    if let Err(error) = example(&mut page) {
        return vec![format!("the example fails: {error}")];
    }
    let kept = course().join(format!("output/{name}.txt"));
    let figures: Vec<PathBuf> =
        std::fs::read_dir(folder.path()).expect("it is there").flatten().map(|entry| entry.path()).collect();
    let file = |path: &Path| course().join("figures").join(path.file_name().unwrap_or_default());
    if std::env::var_os("UPDATE_BOOK").is_some() {
        std::fs::write(&kept, page.text()).expect("the output can be written");
        figures
            .iter()
            .for_each(|path| assert!(std::fs::copy(path, file(path)).is_ok(), "{} cannot be copied", path.display()));
        return Problems::new();
    }
    let mut problems = Problems::new();
    let (old, new) = (read(&kept), page.text().to_owned());
    if old.lines().count() != new.lines().count() {
        problems.push(format!("the output has {} lines instead of {}", new.lines().count(), old.lines().count()));
    }
    let differing = old.lines().zip(new.lines()).filter(|(old, new)| !same(old, new));
    problems.extend(differing.map(|(old, new)| format!("the book says\n    {old}\nand the example\n    {new}")));
    // What has learned on another processor has other filters, so its pictures only have to be there.
    let elsewhere = old != new;
    let changed =
        figures.iter().filter(|path| !if elsewhere { file(path).exists() } else { looks_like(&file(path), path) });
    problems.extend(changed.map(|path| format!("{} is not what the example draws", file(path).display())));
    problems
}

/// Whether two lines are the same but for the last digits of numbers after a `~`.
fn same(old: &str, new: &str) -> bool {
    let words = |line: &str| -> Vec<String> { line.split_whitespace().map(String::from).collect() };
    let (old, new) = (words(old), words(new));
    let number =
        |word: &str| word.strip_prefix('~').and_then(|word| word.trim_matches([';', ',', ':']).parse::<f64>().ok());
    let near = |i: usize| match (number(&old[i]), number(&new[i])) {
        // Powers of ten by depth: their exponents.
        (Some(a), Some(b)) if old[i].contains('e') => a > 0.0 && b > 0.0 && (a / b).log10().abs() < 2.0,
        (Some(a), Some(b)) => {
            let is_percent = old.get(i + 1).is_some_and(|word| word.starts_with('%'));
            (a - b).abs() <= 0.25 * a.abs().max(b.abs()) + if is_percent { 2.0 } else { 0.02 }
        }
        _ => old[i] == new[i],
    };
    old.len() == new.len() && (0..old.len()).all(near)
}

/// Whether a figure is the one that is kept, but for what rounding changes in it.
fn looks_like(kept: &Path, new: &Path) -> bool {
    if new.extension().is_some_and(|ending| ending == "svg") {
        let ([old_text, new_text], [old, new]) =
            ([kept, new].map(|path| without_numbers(&read(path))), [kept, new].map(|path| numbers(&read(path))));
        let far: f64 =
            old.iter().zip(&new).map(|(a, b)| (a.parse().unwrap_or(0.0) - b.parse::<f64>().unwrap_or(0.0)).abs()).sum();
        return old_text == new_text && old.len() == new.len() && far <= old.len() as f64;
    }
    let [Ok(old), Ok(new)] = [kept, new].map(image::open) else { return false };
    let (old, new) = (old.to_rgb8(), new.to_rgb8());
    let far: u64 = old.iter().zip(new.iter()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    old.dimensions() == new.dimensions() && far <= 2 * old.len() as u64
}

/// The numbers in a text, without the commas of thousands.
fn numbers(text: &str) -> Vec<String> {
    let part = |c: char| c.is_ascii_digit() || c == '.' || c == ',';
    let pieces = text.split(|c| !part(c)).map(|piece| piece.trim_matches(['.', ',']).replace(',', ""));
    pieces.filter(|piece| !piece.is_empty()).collect()
}

fn without_numbers(text: &str) -> String {
    text.chars().filter(|c| !c.is_ascii_digit() && !['.', '-'].contains(c)).collect()
}

/// Numbers in the prose of a chapter that neither its output nor its code has. Small whole numbers and years are free.
fn unfounded(name: &str) -> Problems {
    let page = read(&course().join(format!("{name}.md")));
    let (mut prose, mut code, mut is_code) = (String::new(), String::new(), false);
    for line in page.lines() {
        if line.starts_with("```") {
            is_code = !is_code;
        } else if is_code {
            code += &format!("{line}\n");
        } else {
            // Neither the text of `code` nor the target of a link is prose.
            let spoken: Vec<&str> = line
                .split('`')
                .step_by(2)
                .flat_map(|part| {
                    part.split("](")
                        .enumerate()
                        .map(|(i, part)| if i == 0 { part } else { part.split_once(')').map_or("", |(_, rest)| rest) })
                })
                .collect();
            prose += &format!("{}\n", spoken.join(" "));
        }
    }
    let output = read(&course().join(format!("output/{name}.txt")));
    let source = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("examples/{name}.rs")));
    let known: BTreeSet<String> =
        [output, code, source.replace('_', "")].iter().flat_map(|text| numbers(text)).collect();
    let is_free =
        |number: &str| number.parse::<u32>().is_ok_and(|number| number <= 10 || (1900..2100).contains(&number));
    let found = numbers(&prose).into_iter().filter(|number| !is_free(number) && !known.contains(number));
    found.map(|number| format!("{number} stands in the prose, and the example does not give it")).collect()
}

/// Each figure is on a page, and each that a page shows is there (`tests/builds.rs` holds that).
fn figures_are_shown() -> Problems {
    let pages: String = CHAPTERS.iter().map(|(name, _)| read(&course().join(format!("{name}.md")))).collect();
    let files = std::fs::read_dir(course().join("figures")).into_iter().flatten().flatten();
    let names = files.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names
        .filter(|name| !pages.contains(&format!("figures/{name}")))
        .map(|name| format!("figures/{name} is on no page"))
        .collect()
}
