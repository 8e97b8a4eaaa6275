//! Numbers of images against what a network gives for them.

use super::pictures::Shown;
use super::style::{escape, scrolled};
use super::ticks::{Unit, labels, ticks};
use crate::objective::NumberDetails;
use crate::wording::short;
use std::fmt::Write;

/// The most charts: one for each number, as far as they are not too many to look at.
const CHARTS: usize = 12;

/// A table of errors, and a chart for each number.
pub(super) fn scatter(found: &NumberDetails, names: &[String]) -> String {
    let mut table = String::from(
        "<table><tr><th scope=\"col\">number</th><th scope=\"col\">mean absolute error</th>\
         <th scope=\"col\">root mean squared error</th><th scope=\"col\">R2</th></tr>",
    );
    for (name, (mae, rmse, r2)) in names.iter().zip(&found.errors) {
        let r2 = r2.map_or("–".into(), short);
        let (mae, rmse) = (short(*mae), short(*rmse));
        let _ =
            write!(table, "<tr><th scope=\"row\">{}</th><td>{mae}</td><td>{rmse}</td><td>{r2}</td></tr>", escape(name));
    }
    let charts: Vec<String> = names.iter().enumerate().take(CHARTS).map(|(i, name)| chart(found, i, name)).collect();
    format!(
        "<section><h2>Numbers</h2>{}</section><div class=\"two\">{}</div>",
        scrolled("Numbers", &(table + "</table>")),
        charts.concat()
    )
}

/// One number: across what it is, up what the network gives; on the line both are the same.
fn chart(found: &NumberDetails, number: usize, name: &str) -> String {
    let points = found.points.iter().map(|(_, wanted, said)| [wanted[number], said[number]].map(f64::from));
    let points: Vec<[f64; 2]> = points.filter(|point| point.iter().all(|x| x.is_finite())).collect();
    let all = || points.iter().flatten().copied();
    let (low, high) = all().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    if points.is_empty() {
        return String::new();
    }
    let range = if high > low { (low, high) } else { (low - 0.5, high + 0.5) };
    let marks = ticks(range, 5);
    let (first, last) = (marks[0], marks[marks.len() - 1]);
    let at = |x: f64| (x - first) / (last - first) * 100.0;
    let texts = labels(&marks, Unit::Plain);
    let y: Vec<String> = texts.iter().map(|text| format!("<span>{text}</span>")).collect();
    let grid: Vec<String> = marks
        .iter()
        .map(|y| {
            let at = 100.0 - at(*y);
            format!("<line class=\"grid\" x1=\"0\" x2=\"100%\" y1=\"{at:.2}%\" y2=\"{at:.2}%\"/>")
        })
        .collect();
    let dot = |[wanted, said]: &[f64; 2]| {
        let (x, y) = (at(*wanted), 100.0 - at(*said));
        let title = format!("{} predicted {}", short(*wanted), short(*said));
        format!("<circle class=\"a\" cx=\"{x:.2}%\" cy=\"{y:.2}%\" r=\"2.5\"><title>{title}</title></circle>")
    };
    let dots: Vec<String> = points.iter().map(dot).collect();
    let x: Vec<String> = marks
        .iter()
        .zip(&texts)
        .map(|(x, text)| format!("<span style=\"left:{:.2}%\">{text}</span>", at(*x)))
        .collect();
    let name = escape(name);
    format!(
        "<section><h2>{name}</h2><div class=\"chart\" role=\"img\" aria-label=\"{name}: predictions by true values\">\
         <div class=\"y\">{}</div><div class=\"plot\"><svg>{}<line class=\"grid\" x1=\"0\" x2=\"100%\" y1=\"100%\" y2=\"0\"/>{}</svg>\
         <div class=\"x\">{}</div><div class=\"name\">across: true value; up: prediction</div></div></div></section>",
        y.concat(),
        grid.concat(),
        dots.concat(),
        x.concat()
    )
}

/// The images with the largest error.
pub(super) fn worst(found: &NumberDetails, shown: &Shown<'_>) -> String {
    let item = |(index, wanted, said): &(usize, Vec<f32>, Vec<f32>)| {
        let line = |i: usize| {
            let [wanted, said] = [wanted[i], said[i]].map(|x| short(f64::from(x)));
            format!("{} <b>{wanted}</b>, predicted <b>{said}</b>", escape(&shown.classes[i]))
        };
        let lines: Vec<String> = (0..wanted.len().min(4)).map(line).collect();
        shown.item(*index, &lines.join("<br>"))
    };
    let items: Vec<String> = found.worst.iter().map(item).collect();
    shown.section("Worst images", ", those with the largest error first.", &items)
}
