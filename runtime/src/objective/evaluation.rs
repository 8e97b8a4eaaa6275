//! How a network did on a dataset, and what it says about one image.

use super::details::{ClassDetails, Details};
use super::{Meter, Metric};

/// How a network did on a dataset.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Evaluation {
    /// The mean loss, without what is for learning only (weights of classes, smoothing of labels).
    pub loss: f64,
    /// Number of images.
    pub images: usize,
    /// The metrics, the main one first; without those that are not defined for these images.
    pub metrics: Vec<(Metric, f64)>,
    /// What a report can show.
    pub details: Details,
    /// Images in which dark and bright have changed places, because all training images had a dark ground; see
    /// [`crate::data::Invert`].
    pub inverted: usize,
}

impl Evaluation {
    pub(crate) fn new(loss: f64, images: usize, (metrics, details): (Vec<(Metric, f64)>, Details)) -> Self {
        Evaluation { loss, images, metrics, details, inverted: 0 }
    }

    /// The metric of this name; not a number, if there is none.
    pub fn metric(&self, name: &str) -> f64 {
        self.metrics.iter().find(|(metric, _)| metric.name == name).map_or(f64::NAN, |(_, value)| *value)
    }

    /// The share of images whose class was found; not a number, if the task is another one.
    pub fn accuracy(&self) -> f64 {
        self.metric("accuracy")
    }

    /// What there is of classes, if these are the task.
    pub fn classes(&self) -> Option<&ClassDetails> {
        match &self.details {
            Details::Classes(classes) => Some(classes),
            _ => None,
        }
    }
}

/// What a network says about one image that is of one class.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The probability of each class.
    pub probabilities: Vec<f32>,
}

impl Prediction {
    /// The softmax of logits.
    pub fn from_logits(logits: &[f32]) -> Self {
        Prediction { probabilities: log_probabilities(logits).into_iter().map(f32::exp).collect() }
    }

    /// The `k` most probable classes, best first, with their probabilities. One whose probability is not a number is not among them, so
    /// there are none if the network gives values that are not numbers.
    pub fn top(&self, k: usize) -> Vec<(usize, f32)> {
        let numbers = self.probabilities.iter().copied().enumerate().filter(|(_, p)| !p.is_nan());
        let mut order: Vec<(usize, f32)> = numbers.collect();
        order.sort_by(|a, b| b.1.total_cmp(&a.1));
        order.truncate(k);
        order
    }
}

/// The place of the first of the largest numbers. None where one of them is not a number: such an answer says nothing.
pub fn best<T: PartialOrd + Copy>(numbers: &[T]) -> Option<usize> {
    let mut best = None;
    for (i, x) in numbers.iter().enumerate() {
        // What is not a number has no order, even with itself.
        x.partial_cmp(x)?;
        if best.is_none_or(|best: usize| *x > numbers[best]) {
            best = Some(i);
        }
    }
    best
}

/// The logarithms of the softmax of `logits`.
pub(super) fn log_softmax(logits: &[f64], to: &mut [f64]) {
    let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logits.iter().map(|x| (x - max).exp()).sum();
    let log_sum = max + sum.ln();
    to.iter_mut().zip(logits).for_each(|(to, x)| *to = x - log_sum);
}

/// The logarithms of the softmax of `logits` in single precision, as a network's answers have been measured since version 0.1.
pub(super) fn log_probabilities(logits: &[f32]) -> Vec<f32> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.iter().map(|x| (x - max).exp()).sum();
    logits.iter().map(|x| x - max - sum.ln()).collect()
}

/// The mean of a score over images.
pub(super) struct Mean<F> {
    metrics: Vec<Metric>,
    score: F,
    sum: f64,
    images: usize,
}

impl<F: Fn(&[f64], &[f32]) -> f64> Mean<F> {
    pub fn new(metrics: Vec<Metric>, score: F) -> Self {
        Mean { metrics, score, sum: 0.0, images: 0 }
    }
}

impl<F: Fn(&[f64], &[f32]) -> f64> Meter for Mean<F> {
    fn add(&mut self, _: usize, output: &[f64], target: &[f32], _: f64) {
        self.sum += (self.score)(output, target);
        self.images += 1;
    }

    fn finish(self: Box<Self>) -> (Vec<(Metric, f64)>, Details) {
        let mean = self.sum / self.images.max(1) as f64;
        (self.metrics.into_iter().take(1).map(|metric| (metric, mean)).collect(), Details::Nothing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_number_is_never_the_best() {
        const NAN: f32 = f32::NAN;
        assert_eq!(
            (best(&[1.0, 3.0, 3.0]), best(&[NAN, 1.0]), best(&[2.0, NAN]), best::<f32>(&[])),
            (Some(1), None, None, None)
        );
        assert_eq!(Prediction::from_logits(&[NAN, 1.0, 2.0]).top(3), []);
        let partly = Prediction { probabilities: vec![NAN, 0.25, -NAN, 0.75] };
        assert_eq!(partly.top(9), [(3, 0.75), (1, 0.25)]);
    }

    #[test]
    fn top_is_sorted_and_sums_to_one() {
        let prediction = Prediction::from_logits(&[1.0, 1000.0, -1000.0, 999.0]);
        let top = prediction.top(2);
        assert_eq!((top[0].0, top[1].0), (1, 3));
        assert!((prediction.probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-6);
    }
}
