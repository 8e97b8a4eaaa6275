//! The page that compares runs: results side by side, what differs in settings, and curves over one another.

use super::record::Record;
use super::{HEAD, row, setting};
use convnet::report::{Chart, Finding, Table, findings_page};
use convnet::train::Epoch;
use convnet::wording::{counted, utc};
use std::time::SystemTime;

/// What the page is called, by which it is known again.
pub const TITLE: &str = "Training runs compared";

/// The page as HTML, with nothing beside it.
pub fn page(runs: &[Record], differing: &[String]) -> String {
    let lead = format!("{}, as they were at {}.", counted(runs.len(), "run"), utc(SystemTime::now()));
    let findings = [
        results(runs),
        settings(runs, differing),
        curves(
            runs,
            ["training-loss", "Training loss", "The mean loss of each epoch on the images that it was trained on."],
            |epoch| epoch.loss,
        ),
        curves(
            runs,
            [
                "validation-loss",
                "Validation loss",
                "The loss after each epoch on the images that it is evaluated on: the validation set or, where a run has none, the test set.",
            ],
            |epoch| epoch.test_loss,
        ),
        curves(
            runs,
            [
                "accuracy",
                "Accuracy",
                "The share of the same images whose class was found after each epoch, in percent.",
            ],
            |epoch| 100.0 * epoch.test_accuracy,
        ),
    ];
    findings_page(TITLE, &lead, &findings)
}

fn results(runs: &[Record]) -> Finding {
    let mut finding = Finding::new("results", "Results", "Of all epochs the best one, and the last one.");
    let head = HEAD.map(String::from).to_vec();
    finding.tables.push(Table { caption: "Results".into(), head, rows: runs.iter().map(row).collect() });
    finding
}

fn settings(runs: &[Record], differing: &[String]) -> Finding {
    let text = match differing.len() {
        0 => "All settings are the same.",
        _ => "What is not in the table is the same in all runs. A dash: the run does not say.",
    };
    let mut finding = Finding::new("settings", "Settings that differ", text);
    if !differing.is_empty() {
        let mut head = vec!["setting".to_string()];
        head.extend(runs.iter().map(|run| run.folder.display().to_string()));
        let row = |key: &String| {
            let values = runs.iter().map(|run| setting(run, key).to_string());
            std::iter::once(key.clone()).chain(values).collect()
        };
        finding.tables.push(Table { caption: "Settings".into(), head, rows: differing.iter().map(row).collect() });
    }
    finding
}

/// A curve for each run that has done an epoch.
fn curves(runs: &[Record], [method, title, text]: [&str; 3], value: fn(&Epoch) -> f64) -> Finding {
    let points = |run: &Record| run.history.iter().map(|epoch| [epoch.epoch as f64, value(epoch)]).collect();
    let curves = runs.iter().map(|run| (run.folder.display().to_string(), points(run))).collect();
    let mut finding = Finding::new(method, title, text);
    finding.charts.push(Chart { title: format!("{title} by epoch"), x_name: "epoch".into(), curves });
    finding
}
