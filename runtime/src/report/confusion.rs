//! Which classes are taken for which, and how each did, as tables of a page.

use super::style::{escape, percent, scrolled};
use crate::objective::ClassDetails;
use std::fmt::Write;

/// Classes that a matrix has room for.
const MATRIX: usize = 100;

pub(super) fn matrix(found: &ClassDetails, classes: &[String]) -> String {
    if classes.len() > MATRIX {
        return confused(found, classes);
    }
    let mut table = String::from("<table class=\"matrix\"><tr><td></td>");
    for class in classes {
        let _ = write!(table, "<th scope=\"col\">{}</th>", escape(class));
    }
    table += "</tr>";
    for (i, (class, row)) in classes.iter().zip(&found.confusion).enumerate() {
        let total = row.iter().sum::<usize>().max(1) as f64;
        let _ = write!(table, "<tr><th scope=\"row\">{}</th>", escape(class));
        for (j, n) in row.iter().enumerate() {
            let share = *n as f64 / total;
            // Most classes are never taken for each other, and an empty cell takes little room.
            if *n == 0 {
                table += "<td></td>";
                continue;
            }
            // Right answers in one colour; wrong ones in another, and stronger, since they are few.
            let (colour, strength) =
                if i == j { ("heat", 0.55 * share) } else { ("wrong", (4.0 * share).sqrt().min(1.0) * 0.7) };
            let _ = write!(table, "<td style=\"background:rgba(var(--{colour}),{strength:.2})\">{n}</td>");
        }
        table += "</tr>";
    }
    format!(
        "<section><h2>Confusion</h2><p class=\"quiet\">Rows: the class of an image. Columns: the class that the network predicts.</p>{}</section>",
        scrolled("Confusion", &(table + "</table>"))
    )
}

/// The pairs of classes that are taken for each other most often.
fn confused(found: &ClassDetails, classes: &[String]) -> String {
    let pairs =
        found.confusion.iter().enumerate().flat_map(|(i, row)| row.iter().enumerate().map(move |(j, n)| (*n, i, j)));
    let mut pairs: Vec<_> = pairs.filter(|(n, i, j)| *n > 0 && i != j).collect();
    pairs.sort_by_key(|(n, i, j)| (std::cmp::Reverse(*n), *i, *j));
    let mut table = String::from(
        "<table><tr><th scope=\"col\">class</th><th scope=\"col\">predicted</th><th scope=\"col\">times</th></tr>",
    );
    for (n, i, j) in pairs.into_iter().take(40) {
        let _ = write!(
            table,
            "<tr><td class=\"text\">{}</td><td class=\"text\">{}</td><td>{n}</td></tr>",
            escape(&classes[i]),
            escape(&classes[j])
        );
    }
    format!(
        "<section><h2>Most confused classes</h2>{}</section>",
        scrolled("Most confused classes", &(table + "</table>"))
    )
}

pub(super) fn scores(found: &ClassDetails, classes: &[String]) -> String {
    let mut table = String::from(
        "<table><tr><th scope=\"col\">class</th><th scope=\"col\">precision</th><th scope=\"col\">recall</th>\
         <th scope=\"col\">F1</th><th scope=\"col\">images</th></tr>",
    );
    for (class, score) in classes.iter().zip(found.scores()) {
        let _ = write!(
            table,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(class),
            percent(score.precision),
            percent(score.recall),
            percent(score.f1),
            score.support
        );
    }
    format!("<section><h2>Classes</h2>{}</section>", scrolled("Classes", &(table + "</table>")))
}
