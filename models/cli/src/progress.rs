//! What is shown of long work: one line on a terminal that tells how far it is, a run's own where a network is trained.
//!
//! The line appears after a second and goes with the work. A thread draws it, so that it lives on while a step takes long, and
//! telling it where the work is costs next to nothing. Where standard error is no terminal there is neither thread nor line.
//! Where the library only reads images, a dataset that tells is wrapped around theirs; where it computes with them, images are
//! read long before, and it has a callback.

use crate::common::say;
use console::Term;
use convnet::data::{DataError, Dataset, Image, Target, TargetKind};
use convnet::objective::Objective;
use convnet::train::{Callback, CallbackError, Epoch, Event, Flow, Run, StepInfo};
use convnet::wording::clock;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long work takes before there is a line.
const PATIENCE: Duration = Duration::from_secs(1);

/// Time between two drawings.
const PAUSE: Duration = Duration::from_millis(100);

/// A line that tells how far a piece of work is, from its making until it is dropped.
pub struct Bar {
    place: Arc<Place>,
    /// Dropped to end the thread.
    thread: Option<(Sender<()>, JoinHandle<()>)>,
}

/// How far the work is; without a whole it is not known how much there is to do.
#[derive(Default)]
struct Place {
    done: AtomicUsize,
    whole: AtomicUsize,
    /// Once it is there.
    line: Mutex<Option<ProgressBar>>,
}

impl Bar {
    /// For work that is called so: "measuring on the test set".
    pub fn new(what: impl Into<String>) -> Self {
        let shown = std::io::stderr().is_terminal();
        Bar::on(shown.then(ProgressDrawTarget::stderr), what.into(), PATIENCE)
    }

    fn on(target: Option<ProgressDrawTarget>, what: String, patience: Duration) -> Self {
        let (place, (stop, stopped)) = (Arc::new(Place::default()), channel());
        let drawn = place.clone();
        let draw = move |target| {
            let start = Instant::now();
            if stopped.recv_timeout(patience) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let line = plain_line(target);
            drawn.keep(line.clone());
            loop {
                let width = usize::from(Term::stderr().size().1).saturating_sub(1);
                line.set_message(drawn.line(&what, start.elapsed(), width));
                if stopped.recv_timeout(PAUSE) != Err(RecvTimeoutError::Timeout) {
                    return line.finish_and_clear();
                }
            }
        };
        // Work goes on without a line where there is no thread for one.
        let thread = target.and_then(|target| std::thread::Builder::new().spawn(move || draw(target)).ok());
        Bar { place, thread: thread.map(|thread| (stop, thread)) }
    }

    /// Says that so much of the whole is done. What comes late from another thread takes nothing back.
    pub fn at(&self, done: usize, whole: usize) {
        self.place.at(done, whole);
    }

    /// Writes a line to standard error, above the bar.
    pub fn say(&self, text: &str) -> std::io::Result<()> {
        // A thread that has panicked with the lock held has left a line, or none.
        let line = self.place.line.lock().unwrap_or_else(PoisonError::into_inner);
        match line.as_ref() {
            Some(line) => line.suspend(|| say(text)),
            None => say(text),
        }
    }

    /// The same dataset, whose images tell the bar when they are read: how far it is in the dataset, whether all images are read in
    /// their order or every tenth one.
    pub fn watch(&self, data: &Arc<dyn Dataset>) -> Arc<dyn Dataset> {
        Arc::new(Watched { data: data.clone(), place: self.place.clone() })
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.thread.take() {
            drop(stop);
            // What is written next must find the line gone.
            let _ = thread.join();
        }
    }
}

impl Place {
    fn keep(&self, line: ProgressBar) {
        *self.line.lock().unwrap_or_else(PoisonError::into_inner) = Some(line);
    }

    fn at(&self, done: usize, whole: usize) {
        self.whole.store(whole, Ordering::Relaxed);
        self.done.fetch_max(done, Ordering::Relaxed);
    }

    /// One line of at most `width` columns.
    fn line(&self, what: &str, elapsed: Duration, width: usize) -> String {
        let (done, whole) = (self.done.load(Ordering::Relaxed), self.whole.load(Ordering::Relaxed));
        let seconds = elapsed.as_secs_f64();
        let share = done as f64 / whole.max(1) as f64;
        let parts = match done {
            0 => vec![what.to_string(), clock(seconds)],
            _ => vec![
                what.to_string(),
                format!("{:3.0} %", (100.0 * share).floor()),
                format!("{} left", clock(seconds / share * (1.0 - share).max(0.0))),
            ],
        };
        with_cells(parts, (done > 0).then_some(share), width)
    }
}

/// A line of indicatif's that shows its message and nothing else.
fn plain_line(target: ProgressDrawTarget) -> ProgressBar {
    let line = ProgressBar::with_draw_target(None, target);
    // The template is a constant that is known to be right; a plain bar would do as well.
    line.with_style(ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// A dataset that tells which image is being read.
struct Watched {
    data: Arc<dyn Dataset>,
    place: Arc<Place>,
}

impl Dataset for Watched {
    fn len(&self) -> usize {
        self.data.len()
    }

    fn classes(&self) -> &[String] {
        self.data.classes()
    }

    fn label(&self, i: usize) -> usize {
        self.data.label(i)
    }

    fn target_kind(&self) -> TargetKind {
        self.data.target_kind()
    }

    fn target(&self, i: usize) -> Result<Target<'_>, DataError> {
        self.data.target(i)
    }

    fn image(&self, i: usize) -> Result<Image<'_>, DataError> {
        self.place.at(i, self.data.len());
        self.data.image(i)
    }

    fn file(&self, i: usize) -> Option<&Path> {
        self.data.file(i)
    }

    fn in_memory(&self) -> bool {
        self.data.in_memory()
    }
}

/// Cells of a bar, brackets not counted.
const CELLS: std::ops::RangeInclusive<usize> = 8..=30;

/// The parts of a line, with a bar behind the first one where there is a share to show and room for it.
fn with_cells(mut parts: Vec<String>, share: Option<f64>, width: usize) -> String {
    let room = width.saturating_sub(used(&parts) + 4);
    if let Some(share) = share.filter(|_| room >= *CELLS.start()) {
        let cells = room.min(*CELLS.end());
        let full = (share.clamp(0.0, 1.0) * cells as f64) as usize;
        let head = if full < cells { ">" } else { "" };
        parts.insert(1, format!("[{:<cells$}]", "=".repeat(full) + head));
    }
    // On less than a handful of columns nothing can be told.
    parts.join("  ").chars().take(width).collect()
}

/// Columns that parts take with the space between them.
fn used(parts: &[String]) -> usize {
    parts.iter().map(|part| part.chars().count()).sum::<usize>() + 2 * parts.len().saturating_sub(1)
}

/// A bar over the whole run, on a terminal; and a line for each epoch.
pub struct Progress {
    /// While the images are looked at before the first step.
    looking: Option<Bar>,
    bar: ProgressBar,
    shown: bool,
    start: Instant,
    /// Steps of the run that were done when this session began.
    before: u64,
    drawn: Option<Instant>,
}

impl Progress {
    /// With the training set that is to be trained on, so that it is told how far it has been looked at before the first step.
    pub fn new(train: &Arc<dyn Dataset>) -> (Self, Arc<dyn Dataset>) {
        let looking = Bar::new("looking at the training images");
        let train = looking.watch(train);
        let shown = std::io::stderr().is_terminal();
        let bar = plain_line(if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() });
        (Progress { looking: Some(looking), bar, shown, start: Instant::now(), before: 0, drawn: None }, train)
    }

    fn draw(&mut self, step: &StepInfo, run: &Run<'_>) {
        if !self.shown || self.drawn.is_some_and(|drawn| drawn.elapsed() < PAUSE) {
            return;
        }
        self.drawn = Some(Instant::now());
        let (done, all) = (run.progress.step, run.steps * run.config.epochs as u64);
        let seconds = self.start.elapsed().as_secs_f64();
        // Measuring after each epoch is in the time of a step, as it will be in the rest of the run.
        let steps = done.saturating_sub(self.before).max(1) as f64;
        let state = State {
            epoch: [run.progress.epoch, run.config.epochs],
            share: done as f64 / all.max(1) as f64,
            left: seconds / steps * all.saturating_sub(done) as f64,
            loss: step.mean_loss,
            score: score(step, run),
            rate: steps * (run.config.batch * run.config.accumulate) as f64 / seconds.max(1e-9),
        };
        // The width may change at any time, and a line as wide as the terminal wraps on some.
        let width = usize::from(Term::stderr().size().1).saturating_sub(1);
        self.bar.set_message(state.line(width));
    }
}

impl Callback for Progress {
    fn on(&mut self, event: Event<'_>, run: &Run<'_>) -> Result<Flow, CallbackError> {
        match event {
            Event::Start => {
                self.looking = None;
                (self.start, self.before) = (Instant::now(), run.progress.step);
            }
            Event::Note(note) => self.bar.suspend(|| say(note))?,
            Event::Step(step) => self.draw(step, run),
            Event::Epoch(done) => {
                let line = line(done, run.config.epochs, run.objective);
                self.bar.suspend(|| say(&line))?;
            }
            Event::End(_) => self.bar.finish_and_clear(),
            _ => {}
        }
        Ok(Flow::Continue)
    }
}

/// How far a run is.
struct State {
    /// This one, and all.
    epoch: [usize; 2],
    /// The share of the run's steps that are done, from 0 to 1.
    share: f64,
    /// Seconds until the end of the run.
    left: f64,
    loss: f64,
    /// The metric of the epoch so far, with its name.
    score: String,
    /// Images in a second.
    rate: f64,
}

impl State {
    /// One line of at most `width` columns: what matters least is left out where there is no room for it.
    fn line(&self, width: usize) -> String {
        let [epoch, epochs] = self.epoch;
        let mut parts = vec![format!("epoch {epoch}/{epochs}"), format!("{:3.0} %", (100.0 * self.share).floor())];
        let optional = [
            format!("{} left", clock(self.left)),
            format!("loss {:.4}", self.loss),
            self.score.clone(),
            format!("{:.0} images/s", self.rate),
        ];
        for (i, part) in optional.into_iter().enumerate() {
            // The time that is left says more than a bar, the rest less.
            let bar = if i == 0 { 0 } else { *CELLS.start() + 4 };
            if used(&parts) + 2 + part.len() + bar > width {
                break;
            }
            parts.push(part);
        }
        with_cells(parts, Some(self.share), width)
    }
}

/// The metric of the epoch so far that is told in training.
fn score(step: &StepInfo, run: &Run<'_>) -> String {
    let (metrics, told) = (run.objective.metrics(), run.objective.metric_in_training());
    let metric = metrics.iter().find(|metric| metric.name == told);
    metric.map_or_else(String::new, |metric| format!("{} {}", metric.title, metric.text(step.score)))
}

/// What an epoch has come to; it fits into 80 columns.
fn line(done: &Epoch, epochs: usize, objective: &dyn Objective) -> String {
    let metrics = objective.metrics();
    let main = metrics.first().map_or_else(String::new, |metric| {
        let (title, of_training) = (metric.title, done.metric(metric.name));
        let tested = done.metric(&format!("test_{}", metric.name));
        let text = |value: f64| if value.is_nan() { "–".into() } else { metric.text(value) };
        match of_training.is_nan() {
            true => format!("test {title} {}  ", text(tested)),
            false => format!("{title} {} (test {})  ", text(of_training), text(tested)),
        }
    });
    let Epoch { epoch, loss, test_loss, seconds, .. } = done;
    format!("epoch {epoch}/{epochs}  loss {loss:.4} (test {test_loss:.4})  {main}after {seconds:.1} s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_never_wraps_and_says_what_there_is_room_for() {
        let state = State {
            epoch: [3, 100],
            share: 0.024,
            left: 3725.0,
            loss: 0.1234,
            score: "accuracy 98.76 %".into(),
            rate: 12345.6,
        };
        for width in 0..=220 {
            assert!(state.line(width).chars().count() <= width, "{width}: {}", state.line(width));
        }
        assert_eq!(state.line(40), "epoch 3/100    2 %  1:02:05 left");
        assert_eq!(state.line(60), "epoch 3/100  [>          ]    2 %  1:02:05 left  loss 0.1234");
        assert_eq!(
            state.line(200),
            format!(
                "epoch 3/100  [>{}]    2 %  1:02:05 left  loss 0.1234  accuracy 98.76 %  12346 images/s",
                " ".repeat(29)
            )
        );
    }

    #[test]
    fn the_bar_is_that_of_the_run() {
        let at = |share| State { epoch: [1, 2], share, left: 5.0, loss: 1.0, score: String::new(), rate: 1.0 };
        assert!(at(0.5).line(120).contains(&format!("[{}>{}]   50 %  0:05 left", "=".repeat(15), " ".repeat(14))));
        assert!(at(1.0).line(120).contains(&format!("[{}]  100 %", "=".repeat(30))));
    }

    /// A terminal that keeps what is written to it.
    #[derive(Debug, Clone, Default)]
    struct Screen(Arc<std::sync::Mutex<String>>);

    impl indicatif::TermLike for Screen {
        fn width(&self) -> u16 {
            80
        }

        fn move_cursor_up(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }

        fn move_cursor_down(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }

        fn move_cursor_right(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }

        fn write_line(&self, text: &str) -> std::io::Result<()> {
            self.write_str(text)
        }

        fn write_str(&self, text: &str) -> std::io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }

        fn clear_line(&self) -> std::io::Result<()> {
            self.write_str("<cleared>")
        }

        fn flush(&self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_bar_waits_then_tells_and_goes() {
        let screen = Screen::default();
        let written = || screen.0.lock().unwrap().clone();
        let on = |patience| {
            let target = ProgressDrawTarget::term_like(Box::new(screen.clone()));
            Bar::on(Some(target), "reading".into(), Duration::from_millis(patience))
        };
        let short = on(60_000);
        short.at(1, 2);
        drop(short);
        assert_eq!(written(), "");
        let long = on(0);
        while !written().contains("reading  0:00") {
            std::thread::sleep(Duration::from_millis(1));
        }
        long.at(3, 4);
        long.at(2, 4);
        while !written().contains(" 75 %  0:00 left") {
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(long);
        assert!(written().trim_end().ends_with("<cleared>"), "{}", written());
    }

    #[test]
    fn a_bar_says_what_there_is_room_for() {
        let place = Place::default();
        place.at(30, 120);
        let line = |width| place.line("measuring", Duration::from_secs(10), width);
        assert_eq!(line(80), format!("measuring  [=======>{}]   25 %  0:30 left", " ".repeat(22)));
        assert_eq!(line(40), "measuring  [==>      ]   25 %  0:30 left");
        assert_eq!((line(30), line(5)), ("measuring   25 %  0:30 left".into(), "measu".into()));
    }

    #[test]
    fn a_watched_dataset_is_the_same_and_tells_how_far_it_is() {
        let data: Arc<dyn Dataset> = Arc::new(convnet::data::Images {
            shape: [1, 1, 1],
            pixels: (0..10).collect(),
            labels: vec![1; 10],
            classes: vec!["a".into(), "b".into()],
        });
        let bar = Bar::on(None, String::new(), PATIENCE);
        let watched = bar.watch(&data);
        for i in (0..10).step_by(4) {
            assert_eq!(watched.image(i).unwrap(), data.image(i).unwrap());
        }
        assert_eq!((watched.len(), watched.label(3), watched.in_memory()), (10, 1, true));
        assert_eq!((bar.place.done.load(Ordering::Relaxed), bar.place.whole.load(Ordering::Relaxed)), (8, 10));
    }
}
