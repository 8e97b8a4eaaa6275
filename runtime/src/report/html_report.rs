//! `report.html`: one page with everything about a run, that needs nothing beside it: no script, no font, no image from
//! elsewhere. While the run goes on the page renews itself, and what it shows of the images is of the last epochs.

use super::chart::{Curve, chart};
use super::live::{Made, Pace, RENEWED, State};
use super::log::Line;
use super::mistakes::mistakes;
use super::style::{STYLE, escape, scrolled};
use super::ticks::{Unit, short};
use super::{ReportError, environment, failed};
use crate::atomic_file;
use crate::data::Dataset;
use crate::graph::wording::grouped;
use crate::train::{Callback, CallbackError, Epoch, Evaluation, Event, Flow, Run};
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Writes the page of a run: while it goes on, one that a browser keeps loading anew, and at its end.
pub struct HtmlReport {
    path: PathBuf,
    log: PathBuf,
    test: Arc<dyn Dataset>,
    command: Vec<(String, String)>,
    pace: Pace,
    made: Made,
    mistakes_made: Made,
    /// The worst mistakes when they were last drawn.
    mistakes: String,
    /// The page that is left behind if the run ends now; none if it is there already.
    left: Option<String>,
}

impl HtmlReport {
    /// To `report.html` in a folder, from its log; wrong predictions are shown with their images of `test`.
    pub fn new(folder: impl Into<PathBuf>, test: Arc<dyn Dataset>) -> Self {
        let folder = folder.into();
        HtmlReport {
            path: folder.join("report.html"),
            log: folder.join("log.jsonl"),
            test,
            command: environment(),
            pace: Pace::new(0),
            made: Made::default(),
            mistakes_made: Made::default(),
            mistakes: String::new(),
            left: None,
        }
    }

    /// Writes the page of a run that goes on.
    fn go_on(&mut self, run: &Run<'_>) -> Result<(), ReportError> {
        let mut made = self.made;
        made.timed(|| {
            let parts = self.parts(run, run.evaluation)?;
            let all = run.steps * run.config.epochs as u64;
            self.write(&page(run, self.pace.state(run.progress.step, all), &parts))?;
            self.left = Some(page(run, State::Stopped, &parts));
            Ok(())
        })?;
        self.made = made;
        Ok(())
    }

    fn write(&self, page: &str) -> Result<(), ReportError> {
        atomic_file::write(&self.path, page.as_bytes()).map_err(failed(&self.path))
    }

    /// All of the page below its head.
    fn parts(&self, run: &Run<'_>, evaluation: Option<&Evaluation>) -> Result<String, ReportError> {
        let steps = Line::read(&self.log).map_err(failed(&self.log))?;
        let parts = [
            facts(run, evaluation),
            curves(&run.progress.history, &steps),
            self.mistakes.clone(),
            evaluation.map_or_else(String::new, |evaluation| {
                matrix(evaluation, run.classes) + &scores(evaluation, run.classes)
            }),
            details("Options", &options(run)),
            details("Where it ran", &self.command),
        ];
        Ok(parts.concat())
    }

    fn draw_mistakes(&mut self, evaluation: &Evaluation, run: &Run<'_>, when: &str) {
        let (test, classes) = (self.test.as_ref(), run.classes);
        self.mistakes = self.mistakes_made.timed(|| mistakes(evaluation, test, classes, when));
    }
}

impl Callback for HtmlReport {
    fn on(&mut self, event: Event<'_>, run: &Run<'_>) -> Result<Flow, CallbackError> {
        match event {
            Event::Start => {
                self.pace = Pace::new(run.progress.step);
                self.go_on(run)?;
            }
            Event::Step(_) if self.made.is_due(Duration::from_secs(RENEWED)) => self.go_on(run)?,
            Event::Epoch(epoch) => {
                if let Some(evaluation) = run.evaluation.filter(|_| self.mistakes_made.is_due(Duration::ZERO)) {
                    self.draw_mistakes(evaluation, run, &format!("After epoch {}", epoch.epoch));
                }
                self.go_on(run)?;
            }
            Event::End(summary) => {
                self.draw_mistakes(&summary.evaluation, run, "At the end");
                let parts = self.parts(run, Some(&summary.evaluation))?;
                self.write(&page(run, State::Finished, &parts))?;
                self.left = None;
            }
            _ => {}
        }
        Ok(Flow::Continue)
    }
}

impl Drop for HtmlReport {
    /// A page that nobody writes any more does not say that the run goes on.
    fn drop(&mut self) {
        if let Some(page) = self.left.take() {
            // The run has ended, with an error of its own as a rule; a page that stays as it was is none beside that.
            let _ = self.write(&page);
        }
    }
}

fn page(run: &Run<'_>, state: State, parts: &str) -> String {
    let name = escape(&run.graph.name);
    let (head, sentence) = (state.head(), state.sentence(SystemTime::now()));
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><title>{name} – a training run</title>{head}<style>{STYLE}</style></head>\
         <body><main><h1>{name}</h1><p class=\"quiet\">{sentence}</p>{parts}</main></body></html>\n"
    )
}

fn percent(x: f64) -> String {
    format!("{:.2} %", x * 100.0)
}

fn facts(run: &Run<'_>, evaluation: Option<&Evaluation>) -> String {
    let last = run.progress.history.last();
    let accuracy = evaluation.map(Evaluation::accuracy).or(last.map(|epoch| epoch.test_accuracy));
    let best = run.progress.history.iter().max_by(|a, b| a.test_accuracy.total_cmp(&b.test_accuracy));
    let mut facts = vec![
        ("test accuracy", accuracy.map_or("–".into(), percent)),
        ("best epoch", best.map_or("–".into(), |epoch| format!("{} ({})", epoch.epoch, percent(epoch.test_accuracy)))),
        ("epochs", format!("{} of {}", run.progress.history.len(), run.config.epochs)),
        ("steps", run.progress.step.to_string()),
        ("time", last.map_or("–".into(), |epoch| format!("{:.0} s", epoch.seconds))),
        ("parameters", grouped(run.graph.param_count() as u64)),
        ("training images", run.train_images.to_string()),
        ("test images", run.test_images.to_string()),
    ];
    if let Some(evaluation) = evaluation.filter(|_| run.classes.len() > 5) {
        facts.insert(1, ("top-5 accuracy", percent(evaluation.top5())));
    }
    let facts: Vec<String> = facts
        .iter()
        .map(|(name, value)| format!("<div><b>{value}</b><span class=\"quiet\">{name}</span></div>"))
        .collect();
    format!("<div class=\"facts\">{}</div>", facts.concat())
}

fn curves(history: &[Epoch], lines: &[Line]) -> String {
    let over = |value: fn(&Epoch) -> f64| history.iter().map(|epoch| [epoch.epoch as f64, value(epoch)]).collect();
    let steps = |value: fn(&Line) -> Option<f64>| {
        lines.iter().filter_map(|line| Some([line.step() as f64, value(line)?])).collect::<Vec<_>>()
    };
    let both = |train: fn(&Epoch) -> f64, test: fn(&Epoch) -> f64| {
        [
            Curve { name: "training", class: "a", points: over(train) },
            Curve { name: "test", class: "b", points: over(test) },
        ]
    };
    let loss = |line: &Line| if let Line::Step { loss, .. } = line { Some(*loss) } else { None };
    let lr = |line: &Line| if let Line::Step { lr, .. } = line { Some(*lr) } else { None };
    let charts = [
        (
            "Loss by epoch",
            chart("Loss by epoch, in training and test", "epoch", &both(|e| e.loss, |e| e.test_loss), Unit::Plain),
        ),
        (
            "Accuracy by epoch",
            chart(
                "Accuracy by epoch, in training and test",
                "epoch",
                &both(|e| e.accuracy, |e| e.test_accuracy),
                Unit::Percent,
            ),
        ),
        (
            "Loss by step",
            chart(
                "Training loss by step",
                "step",
                &[Curve { name: "training", class: "a", points: steps(loss) }],
                Unit::Plain,
            ),
        ),
        (
            "Learning rate",
            chart(
                "Learning rate by step",
                "step",
                &[Curve { name: "learning rate", class: "c", points: steps(lr) }],
                Unit::Plain,
            ),
        ),
    ];
    let section = |(title, chart): &(&str, String)| format!("<section><h2>{title}</h2>{chart}</section>");
    let charts: Vec<String> = charts.iter().map(section).collect();
    let table = epochs(history);
    format!(
        "<div class=\"two\">{}</div><section><details><summary>All epochs as a table</summary>{table}</details></section>",
        charts.concat()
    )
}

fn epochs(history: &[Epoch]) -> String {
    let mut table = String::from(
        "<table><tr><th scope=\"col\">epoch</th><th scope=\"col\">training loss</th>\
         <th scope=\"col\">training accuracy</th><th scope=\"col\">test loss</th><th scope=\"col\">test accuracy</th><th scope=\"col\">learning \
         rate</th><th scope=\"col\">seconds</th></tr>",
    );
    for Epoch { epoch, loss, accuracy, test_loss, test_accuracy, lr, seconds, .. } in history {
        let (accuracy, test_accuracy, lr) = (percent(*accuracy), percent(*test_accuracy), short(*lr));
        let _ = write!(
            table,
            "<tr><th scope=\"row\">{epoch}</th><td>{loss:.4}</td><td>{accuracy}</td><td>{test_loss:.4}</td><td>{test_accuracy}</td>\
             <td>{lr}</td><td>{seconds:.1}</td></tr>"
        );
    }
    scrolled("All epochs", &(table + "</table>"))
}

/// Classes that a matrix has room for.
const MATRIX: usize = 100;

fn matrix(evaluation: &Evaluation, classes: &[String]) -> String {
    if classes.len() > MATRIX {
        return confused(evaluation, classes);
    }
    let mut table = String::from("<table class=\"matrix\"><tr><td></td>");
    for class in classes {
        let _ = write!(table, "<th scope=\"col\">{}</th>", escape(class));
    }
    table += "</tr>";
    for (i, (class, row)) in classes.iter().zip(&evaluation.confusion).enumerate() {
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
fn confused(evaluation: &Evaluation, classes: &[String]) -> String {
    let pairs = evaluation
        .confusion
        .iter()
        .enumerate()
        .flat_map(|(i, row)| row.iter().enumerate().map(move |(j, n)| (*n, i, j)));
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

fn scores(evaluation: &Evaluation, classes: &[String]) -> String {
    let mut table = String::from(
        "<table><tr><th scope=\"col\">class</th><th scope=\"col\">precision</th><th scope=\"col\">recall</th>\
         <th scope=\"col\">F1</th><th scope=\"col\">images</th></tr>",
    );
    for (class, score) in classes.iter().zip(evaluation.scores()) {
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

fn options(run: &Run<'_>) -> Vec<(String, String)> {
    let value = serde_json::to_value(run.config).unwrap_or_default();
    let options = crate::train::OPTIONS.iter().filter(|option| !value[option.key].is_null());
    options.map(|option| (option.key.to_string(), value[option.key].to_string().replace('"', ""))).collect()
}

fn details(title: &str, pairs: &[(String, String)]) -> String {
    let row = |(name, value): &(String, String)| {
        format!("<tr><th scope=\"row\">{}</th><td class=\"text\">{}</td></tr>", escape(name), escape(value))
    };
    let rows: Vec<String> = pairs.iter().map(row).collect();
    format!("<section><details><summary>{title}</summary><table>{}</table></details></section>", rows.concat())
}
