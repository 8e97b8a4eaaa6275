//! What a measurement of a network has shown, as text and as JSON, for each task.

use crate::own;
use convnet::data::{Dataset, TargetKind};
use convnet::objective::{self, ClassDetails, Evaluation, LabelDetails, MaskDetails, NumberDetails};
use convnet::wording::{counted, short};
use serde::Serialize;
use std::collections::BTreeMap;

/// The most classes whose confusion matrix has room in a terminal.
const COLUMNS: usize = 20;

/// What the images of a dataset have, in a few words: `10 classes`, `masks of 3 classes`.
pub fn targets(data: &dyn Dataset) -> String {
    let names = data.classes().len();
    match data.target_kind() {
        TargetKind::Class => counted(names, "class"),
        TargetKind::Labels => counted(names, "label"),
        TargetKind::Mask => format!("masks of {}", counted(names, "class")),
        TargetKind::Numbers => counted(names, "number"),
        _ => "images alone".into(),
    }
}

/// The metrics by their names, with something before each.
pub fn metrics(evaluation: &Evaluation, before: &str) -> BTreeMap<String, f64> {
    evaluation.metrics.iter().map(|(metric, value)| (format!("{before}{}", metric.name), *value)).collect()
}

/// Beside the metrics, as JSON.
#[derive(Default, Serialize)]
pub struct Details {
    /// How often each class (the row) is predicted as each class (the column). For the task `classes` this counts images, for `masks` pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    confusion: Option<Vec<Vec<u64>>>,
    /// The share of the images of each class whose class was predicted rightly. Only the task `classes` has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    recall: Option<Vec<f64>>,
    /// A figure for each name: the IoU of each class of masks, the average precision of each label, or the mean absolute error of each number. A figure that
    /// is not defined for the data is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    each: Option<BTreeMap<String, f64>>,
}

impl Details {
    pub fn of(evaluation: &Evaluation, names: &[String]) -> Self {
        let each = |value: &dyn Fn(usize) -> Option<f64>| {
            let pairs = names.iter().enumerate().filter_map(|(i, name)| Some((name.clone(), value(i)?)));
            Some(pairs.collect())
        };
        match &evaluation.details {
            objective::Details::Classes(found) => Details {
                confusion: Some(found.confusion.iter().map(|row| row.iter().map(|n| *n as u64).collect()).collect()),
                recall: Some(found.recall()),
                each: None,
            },
            objective::Details::Labels(found) => {
                Details { each: each(&|i| found.scores.get(i)?.average_precision), ..Details::default() }
            }
            objective::Details::Masks(found) => {
                Details { confusion: Some(found.confusion.clone()), each: each(&|i| found.iou(i)), recall: None }
            }
            objective::Details::Numbers(found) => {
                Details { each: each(&|i| Some(found.errors.get(i)?.0)), ..Details::default() }
            }
            _ => Details::default(),
        }
    }
}

/// The metrics, and how each class, label or number did.
pub fn measured(evaluation: &Evaluation, names: &[String]) -> String {
    let mut metrics =
        evaluation.metrics.iter().map(|(metric, value)| format!("{} {}", metric.title, metric.text(*value)));
    let main = metrics.next().unwrap_or_default();
    let images = match &evaluation.details {
        objective::Details::Classes(found) => format!(" ({} of {})", found.correct(), found.total()),
        _ => format!(" on {}", counted(evaluation.images, "image")),
    };
    let others: String = metrics.map(|metric| format!(", {metric}")).collect();
    let mut text = format!("test {main}{images}{others}, loss {:.4}\n", evaluation.loss);
    if evaluation.inverted > 0 {
        let inverted = counted(evaluation.inverted, "image");
        text += &format!(
            "inverted, dark and bright changing places: {inverted} (see --invert of `{} eval`)\n",
            own::program()
        );
    }
    text += &match &evaluation.details {
        objective::Details::Classes(found) => confusion(found, names),
        objective::Details::Labels(found) => labels(found, names),
        objective::Details::Masks(found) => masks(found, names),
        objective::Details::Numbers(found) => numbers(found, names),
        _ => String::new(),
    };
    text
}

fn confusion(found: &ClassDetails, classes: &[String]) -> String {
    let width = classes.iter().map(String::len).max().unwrap_or(0).clamp(5, 12);
    let short = |class: &String| class.chars().take(width).collect::<String>();
    let cell = |text: String| format!("{text:>width$} ");
    // More columns than these have room nowhere.
    if classes.len() > COLUMNS {
        return String::new();
    }
    let mut text = String::from("\nconfusion matrix (rows: the class, columns: the prediction)\n");
    text += &cell(String::new());
    text.extend(classes.iter().map(|class| cell(short(class))));
    text += "  found\n";
    for ((class, row), recall) in classes.iter().zip(&found.confusion).zip(found.recall()) {
        text += &cell(short(class));
        text.extend(row.iter().map(|n| cell(if *n == 0 { ".".into() } else { n.to_string() })));
        text += &format!("{:>5.1} %\n", recall * 100.0);
    }
    text
}

/// A table with a line for each name.
fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut all = vec![head.iter().map(ToString::to_string).collect::<Vec<_>>()];
    all.extend(rows);
    format!("\n{}\n", crate::common::aligned(&all))
}

fn percent(value: Option<f64>) -> String {
    value.map_or("–".into(), |value| format!("{:.2} %", value * 100.0))
}

fn labels(found: &LabelDetails, names: &[String]) -> String {
    let row = |(name, score): (&String, &objective::LabelScore)| {
        let half = score.at_half;
        let values = [score.average_precision, Some(half.precision), Some(half.recall), Some(half.f1)].map(percent);
        [vec![name.clone()], values.to_vec(), vec![half.support.to_string()]].concat()
    };
    let head = ["label", "average precision", "precision", "recall", "F1", "images"];
    table(&head, names.iter().zip(&found.scores).map(row))
}

fn masks(found: &MaskDetails, names: &[String]) -> String {
    let all = (0..names.len()).map(|class| found.pixels(class)).sum::<u64>().max(1) as f64;
    let row = |(class, name): (usize, &String)| {
        let share = Some(found.pixels(class) as f64 / all);
        [vec![name.clone()], [found.iou(class), found.dice(class), share].map(percent).to_vec()].concat()
    };
    table(&["class", "IoU", "Dice", "share of the pixels"], names.iter().enumerate().map(row))
}

fn numbers(found: &NumberDetails, names: &[String]) -> String {
    let row = |(name, (mae, rmse, r2)): (&String, &(f64, f64, Option<f64>))| {
        vec![name.clone(), short(*mae), short(*rmse), r2.map_or("–".into(), short)]
    };
    let head = ["number", "mean absolute error", "root mean squared error", "R2"];
    table(&head, names.iter().zip(&found.errors).map(row))
}
