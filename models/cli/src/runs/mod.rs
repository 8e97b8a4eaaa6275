//! `convnet runs`: which training runs there are, how far each is, and how they compare.
//!
//! Everything is told from the folders of the runs: `config.toml` has the settings, the newest checkpoint the results. A folder
//! that is damaged or no run's is named and left out, since one bad folder says nothing about the others.

mod page;
mod record;

use crate::common::{self, Outcome, print, say};
use crate::place;
use convnet::wording::{clock, counted, utc};
use record::{Record, State};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  convnet runs\n  convnet runs runs/lenet5 runs/lenet5-2\n  convnet runs experiments --out page.html"
)]
pub struct Arguments {
    /// Folders of runs, or folders that hold some; two or more runs are compared on a page [default: runs]
    #[arg(value_name = "FOLDER")]
    folders: Vec<PathBuf>,
    /// Write the page that compares the runs to this file [default: comparison.html, where two or more runs are named]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print the table as JSON
    #[arg(long)]
    json: bool,
}

/// The page's name where none is given.
const PAGE: &str = "comparison.html";

/// Runs that a page can show: as many as have curves that can be told apart.
const MOST: usize = 12;

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    runs: Vec<Entry>,
    skipped: Vec<String>,
    /// Where the page is, if one was written.
    page: Option<PathBuf>,
}

/// A run of it.
#[derive(Serialize)]
struct Entry {
    folder: PathBuf,
    network: String,
    data: String,
    state: State,
    epochs: usize,
    epochs_planned: usize,
    /// The main metric of the run's task.
    metric: &'static str,
    best_metric: Option<f64>,
    last_metric: Option<f64>,
    best_loss: Option<f64>,
    last_loss: Option<f64>,
    started: Option<String>,
    seconds: f64,
    /// The settings in which the runs differ.
    differs: BTreeMap<String, String>,
}

pub fn run(arguments: Arguments) -> Outcome {
    let Arguments { folders, out, json } = arguments;
    let compares = folders.len() > 1 && folders.iter().all(|folder| Record::is_in(folder));
    let folders = if folders.is_empty() { vec![PathBuf::from("runs")] } else { folders };
    let (runs, skipped) = all(&folders)?;
    for note in &skipped {
        say(&format!("note: left out {note}"))?;
    }
    if runs.is_empty() {
        let names: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
        return Err(format!("there is no run in {}", names.join(", ")).into());
    }
    let differing = differing(&runs);
    let out = out.map(|out| (out, true)).or_else(|| compares.then(|| (PAGE.into(), false)));
    if let Some((out, named)) = &out {
        write_page(&runs, &differing, out, *named)?;
    }
    let page = out.map(|(out, _)| out);
    if json {
        let runs = runs.iter().map(|run| entry(run, &differing)).collect();
        return common::print_json(&Report { runs, skipped, page });
    }
    print(&common::aligned(&table(&runs, &differing)))?;
    if let Some(page) = page {
        print(&format!("\n{} has the curves of {} over one another", page.display(), counted(runs.len(), "run")))?;
    }
    Ok(())
}

/// All runs in these folders, in the order of their names, and what was left out, with the reason.
fn all(folders: &[PathBuf]) -> Result<(Vec<Record>, Vec<String>), Box<dyn Error>> {
    let (mut runs, mut skipped, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for folder in folders {
        let mut inside = vec![folder.clone()];
        if !Record::is_in(folder) {
            let entries = std::fs::read_dir(folder);
            let entries = entries.map_err(|error| format!("cannot look into {}: {error}", folder.display()))?;
            inside = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
            inside.sort();
        }
        for path in inside {
            // A run that is named twice is one run.
            if !seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())) {
                continue;
            }
            match Record::is_in(&path) {
                true => match Record::read(&path) {
                    Ok(run) => runs.push(run),
                    Err(error) => skipped.push(format!("{}: {error}", path.display())),
                },
                false => skipped.push(format!("{}: it is no run, since it has no config.toml", path.display())),
            }
        }
    }
    Ok((runs, skipped))
}

/// Keys that have columns of their own, or say where and not how a run was trained.
const SHOWN: [&str; 6] = ["model", "data", "dataset", "epochs", "out", "device"];

/// The keys of the settings that not all runs have the same.
fn differing(runs: &[Record]) -> Vec<String> {
    let keys: BTreeSet<&String> = runs.iter().flat_map(|run| run.settings.keys()).collect();
    let differs = |key: &&String| runs.iter().any(|run| run.settings.get(*key) != runs[0].settings.get(*key));
    keys.into_iter().filter(|key| !SHOWN.contains(&key.as_str())).filter(differs).cloned().collect()
}

/// What a run has for a key; a run that does not say has a dash.
fn setting<'a>(run: &'a Record, key: &str) -> &'a str {
    run.settings.get(key).map_or("–", |value| if value.is_empty() { "\"\"" } else { value })
}

/// Names of the columns of results.
const HEAD: [&str; 11] = [
    "run",
    "network",
    "data",
    "epochs",
    "best metric",
    "last metric",
    "best loss",
    "last loss",
    "started (UTC)",
    "time",
    "state",
];

/// The results of a run as text, for these columns.
fn row(run: &Record) -> Vec<String> {
    let number = |values: Option<[f64; 2]>, i: usize| match (values, i) {
        (None, _) => "–".into(),
        (Some(values), 0) if values[0].is_nan() => "–".into(),
        (Some(values), 0) => format!("{} {}", run.metric.title, run.metric.text(values[0])),
        (Some(values), _) => format!("{:.4}", values[i]),
    };
    let (best, last) = (run.best(), run.last());
    // To the minute.
    let started = run.started.map_or("–".into(), |started| utc(started).chars().take(16).collect());
    vec![
        run.folder.display().to_string(),
        run.network.clone(),
        run.data.clone(),
        format!("{}/{}", run.history.len(), run.planned),
        number(best, 0),
        number(last, 0),
        number(best, 1),
        number(last, 1),
        started,
        clock(run.seconds),
        run.state.to_string(),
    ]
}

/// The table for a terminal.
fn table(runs: &[Record], differing: &[String]) -> Vec<Vec<String>> {
    let mut rows = vec![HEAD.map(String::from).to_vec()];
    rows.extend(runs.iter().map(row));
    if !differing.is_empty() {
        rows[0].push("settings that differ".into());
        for (row, run) in rows[1..].iter_mut().zip(runs) {
            let said = differing.iter().map(|key| format!("{key}={}", setting(run, key)));
            row.push(said.collect::<Vec<_>>().join(" "));
        }
    }
    rows
}

fn entry(run: &Record, differing: &[String]) -> Entry {
    let [best, last] = [run.best(), run.last()];
    let value = |values: Option<[f64; 2]>, i: usize| values.map(|values| values[i]);
    Entry {
        folder: run.folder.clone(),
        network: run.network.clone(),
        data: run.data.clone(),
        state: run.state,
        epochs: run.history.len(),
        epochs_planned: run.planned,
        metric: run.metric.name,
        best_metric: value(best, 0),
        last_metric: value(last, 0),
        best_loss: value(best, 1),
        last_loss: value(last, 1),
        started: run.started.map(utc),
        seconds: run.seconds,
        differs: differing.iter().map(|key| (key.clone(), setting(run, key).to_string())).collect(),
    }
}

/// Writes the page. A file that nobody has named is replaced only if it is such a page.
fn write_page(runs: &[Record], differing: &[String], out: &Path, named: bool) -> Outcome {
    if runs.len() > MOST {
        let found = counted(runs.len(), "run");
        return Err(format!("a page has room for the curves of {MOST} runs, and these are {found}; name fewer").into());
    }
    let is_ours = || std::fs::read_to_string(out).is_ok_and(|text| text.contains(page::TITLE));
    if !named && out.exists() && !is_ours() {
        let out = out.display();
        return Err(format!("{out} is there, and it is no page of `runs`; say by --out where the page is to go").into());
    }
    let page = page::page(runs, differing);
    Ok(convnet::atomic_file::write(out, page.as_bytes()).map_err(|source| place::unwritable(out, source))?)
}
