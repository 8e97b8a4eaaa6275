//! What logits say: predictions, accuracy, confusion, the worst mistakes.

use serde::{Deserialize, Serialize};

/// The figures of one epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: usize,
    /// Steps of the run at its end.
    pub step: u64,
    /// Mean loss while training.
    pub loss: f64,
    /// Accuracy while training.
    pub accuracy: f64,
    /// Loss on the test set.
    pub test_loss: f64,
    /// Accuracy on the test set.
    pub test_accuracy: f64,
    /// Learning rate of the last step.
    pub lr: f64,
    /// Seconds since the run began, in all its sessions.
    pub seconds: f64,
}

/// How a network did on a dataset.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Mean cross-entropy.
    pub loss: f64,
    /// `confusion[label][prediction]` counts images.
    pub confusion: Vec<Vec<usize>>,
    /// Images whose class was among the five most probable.
    pub among_five: usize,
    /// The wrong predictions with the largest loss, worst first.
    pub mistakes: Vec<Mistake>,
    /// Images in which dark and bright have changed places, because all training images had a dark ground; see
    /// [`crate::data::Invert`].
    pub inverted: usize,
}

/// A wrong prediction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mistake {
    /// Where the image is in the dataset.
    pub index: usize,
    /// What it is.
    pub label: usize,
    /// What the network says.
    pub prediction: usize,
    /// The probability that the network gives to what it is, and to what it says.
    pub probabilities: [f32; 2],
}

/// Mistakes that are remembered.
const MISTAKES: usize = 24;

/// How a class did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassScore {
    /// The share of the images predicted to be of this class that are of it; from 0 to 1.
    pub precision: f64,
    /// The share of the images of this class that were predicted to be; from 0 to 1.
    pub recall: f64,
    /// The harmonic mean of both.
    pub f1: f64,
    /// Its images.
    pub support: usize,
}

impl Evaluation {
    pub(crate) fn new(classes: usize) -> Self {
        let confusion = vec![vec![0; classes]; classes];
        Evaluation { loss: 0.0, confusion, among_five: 0, mistakes: Vec::new(), inverted: 0 }
    }

    pub(crate) fn add(&mut self, logits: &[f32], labels: &[usize], indices: &[usize]) {
        let classes = self.confusion.len();
        for ((row, label), index) in logits.chunks_exact(classes).zip(labels).zip(indices) {
            let (prediction, scores) = (best(row).unwrap_or(0), log_softmax(row));
            self.confusion[*label][prediction] += 1;
            self.loss -= f64::from(scores[*label]);
            let better = row.iter().enumerate().filter(|(i, x)| **x > row[*label] || **x == row[*label] && i < label);
            self.among_five += usize::from(better.count() < 5 && !row.iter().any(|x| x.is_nan()));
            if prediction != *label {
                let probabilities = [scores[*label], scores[prediction]].map(f32::exp);
                self.mistakes.push(Mistake { index: *index, label: *label, prediction, probabilities });
            }
        }
        self.mistakes.sort_by(|a, b| a.probabilities[0].total_cmp(&b.probabilities[0]).then(a.index.cmp(&b.index)));
        self.mistakes.truncate(MISTAKES);
    }

    /// Turns the sum of losses into their mean.
    pub(crate) fn finish(mut self) -> Self {
        self.loss /= self.total().max(1) as f64;
        self
    }

    /// Number of images.
    pub fn total(&self) -> usize {
        self.confusion.iter().flatten().sum()
    }

    /// Number of images whose class was found.
    pub fn correct(&self) -> usize {
        (0..self.confusion.len()).map(|class| self.confusion[class][class]).sum()
    }

    /// Share of images whose class was found.
    pub fn accuracy(&self) -> f64 {
        self.correct() as f64 / self.total().max(1) as f64
    }

    /// Share of images whose class was among the five most probable.
    pub fn top5(&self) -> f64 {
        self.among_five as f64 / self.total().max(1) as f64
    }

    /// For each class, the share of its images that was found.
    pub fn recall(&self) -> Vec<f64> {
        self.scores().iter().map(|score| score.recall).collect()
    }

    /// Precision, recall and F1 of each class; 0 where there is nothing to divide by, as scikit-learn has it.
    pub fn scores(&self) -> Vec<ClassScore> {
        let share = |part: usize, whole: usize| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
        let score = |class: usize| {
            let found = self.confusion[class][class];
            let support = self.confusion[class].iter().sum();
            let said = self.confusion.iter().map(|row| row[class]).sum();
            ClassScore {
                precision: share(found, said),
                recall: share(found, support),
                f1: share(2 * found, said + support),
                support,
            }
        };
        (0..self.confusion.len()).map(score).collect()
    }
}

/// What a network says about one image.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The probability of each class.
    pub probabilities: Vec<f32>,
}

impl Prediction {
    /// The softmax of logits.
    pub fn from_logits(logits: &[f32]) -> Self {
        Prediction { probabilities: log_softmax(logits).into_iter().map(f32::exp).collect() }
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

pub(crate) fn count_correct(logits: &[f32], labels: &[usize]) -> usize {
    let classes = logits.len() / labels.len().max(1);
    let rows = logits.chunks_exact(classes.max(1)).zip(labels);
    rows.filter(|(row, label)| best(row) == Some(**label)).count()
}

/// The place of the first of the largest logits. None where one of them is not a number: such an answer says nothing.
pub fn best(logits: &[f32]) -> Option<usize> {
    let mut best = None;
    for (i, x) in logits.iter().enumerate() {
        if x.is_nan() {
            return None;
        }
        if best.is_none_or(|best: usize| *x > logits[best]) {
            best = Some(i);
        }
    }
    best
}

fn log_softmax(row: &[f32]) -> Vec<f32> {
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = row.iter().map(|x| (x - max).exp()).sum();
    row.iter().map(|x| x - max - sum.ln()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confusion_counts_labels_by_prediction() {
        let mut evaluation = Evaluation::new(2);
        evaluation.add(&[2.0, 1.0, 0.0, 3.0, 5.0, 1.0], &[0, 1, 1], &[7, 8, 9]);
        let evaluation = evaluation.finish();
        assert_eq!(evaluation.confusion, [[1, 0], [1, 1]]);
        assert_eq!((evaluation.correct(), evaluation.total()), (2, 3));
        assert_eq!(evaluation.recall(), [1.0, 0.5]);
        let expected = (1.0_f64.exp().recip().ln_1p() + 3.0_f64.exp().recip().ln_1p() + 4.0_f64.exp().ln_1p()) / 3.0;
        assert!((evaluation.loss - expected).abs() < 1e-6);
        let [mistake] = evaluation.mistakes[..] else { panic!("one mistake") };
        assert_eq!((mistake.index, mistake.label, mistake.prediction), (9, 1, 0));
        assert!((mistake.probabilities[1] - 0.982).abs() < 1e-3);
    }

    #[test]
    fn scores_are_those_of_scikit_learn() {
        // sklearn.metrics.precision_recall_fscore_support([0,0,1,1,1,2,2,3], [0,1,1,1,2,2,0,0], zero_division=0)
        let mut evaluation = Evaluation::new(4);
        let (labels, said) = ([0, 0, 1, 1, 1, 2, 2, 3], [0, 1, 1, 1, 2, 2, 0, 0]);
        let logits: Vec<f32> = said.iter().flat_map(|p| (0..4).map(move |c| f32::from(u8::from(c == *p)))).collect();
        evaluation.add(&logits, &labels, &[0; 8]);
        let expected =
            [(1.0 / 3.0, 0.5, 0.4, 2), (2.0 / 3.0, 2.0 / 3.0, 2.0 / 3.0, 3), (0.5, 0.5, 0.5, 2), (0.0, 0.0, 0.0, 1)];
        for (score, (precision, recall, f1, support)) in evaluation.scores().into_iter().zip(expected) {
            assert!((score.precision - precision).abs() < 1e-12 && (score.recall - recall).abs() < 1e-12);
            assert!((score.f1 - f1).abs() < 1e-12);
            assert_eq!(score.support, support);
        }
    }

    #[test]
    fn the_five_best_are_counted_as_a_sort_would() {
        let mut evaluation = Evaluation::new(7);
        let row = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 5.0];
        for label in 0..7 {
            evaluation.add(&row, &[label], &[label]);
        }
        assert_eq!(evaluation.among_five, 5);
    }

    #[test]
    fn what_is_not_a_number_is_never_the_best() {
        const NAN: f32 = f32::NAN;
        assert_eq!(
            (best(&[1.0, 3.0, 3.0]), best(&[NAN, 1.0]), best(&[2.0, NAN]), best(&[])),
            (Some(1), None, None, None)
        );
        assert_eq!(Prediction::from_logits(&[NAN, 1.0, 2.0]).top(3), []);
        let partly = Prediction { probabilities: vec![NAN, 0.25, -NAN, 0.75] };
        assert_eq!(partly.top(9), [(3, 0.75), (1, 0.25)]);
        let mut evaluation = Evaluation::new(2);
        evaluation.add(&[NAN, NAN, 1.0, NAN, 1.0, 0.0], &[0, 0, 0], &[0, 1, 2]);
        assert_eq!((evaluation.among_five, evaluation.loss.is_nan()), (1, true));
        assert_eq!(count_correct(&[NAN, NAN, 1.0, NAN, 1.0, 0.0], &[0, 0, 0]), 1);
    }

    #[test]
    fn top_is_sorted_and_sums_to_one() {
        let prediction = Prediction::from_logits(&[1.0, 1000.0, -1000.0, 999.0]);
        let top = prediction.top(2);
        assert_eq!((top[0].0, top[1].0), (1, 3));
        assert!((prediction.probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-6);
    }
}
