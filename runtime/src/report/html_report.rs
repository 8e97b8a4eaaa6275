//! `report.html`: one page with everything about a run, that needs nothing beside it: no script, no font, no image from
//! elsewhere. While the run goes on the page renews itself, and what it shows of the images is of the last epochs.

use super::chart::{Curve, chart};
use super::examples::{examples, tables};
use super::live::{Made, Pace, RENEWED, State};
use super::log::Line;
use super::pictures::Shown;
use super::style::{STYLE, escape, scrolled};
use super::ticks::Unit;
use super::{ReportError, environment, failed};
use crate::atomic_file;
use crate::data::Dataset;
use crate::graph::wording::grouped;
use crate::objective::{Evaluation, Metric, MetricUnit};
use crate::train::{Callback, CallbackError, Epoch, Event, Flow, Run};
use crate::wording::short;
use std::cmp::Ordering;
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
    examples_made: Made,
    /// Images with what the network said of them when they were last drawn.
    examples: String,
    /// The page that is left behind if the run ends now; none if it is there already.
    left: Option<String>,
}

impl HtmlReport {
    /// To `report.html` in a folder, from its log; what the network says of images of `test` is shown with them.
    pub fn new(folder: impl Into<PathBuf>, test: Arc<dyn Dataset>) -> Self {
        let folder = folder.into();
        HtmlReport {
            path: folder.join("report.html"),
            log: folder.join("log.jsonl"),
            test,
            command: environment(),
            pace: Pace::new(0),
            made: Made::default(),
            examples_made: Made::default(),
            examples: String::new(),
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
            curves(run, &steps),
            self.examples.clone(),
            evaluation.map_or_else(String::new, |evaluation| tables(evaluation, run.classes)),
            details("Options", &options(run)),
            details("Where it ran", &self.command),
        ];
        Ok(parts.concat())
    }

    fn draw_examples(&mut self, evaluation: &Evaluation, run: &Run<'_>, when: &str) {
        let shown = Shown { test: self.test.as_ref(), classes: run.classes, preparation: run.preparation, when };
        self.examples = self.examples_made.timed(|| examples(evaluation, &shown));
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
                if let Some(evaluation) = run.evaluation.filter(|_| self.examples_made.is_due(Duration::ZERO)) {
                    self.draw_examples(evaluation, run, &format!("After epoch {}", epoch.epoch));
                }
                self.go_on(run)?;
            }
            Event::End(summary) => {
                self.draw_examples(&summary.evaluation, run, "At the end");
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

fn facts(run: &Run<'_>, evaluation: Option<&Evaluation>) -> String {
    let history = &run.progress.history;
    let (last, metrics) = (history.last(), run.objective.metrics());
    let tested = |metric: &Metric| {
        let measured =
            evaluation.map(|evaluation| evaluation.metric(metric.name)).or(last.map(|epoch| epoch.tested(metric)));
        measured.filter(|value| !value.is_nan()).map_or("–".into(), |value| metric.text(value))
    };
    let mut facts: Vec<(String, String)> = Vec::new();
    facts.extend(metrics.iter().map(|metric| (format!("test {}", metric.title), tested(metric))));
    if let Some(main) = metrics.first() {
        let better = |a: &&Epoch, b: &&Epoch| {
            if main.is_better(b.tested(main), a.tested(main)) { Ordering::Less } else { Ordering::Greater }
        };
        let best = history.iter().filter(|epoch| !epoch.tested(main).is_nan()).max_by(better);
        let text = best.map_or("–".into(), |epoch| format!("{} ({})", epoch.epoch, main.text(epoch.tested(main))));
        facts.insert(1, ("best epoch".into(), text));
    }
    let others = [
        ("epochs", format!("{} of {}", history.len(), run.config.epochs)),
        ("steps", run.progress.step.to_string()),
        ("time", last.map_or("–".into(), |epoch| format!("{:.0} s", epoch.seconds))),
        ("parameters", grouped(run.graph.param_count() as u64)),
        ("training images", run.train_images.to_string()),
        ("test images", run.test_images.to_string()),
    ];
    facts.extend(others.map(|(name, value)| (name.to_string(), value)));
    let facts: Vec<String> = facts
        .iter()
        .map(|(name, value)| format!("<div><b>{value}</b><span class=\"quiet\">{name}</span></div>"))
        .collect();
    format!("<div class=\"facts\">{}</div>", facts.concat())
}

/// A value of an epoch.
type Of<'a> = &'a dyn Fn(&Epoch) -> f64;

fn curves(run: &Run<'_>, lines: &[Line]) -> String {
    let history = &run.progress.history;
    let over = |value: Of<'_>| history.iter().map(|epoch| [epoch.epoch as f64, value(epoch)]).collect();
    let of_training = |value: Of<'_>| Curve { name: "training", class: "a", points: over(value) };
    let of_test = |value: Of<'_>| Curve { name: "test", class: "b", points: over(value) };
    let steps = |value: fn(&Line) -> Option<f64>| {
        lines.iter().filter_map(|line| Some([line.step() as f64, value(line)?])).collect::<Vec<_>>()
    };
    let by_epoch = |title: &str, curves: &[Curve<'_>], unit: Unit| {
        let title = format!("{title} by epoch");
        let drawn = chart(&format!("{title}, in training and test"), "epoch", curves, unit);
        (title, drawn)
    };
    let mut charts = vec![by_epoch("Loss", &[of_training(&|e| e.loss), of_test(&|e| e.test_loss)], Unit::Plain)];
    let (metrics, trained) = (run.objective.metrics(), run.objective.metric_in_training());
    for (place, metric) in metrics.iter().enumerate().filter(|(place, metric)| *place == 0 || metric.name == trained) {
        let unit = if metric.unit == MetricUnit::Share { Unit::Percent } else { Unit::Plain };
        let tested: Of<'_> = &|epoch| epoch.tested(metric);
        let both = metric.name == trained || place > 0;
        let curves =
            if both { vec![of_training(&|e| e.metric(trained)), of_test(tested)] } else { vec![of_test(tested)] };
        charts.push(by_epoch(&capitalised(metric.title), &curves, unit));
    }
    let loss = |line: &Line| if let Line::Step { loss, .. } = line { Some(*loss) } else { None };
    let lr = |line: &Line| if let Line::Step { lr, .. } = line { Some(*lr) } else { None };
    let by_step =
        |title: &str, name: &str, curve: Curve<'_>| (title.to_string(), chart(name, "step", &[curve], Unit::Plain));
    charts.push(by_step(
        "Loss by step",
        "Training loss by step",
        Curve { name: "training", class: "a", points: steps(loss) },
    ));
    charts.push(by_step(
        "Learning rate",
        "Learning rate by step",
        Curve { name: "learning rate", class: "c", points: steps(lr) },
    ));
    let section = |(title, chart): &(String, String)| format!("<section><h2>{title}</h2>{chart}</section>");
    let charts: Vec<String> = charts.iter().map(section).collect();
    let table = epochs(history, &metrics, trained);
    format!(
        "<div class=\"two\">{}</div><section><details><summary>All epochs as a table</summary>{table}</details></section>",
        charts.concat()
    )
}

/// A title that begins a heading.
fn capitalised(title: &str) -> String {
    let mut letters = title.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn epochs(history: &[Epoch], metrics: &[Metric], trained: &str) -> String {
    let in_training = metrics.iter().find(|metric| metric.name == trained);
    let heads = ["epoch".to_string(), "training loss".to_string()].into_iter();
    let heads = heads.chain(in_training.map(|metric| format!("training {}", metric.title))).chain(["test loss".into()]);
    let heads = heads.chain(metrics.iter().map(|metric| format!("test {}", metric.title)));
    let heads = heads.chain(["learning rate".into(), "seconds".into()]);
    let heads: Vec<String> = heads.map(|head| format!("<th scope=\"col\">{head}</th>")).collect();
    let mut table = format!("<table><tr>{}</tr>", heads.concat());
    for epoch in history {
        let value = |metric: &Metric, value: f64| if value.is_nan() { "–".into() } else { metric.text(value) };
        let cells = [format!("{:.4}", epoch.loss)].into_iter();
        let cells = cells.chain(in_training.map(|metric| value(metric, epoch.metric(trained))));
        let cells = cells.chain([format!("{:.4}", epoch.test_loss)]);
        let cells = cells.chain(metrics.iter().map(|metric| value(metric, epoch.tested(metric))));
        let cells = cells.chain([short(epoch.lr), format!("{:.1}", epoch.seconds)]);
        let cells: Vec<String> = cells.map(|cell| format!("<td>{cell}</td>")).collect();
        let _ = write!(table, "<tr><th scope=\"row\">{}</th>{}</tr>", epoch.epoch, cells.concat());
    }
    scrolled("All epochs", &(table + "</table>"))
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
