//! What a network is measured by.

use crate::wording::short;

/// A figure that says how good a network is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// In logs and options: `mean_iou`.
    pub name: &'static str,
    /// In a sentence: `mean IoU`.
    pub title: &'static str,
    /// How it is written.
    pub unit: MetricUnit,
    /// Whether more is better.
    pub higher_is_better: bool,
}

/// How a metric is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricUnit {
    /// From 0 to 1, written as a percentage.
    Share,
    /// As it is.
    Plain,
    /// In decibels.
    Decibel,
}

impl Metric {
    /// A share, from 0 to 1, of which more is better.
    pub const fn share(name: &'static str, title: &'static str) -> Self {
        Metric { name, title, unit: MetricUnit::Share, higher_is_better: true }
    }

    /// A number of which less is better, such as an error.
    pub const fn lower(name: &'static str, title: &'static str) -> Self {
        Metric { name, title, unit: MetricUnit::Plain, higher_is_better: false }
    }

    /// A number of which more is better.
    pub const fn higher(name: &'static str, title: &'static str) -> Self {
        Metric { name, title, unit: MetricUnit::Plain, higher_is_better: true }
    }

    /// Whether one value is better than another.
    pub fn is_better(&self, one: f64, other: f64) -> bool {
        if self.higher_is_better { one > other } else { one < other }
    }

    /// A value as text: `97.31 %`, `0.1234`, `24.10 dB`.
    pub fn text(&self, value: f64) -> String {
        match self.unit {
            MetricUnit::Share => format!("{:.2} %", value * 100.0),
            MetricUnit::Plain => short(value),
            MetricUnit::Decibel => format!("{value:.2} dB"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_with_the_digits_that_count() {
        let error = Metric::lower("mae", "mean absolute error");
        let texts = [0.0, 0.5, 1.23456, 34.567, 1234.567, 0.00123].map(|value| error.text(value));
        assert_eq!(texts, ["0", "0.5", "1.235", "34.57", "1235", "0.00123"]);
        assert_eq!(Metric::share("accuracy", "accuracy").text(0.97314), "97.31 %");
        assert!(error.is_better(1.0, 2.0) && !Metric::higher("r2", "R2").is_better(1.0, 2.0));
    }
}
