//! How the learning rate changes over a run.
//!
//! A schedule is a function of the step, so a resumed run needs nothing but its number; the one exception is `plateau`,
//! whose factor belongs to the state of the run.

use super::config_error::ConfigError;
use crate::wording::{meaning, word_of};
use std::f64::consts::PI;
use std::fmt;
use std::str::FromStr;

/// How the learning rate changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Schedule {
    /// Not at all.
    Constant,
    /// Along half a cosine down to zero (Loshchilov and Hutter, 2016).
    #[default]
    Cosine,
    /// By a factor after every so many epochs; a third of the run if not said otherwise.
    Step,
    /// Up along a cosine over 30 % of the run from a 25th of the learning rate, then down to nearly nothing (Smith and
    /// Topin, 2017), with PyTorch's defaults.
    OneCycle,
    /// By a factor whenever the loss on the held-out images has not improved for some epochs.
    Plateau,
}

impl Schedule {
    pub(super) const NAMES: [(&str, Schedule); 5] = [
        ("constant", Schedule::Constant),
        ("cosine", Schedule::Cosine),
        ("step", Schedule::Step),
        ("one-cycle", Schedule::OneCycle),
        ("plateau", Schedule::Plateau),
    ];
}

impl FromStr for Schedule {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let names = Schedule::NAMES.map(|(name, _)| name);
        meaning(&Schedule::NAMES, text).ok_or_else(|| ConfigError::word("schedule", text, &names))
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(word_of(&Schedule::NAMES, self))
    }
}

/// A schedule laid out over the steps of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct LearningRateCurve {
    /// Which one.
    pub schedule: Schedule,
    /// The learning rate at its highest.
    pub lr: f64,
    /// Steps before the schedule begins, at the whole learning rate.
    pub begins: u64,
    /// Steps over which it then rises from nothing.
    pub warmup: u64,
    /// Steps of the schedule, those of the warm-up included.
    pub steps: u64,
    /// Steps between two drops of [`Schedule::Step`].
    pub every: u64,
    /// What a drop multiplies by.
    pub factor: f64,
}

/// Share of a one-cycle run in which the learning rate rises, and what the highest is divided by at its start and end.
const RISE: f64 = 0.3;
const START: f64 = 25.0;
const END: f64 = 1e4;

impl LearningRateCurve {
    /// The learning rate of step `step`, counted from 0, `drops` drops of a plateau behind it.
    pub fn lr(&self, step: u64, drops: u32) -> f64 {
        if step < self.begins {
            return self.lr;
        }
        let step = step - self.begins;
        if step < self.warmup {
            return self.lr * (step + 1) as f64 / self.warmup as f64;
        }
        let (step, steps) = (step - self.warmup, self.steps.saturating_sub(self.warmup).max(1));
        let progress = step as f64 / steps as f64;
        self.lr
            * match self.schedule {
                Schedule::Constant => 1.0,
                Schedule::Cosine => 0.5 * (1.0 + (PI * progress).cos()),
                Schedule::Step => self.factor.powi((step / self.every.max(1)).try_into().unwrap_or(i32::MAX)),
                Schedule::OneCycle => {
                    // As in PyTorch, the last step has the lowest rate.
                    let (at, last) = (step as f64, (steps - 1) as f64);
                    let top = (RISE * steps as f64 - 1.0).max(0.0);
                    let between = |from: f64, to: f64, x: f64| to + (from - to) * 0.5 * (1.0 + (PI * x).cos());
                    match at <= top {
                        true => between(1.0 / START, 1.0, if top > 0.0 { at / top } else { 1.0 }),
                        false => between(1.0, 1.0 / (START * END), (at - top) / (last - top).max(1.0)),
                    }
                }
                Schedule::Plateau => self.factor.powi(drops.try_into().unwrap_or(i32::MAX)),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(schedule: Schedule) -> LearningRateCurve {
        LearningRateCurve { schedule, lr: 0.1, begins: 0, warmup: 0, steps: 300, every: 100, factor: 0.1 }
    }

    #[test]
    fn schedules_start_at_the_learning_rate_and_end_low() {
        for (schedule, middle, end) in
            [(Schedule::Constant, 0.1, 0.1), (Schedule::Cosine, 0.05, 0.0), (Schedule::Step, 0.01, 0.001)]
        {
            let curve = curve(schedule);
            assert_eq!(curve.lr(0, 0), 0.1);
            assert!((curve.lr(150, 0) - middle).abs() < 1e-9, "{schedule}");
            assert!((curve.lr(299, 0) - end).abs() < 1e-4, "{schedule}");
        }
        assert!((curve(Schedule::Plateau).lr(7, 2) - 0.001).abs() < 1e-12);
    }

    #[test]
    fn one_cycle_is_that_of_pytorch() {
        // torch.optim.lr_scheduler.OneCycleLR(max_lr = 0.1, total_steps = 10): get_last_lr() before each step.
        let expected = [
            0.004,
            0.052,
            0.1,
            0.095_048_463,
            0.081_174_497,
            0.061_126_064,
            0.038_874_336,
            0.018_825_903,
            0.004_951_937,
        ];
        let curve = LearningRateCurve { steps: 10, ..curve(Schedule::OneCycle) };
        for (step, expected) in expected.into_iter().enumerate() {
            let lr = curve.lr(step as u64, 0);
            assert!((lr - expected).abs() < 1e-6, "step {step}: {lr}, expected {expected}");
        }
        assert!((curve.lr(9, 0) - 4e-7).abs() < 1e-12);
    }

    #[test]
    fn warm_up_rises_to_the_schedules_start() {
        let curve = LearningRateCurve { warmup: 10, ..curve(Schedule::Cosine) };
        assert!((curve.lr(0, 0) - 0.01).abs() < 1e-12);
        assert_eq!(curve.lr(9, 0), 0.1);
        assert_eq!(curve.lr(10, 0), 0.1);
        assert!(curve.lr(11, 0) < 0.1);
    }

    #[test]
    fn names_are_read_back() {
        for (name, schedule) in Schedule::NAMES {
            assert_eq!(name.parse(), Ok(schedule));
            assert_eq!(schedule.to_string(), name);
        }
        assert!("cosinus".parse::<Schedule>().unwrap_err().to_string().contains("one-cycle"));
    }
}
