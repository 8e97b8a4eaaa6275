//! What a training run shows while it goes on.

use crate::common::say;
use convnet::train::{Callback, CallbackError, Epoch, Event, Flow, Run};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;

/// A bar on a terminal, and a line for each epoch.
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    pub fn new() -> Self {
        let bar = ProgressBar::new(0);
        if !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        // The template is a constant that is known to be right; a plain bar would do as well.
        let style = ProgressStyle::with_template("{prefix} [{bar:30}] {pos}/{len}  {msg}  {eta} left");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
        Progress { bar }
    }
}

impl Callback for Progress {
    fn on(&mut self, event: Event<'_>, run: &Run<'_>) -> Result<Flow, CallbackError> {
        match event {
            Event::Note(note) => self.bar.suspend(|| say(note))?,
            Event::Step(step) => {
                if step.step == 1 || self.bar.length() != Some(run.steps) {
                    self.bar.reset();
                    self.bar.set_length(run.steps);
                    self.bar.set_prefix(format!("epoch {}/{}", run.progress.epoch, run.config.epochs));
                }
                self.bar.set_position(step.step);
                let rate = self.bar.per_sec() * (run.config.batch * run.config.accumulate) as f64;
                let (loss, accuracy) = (step.mean_loss, step.accuracy * 100.0);
                self.bar.set_message(format!("loss {loss:.4}  accuracy {accuracy:.2} %  {rate:.0} pictures/s"));
            }
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

fn line(done: &Epoch, epochs: usize) -> String {
    format!(
        "epoch {}/{epochs}  loss {:.4}  accuracy {:.2} %  test loss {:.4}  test accuracy {:.2} %  {:.1} s",
        done.epoch,
        done.loss,
        done.accuracy * 100.0,
        done.test_loss,
        done.test_accuracy * 100.0,
        done.seconds
    )
}
