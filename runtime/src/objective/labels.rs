//! Any number of labels: binary cross-entropy of each by itself.

use super::average_precision::average_precision;
use super::details::{ClassScore, Details, LabelDetails, LabelScore};
use super::{Meter, Metric, Objective};

/// The metrics, main first.
const MEAN_AP: Metric = Metric::share("mean_ap", "mean average precision");
const F1: Metric = Metric::share("f1", "F1");
const ACCURACY: Metric = Metric::share("accuracy", "accuracy");

/// Images that are remembered.
const WORST: usize = 24;

/// An image has a logit and a target of 0 or 1 for each label.
pub(super) struct Labels {
    /// What an image that has the label counts beside one that has not, for each label; empty where both count the same. (PyTorch's `pos_weight`.)
    pub positive: Vec<f64>,
    pub labels: usize,
}

/// The probability of a logit.
pub fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The logarithm of 1 + e^x, without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// The mean over labels, and its gradient.
fn binary_cross_entropy(output: &[f64], target: &[f32], positive: &[f64], gradient: &mut [f64]) -> f64 {
    let mut loss = 0.0;
    let labels = output.len() as f64;
    for (label, (x, slope)) in output.iter().zip(gradient).enumerate() {
        let there = f64::from(target[label]);
        let counts = positive.get(label).copied().unwrap_or(1.0);
        let p = sigmoid(*x);
        loss += counts * there * softplus(-x) + (1.0 - there) * softplus(*x);
        *slope = (counts * there * (p - 1.0) + (1.0 - there) * p) / labels;
    }
    loss / labels
}

impl Objective for Labels {
    fn name(&self) -> &str {
        "multi-label"
    }

    fn loss(&self, output: &[f64], target: &[f32], gradient: &mut [f64]) -> f64 {
        binary_cross_entropy(output, target, &self.positive, gradient)
    }

    fn test_loss(&self, output: &[f64], target: &[f32]) -> [f64; 2] {
        [binary_cross_entropy(output, target, &[], &mut vec![0.0; output.len()]), 1.0]
    }

    fn metrics(&self) -> Vec<Metric> {
        vec![MEAN_AP, F1, ACCURACY]
    }

    fn metric_in_training(&self) -> &'static str {
        ACCURACY.name
    }

    fn score(&self, output: &[f64], target: &[f32]) -> f64 {
        let right = output.iter().zip(target).filter(|(x, there)| !x.is_nan() && (**x >= 0.0) == (**there >= 0.5));
        right.count() as f64 / output.len().max(1) as f64
    }

    fn meter(&self) -> Box<dyn Meter + '_> {
        Box::new(Ranking {
            rows: vec![Vec::new(); self.labels],
            right: 0.0,
            images: 0,
            worst: Vec::new(),
            objective: self,
        })
    }
}

struct Ranking<'a> {
    objective: &'a Labels,
    /// For each label the logit of each image, and whether it is there.
    rows: Vec<Vec<(f64, bool)>>,
    right: f64,
    images: usize,
    worst: Vec<(f64, usize, Vec<f32>)>,
}

impl Ranking<'_> {
    fn keep_worst(&mut self) {
        self.worst.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        self.worst.truncate(WORST);
    }
}

impl Meter for Ranking<'_> {
    fn add(&mut self, index: usize, output: &[f64], target: &[f32], loss: f64) {
        for ((row, x), there) in self.rows.iter_mut().zip(output).zip(target) {
            row.push((*x, *there >= 0.5));
        }
        self.right += self.objective.score(output, target);
        self.images += 1;
        self.worst.push((loss, index, output.iter().map(|x| sigmoid(*x) as f32).collect()));
        if self.worst.len() > 2 * WORST {
            self.keep_worst();
        }
    }

    fn finish(mut self: Box<Self>) -> (Vec<(Metric, f64)>, Details) {
        self.keep_worst();
        let accuracy = self.right / self.images.max(1) as f64;
        let score = |row: Vec<(f64, bool)>| {
            let count =
                |wanted: fn(bool, bool) -> bool| row.iter().filter(|(x, there)| wanted(*x >= 0.0, *there)).count();
            let at_half = ClassScore::of(count(|a, b| a && b), count(|a, _| a), count(|_, b| b));
            LabelScore { at_half, average_precision: average_precision(row) }
        };
        let scores: Vec<LabelScore> = self.rows.into_iter().map(score).collect();
        let precisions: Vec<f64> = scores.iter().filter_map(|score| score.average_precision).collect();
        let mut metrics = Vec::new();
        if !precisions.is_empty() {
            metrics.push((MEAN_AP, precisions.iter().sum::<f64>() / precisions.len() as f64));
        }
        let f1 = scores.iter().map(|score| score.at_half.f1).sum::<f64>() / scores.len().max(1) as f64;
        metrics.extend([(F1, f1), (ACCURACY, accuracy)]);
        let worst = self.worst.into_iter().map(|(_, index, probabilities)| (index, probabilities)).collect();
        (metrics, Details::Labels(LabelDetails { scores, worst }))
    }
}
