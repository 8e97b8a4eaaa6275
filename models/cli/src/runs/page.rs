//! The page that compares runs: results side by side, what differs in settings, and curves over one another.

use super::record::Record;
use super::{HEAD, row, setting};
use convnet::objective::{Metric, MetricUnit};
use convnet::report::{Chart, Finding, Table, findings_page};
use convnet::train::Epoch;
use convnet::wording::{counted, utc};
use std::time::SystemTime;

/// What the page is called, by which it is known again.
pub const TITLE: &str = "Training runs compared";

/// The page as HTML, with nothing beside it.
pub fn page(runs: &[Record], differing: &[String]) -> String {
    let lead = format!("{}, as they were at {}.", counted(runs.len(), "run"), utc(SystemTime::now()));
    let all: Vec<&Record> = runs.iter().collect();
    let findings = [
        results(runs),
        settings(runs, differing),
        curves(
            &all,
            ["training-loss", "Training loss", "The mean loss of each epoch on the images that it was trained on."],
            &|_, epoch| epoch.loss,
        ),
        curves(
            &all,
            [
                "validation-loss",
                "Validation loss",
                "The loss after each epoch on the images that it is evaluated on: the validation set or, where a run has none, the test set.",
            ],
            &|_, epoch| epoch.test_loss,
        ),
    ];
    findings_page(TITLE, &lead, &findings.into_iter().chain(metrics(runs)).collect::<Vec<_>>())
}

/// The curves of each task's metric.
fn metrics(runs: &[Record]) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    let mut metrics: Vec<Metric> = Vec::new();
    for run in runs {
        if !metrics.contains(&run.metric) {
            metrics.push(run.metric);
        }
    }
    for metric in metrics {
        let own: Vec<&Record> = runs.iter().filter(|run| run.metric == metric).collect();
        let (factor, unit) = if metric.unit == MetricUnit::Share { (100.0, ", in percent") } else { (1.0, "") };
        let text = match metric.name {
            "accuracy" => {
                "The share of the same images whose class was found after each epoch, in percent.".to_string()
            }
            _ => format!("The {} on the same images after each epoch{unit}.", metric.title),
        };
        let mut letters = metric.title.chars();
        let title: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
        found.push(curves(&own, [metric.name, &title, &text], &|run, epoch| factor * run.tested(epoch)));
    }
    found
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
fn curves(runs: &[&Record], [method, title, text]: [&str; 3], value: &dyn Fn(&Record, &Epoch) -> f64) -> Finding {
    let points = |run: &Record| run.history.iter().map(|epoch| [epoch.epoch as f64, value(run, epoch)]).collect();
    let curves = runs.iter().map(|run| (run.folder.display().to_string(), points(run))).collect();
    let mut finding = Finding::new(method, title, text);
    finding.charts.push(Chart { title: format!("{title} by epoch"), x_name: "epoch".into(), curves });
    finding
}
