//! What a training run shows while it goes on.

use crate::common::say;
use console::Term;
use convnet::train::{Callback, CallbackError, Epoch, Event, Flow, Run, StepInfo};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// A bar over the whole run, on a terminal; and a line for each epoch.
pub struct Progress {
    bar: ProgressBar,
    shown: bool,
    start: Instant,
    /// Steps of the run that were done when this session began.
    before: u64,
    drawn: Option<Instant>,
}

/// Time between two drawings.
const PAUSE: Duration = Duration::from_millis(50);

impl Progress {
    pub fn new() -> Self {
        let shown = std::io::stderr().is_terminal();
        let bar = ProgressBar::new(0);
        if !shown {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        // The template is a constant that is known to be right; a plain bar would do as well.
        bar.set_style(ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar()));
        Progress { bar, shown, start: Instant::now(), before: 0, drawn: None }
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
            accuracy: step.accuracy,
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
            Event::Start => (self.start, self.before) = (Instant::now(), run.progress.step),
            Event::Note(note) => self.bar.suspend(|| say(note))?,
            Event::Step(step) => self.draw(step, run),
            Event::Epoch(done) => {
                let line = line(done, run.config.epochs);
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
    accuracy: f64,
    /// Images in a second.
    rate: f64,
}

/// Cells of the bar, brackets not counted.
const BAR: std::ops::RangeInclusive<usize> = 8..=30;

impl State {
    /// One line of at most `width` columns: what matters least is left out where there is no room for it.
    fn line(&self, width: usize) -> String {
        let [epoch, epochs] = self.epoch;
        let mut parts = vec![format!("epoch {epoch}/{epochs}"), format!("{:3.0} %", (100.0 * self.share).floor())];
        let used = |parts: &[String]| parts.iter().map(String::len).sum::<usize>() + 2 * parts.len().saturating_sub(1);
        let optional = [
            format!("{} left", clock(self.left)),
            format!("loss {:.4}", self.loss),
            format!("accuracy {:.2} %", 100.0 * self.accuracy),
            format!("{:.0} images/s", self.rate),
        ];
        for (i, part) in optional.into_iter().enumerate() {
            // The time that is left says more than a bar, the rest less.
            let bar = if i == 0 { 0 } else { *BAR.start() + 4 };
            if used(&parts) + 2 + part.len() + bar > width {
                break;
            }
            parts.push(part);
        }
        let room = width.saturating_sub(used(&parts) + 4);
        if room >= *BAR.start() {
            let cells = room.min(*BAR.end());
            let full = (self.share.clamp(0.0, 1.0) * cells as f64) as usize;
            let head = if full < cells { ">" } else { "" };
            parts.insert(1, format!("[{:<cells$}]", "=".repeat(full) + head));
        }
        // On less than a handful of columns nothing can be told.
        parts.join("  ").chars().take(width).collect()
    }
}

/// Seconds as `0:05`, `12:34` or `1:02:03`.
fn clock(seconds: f64) -> String {
    let all = seconds.round() as u64;
    let (hours, minutes, seconds) = (all / 3600, all / 60 % 60, all % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// What an epoch has come to; it fits into 80 columns.
fn line(done: &Epoch, epochs: usize) -> String {
    format!(
        "epoch {}/{epochs}  loss {:.4} (test {:.4})  accuracy {:.2} % (test {:.2} %)  after {:.1} s",
        done.epoch,
        done.loss,
        done.test_loss,
        done.accuracy * 100.0,
        done.test_accuracy * 100.0,
        done.seconds
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_never_wraps_and_says_what_there_is_room_for() {
        let state =
            State { epoch: [3, 100], share: 0.024, left: 3725.0, loss: 0.1234, accuracy: 0.9876, rate: 12345.6 };
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
        let at = |share| State { epoch: [1, 2], share, left: 5.0, loss: 1.0, accuracy: 0.5, rate: 1.0 };
        assert!(at(0.5).line(120).contains(&format!("[{}>{}]   50 %  0:05 left", "=".repeat(15), " ".repeat(14))));
        assert!(at(1.0).line(120).contains(&format!("[{}]  100 %", "=".repeat(30))));
    }

    #[test]
    fn times_are_clocks() {
        assert_eq!([0.4, 65.0, 3600.0, 90_061.0].map(clock), ["0:00", "1:05", "1:00:00", "25:01:01"]);
    }
}
