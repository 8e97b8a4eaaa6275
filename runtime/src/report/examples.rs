//! What an evaluation leaves to look at, for each task: tables, and images with what the network said of them.

use super::confusion::{matrix, scores};
use super::pictures::Shown;
use super::style::{escape, percent, scrolled};
use super::{mistakes, overlays, pairs, scatter};
use crate::objective::{Details, Evaluation, LabelDetails};
use std::fmt::Write;

/// Images with what the network said of them.
pub(super) fn examples(evaluation: &Evaluation, shown: &Shown<'_>) -> String {
    match &evaluation.details {
        Details::Classes(found) => mistakes::mistakes(found, shown),
        Details::Labels(found) => labelled(found, shown),
        Details::Masks(found) => overlays::overlays(found, shown),
        Details::Numbers(found) => scatter::worst(found, shown),
        Details::Itself(found) => pairs::pairs(found, shown),
        Details::Nothing => String::new(),
    }
}

/// How each class, label or number did.
pub(super) fn tables(evaluation: &Evaluation, classes: &[String]) -> String {
    match &evaluation.details {
        Details::Classes(found) => matrix(found, classes) + &scores(found, classes),
        Details::Labels(found) => labels(found, classes),
        Details::Masks(found) => overlays::table(found, classes),
        Details::Numbers(found) => scatter::scatter(found, classes),
        Details::Itself(_) | Details::Nothing => String::new(),
    }
}

/// The probability from which on a label is said to be there.
const THERE: f32 = 0.5;

/// The images whose labels were found worst.
fn labelled(found: &LabelDetails, shown: &Shown<'_>) -> String {
    let item = |(index, probabilities): &(usize, Vec<f32>)| {
        let there = match shown.test.target(*index) {
            Ok(crate::data::Target::Labels(labels)) => labels.into_owned(),
            _ => Vec::new(),
        };
        let named = |wanted: bool| {
            let names = (0..there.len()).filter(|i| there[*i] == wanted && (probabilities[*i] >= THERE) != wanted);
            let names =
                names.map(|i| format!("<b>{}</b> ({:.0}\u{a0}%)", escape(&shown.classes[i]), probabilities[i] * 100.0));
            names.collect::<Vec<_>>().join(", ")
        };
        let parts = [("missed: ", named(true)), ("not there: ", named(false))];
        let parts = parts.iter().filter(|(_, names)| !names.is_empty()).map(|(what, names)| format!("{what}{names}"));
        let text = parts.collect::<Vec<_>>().join("<br>");
        shown.item(*index, if text.is_empty() { "all labels right" } else { &text })
    };
    let items: Vec<String> = found.worst.iter().map(item).collect();
    shown.section(
        "Worst images",
        ", those with the largest loss first, with the probability of each label that is wrong.",
        &items,
    )
}

fn labels(found: &LabelDetails, names: &[String]) -> String {
    let heads = ["label", "average precision", "precision", "recall", "F1", "images"];
    let heads: Vec<String> = heads.iter().map(|head| format!("<th scope=\"col\">{head}</th>")).collect();
    let mut table = format!("<table><tr>{}</tr>", heads.concat());
    for (name, score) in names.iter().zip(&found.scores) {
        let half = score.at_half;
        let _ = write!(
            table,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(name),
            score.average_precision.map_or("–".into(), percent),
            percent(half.precision),
            percent(half.recall),
            percent(half.f1),
            half.support
        );
    }
    format!(
        "<section><h2>Labels</h2><p class=\"quiet\">Average precision is over all thresholds; precision, recall and F1 are those where a \
         probability of one half or more says that a label is there.</p>{}</section>",
        scrolled("Labels", &(table + "</table>"))
    )
}
