//! What a run leaves to be read: the log, TensorBoard's curves, and the page, which is looked at in a browser where there is
//! one.
#![deny(warnings)]

#[path = "common/browser.rs"]
mod browser;

use convnet::data::{Dataset, Images, Split};
use convnet::prelude::*;
use convnet::report::{HtmlReport, JsonLines, Line, TensorBoard};
use convnet::train::{Config, Event, Flow, Run, TrainError, Trainer};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

cnn! { struct Net: [1, 8, 8] -> [3] { conv: conv(4, kernel = 3, pad = 1); relu; max_pool(2); flatten; fc: linear(3); } }

/// Classes whose names would break a page that did not escape them; noise makes some images hard.
fn images(n: usize) -> Images {
    let mut noise = 12345_u32;
    let mut pixels = Vec::new();
    for i in 0..n {
        for at in 0..64 {
            noise = noise.wrapping_mul(1664525).wrapping_add(1013904223);
            pixels.push(([at % 2, at / 8 % 2, 1][i % 3] * 40 + (noise >> 24) as usize * 3 / 4) as u8);
        }
    }
    let classes = ["<b>columns", "rows & \"rows\"", "</script>"].map(String::from).to_vec();
    Images { shape: [1, 8, 8], pixels, labels: (0..n).map(|i| (i % 3) as u8).collect(), classes }
}

/// What makes a browser load a page anew.
const RENEWS: &str = "http-equiv=\"refresh\"";

/// Trains in `folder`, up to `stop_at`.
fn run(folder: &Path, stop_at: Option<u64>) -> Result<(), TrainError> {
    let data = Split { train: images(60), test: images(40) }.shared();
    let test: Arc<dyn Dataset> = data.test.clone();
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    let mut net = Cpu::seed_from_u64(1).build_module::<Net, f32>();
    let config = Config { epochs: 4, batch: 8, lr: 0.05, keep: 2, checkpoint_every: 3, ..Config::default() };
    let trainer = Trainer::new(&mut net, &Cpu::default()).config(config).folder(folder).resume().stop_when(stop);
    let trainer = trainer.callback(JsonLines::new(folder.join("log.jsonl")));
    let trainer = trainer.callback(TensorBoard::new(folder)).callback(HtmlReport::new(folder, test));
    let page = folder.join("report.html");
    let trainer = trainer.callback(move |event: Event<'_>, run: &Run<'_>| {
        if let Event::Epoch(epoch) = event {
            let page = std::fs::read_to_string(&page).unwrap();
            for part in [RENEWS, "The run goes on: ", " % done, about ", "Worst mistakes", "confusion"] {
                assert!(page.to_lowercase().contains(&part.to_lowercase()), "epoch {}: no {part}", epoch.epoch);
            }
        }
        flag.store(matches!(event, Event::Step(_)) && Some(run.progress.step) == stop_at, Ordering::Relaxed);
        Ok(Flow::Continue)
    });
    trainer.train(&data).map(|_| ())
}

#[test]
fn a_page_renews_itself_only_while_the_run_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let page = || std::fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(run(folder.path(), Some(13)).is_err());
    let stopped = page();
    assert!(stopped.contains("has stopped before its end") && stopped.contains("After epoch 1,"), "{stopped}");
    run(folder.path(), None).unwrap();
    let finished = page();
    assert!(finished.contains("The run is finished") && finished.contains("At the end,"), "{finished}");
    for page in [stopped, finished] {
        assert!(!page.contains(RENEWS) && !page.contains("<script") && !page.contains("goes on"), "{page}");
    }
}

fn steps(lines: &[Line]) -> Vec<u64> {
    lines.iter().filter(|line| matches!(line, Line::Step { .. })).map(Line::step).collect()
}

#[test]
fn each_step_is_in_the_log_once_however_a_run_was_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.jsonl");
    assert!(matches!(run(folder.path(), Some(13)), Err(TrainError::Interrupted { step: 13, .. })));
    assert_eq!(steps(&Line::read(&log).unwrap()), (1..=13).collect::<Vec<_>>());
    // As after a power cut: the checkpoint is older than the log, whose last line is torn.
    std::fs::remove_file(folder.path().join("checkpoints/step-000000013.safetensors")).unwrap();
    std::fs::OpenOptions::new().append(true).open(&log).unwrap().write_all(b"{\"event\":\"step\",\"st").unwrap();
    run(folder.path(), None).unwrap();
    let lines = Line::read(&log).unwrap();
    assert_eq!(steps(&lines), (1..=32).collect::<Vec<_>>());
    assert_eq!(std::fs::read_to_string(&log).unwrap().lines().count(), lines.len(), "a line that is none");
    let epochs: Vec<usize> =
        lines.iter().filter_map(|line| if let Line::Epoch(epoch) = line { Some(epoch.epoch) } else { None }).collect();
    assert_eq!(epochs, [1, 2, 3, 4]);
    assert!(lines.iter().any(|line| matches!(line, Line::Start { step: 12, resumed: true })));
}

/// The records of one of TensorBoard's files.
fn records(path: &Path) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(path).unwrap();
    let mut rest = &bytes[..];
    let mut all = Vec::new();
    while !rest.is_empty() {
        let len = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        all.push(rest[12..12 + len].to_vec());
        rest = &rest[16 + len..];
    }
    all
}

#[test]
fn curves_are_whole_records_with_their_names() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), None).unwrap();
    let is_curve = |path: &PathBuf| path.to_string_lossy().contains("events.out.tfevents");
    let files: Vec<PathBuf> =
        std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().path()).filter(is_curve).collect();
    let records = records(&files[0]);
    let having = |text: &str| records.iter().filter(|record| String::from_utf8_lossy(record).contains(text)).count();
    assert_eq!((files.len(), having("brain.Event:2")), (1, 1));
    // After steps 1, 10, 20 and 30, and after each epoch.
    assert_eq!((having("train/loss"), having("test/accuracy")), (4, 4));
}

#[test]
fn a_log_that_cannot_be_written_ends_the_run_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("log.jsonl")).unwrap();
    let error = run(folder.path(), None).unwrap_err().to_string();
    assert!(error.contains("log.jsonl"), "{error}");
}

#[test]
fn the_page_stands_by_itself_and_shows_something() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), None).unwrap();
    let page = folder.path().join("report.html");
    let text = std::fs::read_to_string(&page).unwrap();
    for part in
        ["&lt;b&gt;columns", "rows &amp; ", "data:image/png;base64,", "<svg", "confusion", "prefers-color-scheme"]
    {
        assert!(text.to_lowercase().contains(part), "no {part}");
    }
    // Nothing from elsewhere, and no class that becomes a tag.
    for part in ["src=\"http", "href=\"http", "url(http", "@import", "<b>columns", "</script>\"", "NaN"] {
        assert!(!text.contains(part), "{part}");
    }
    browser::is_legible(&page);
    let Some([(light, bright), (dark, dim)]) = browser::looks_at(&page) else { return };
    assert!(light > 0.03 && dark > 0.03, "an empty page: {light} {dark}");
    assert!(bright > 200 && dim < 60, "light and dark are {bright} and {dim}");
}
