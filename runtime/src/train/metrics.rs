//! What logits say: predictions, accuracy, confusion.

/// How a network did on a dataset.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Mean cross-entropy.
    pub loss: f64,
    /// `confusion[label][prediction]` counts pictures.
    pub confusion: Vec<Vec<usize>>,
}

impl Evaluation {
    pub(super) fn new(classes: usize) -> Self {
        Evaluation { loss: 0.0, confusion: vec![vec![0; classes]; classes] }
    }

    pub(super) fn add(&mut self, logits: &[f32], labels: &[u8]) {
        let classes = self.confusion.len();
        for (row, label) in logits.chunks_exact(classes).zip(labels) {
            let label = usize::from(*label);
            self.confusion[label][argmax(row)] += 1;
            self.loss -= f64::from(log_softmax(row)[label]);
        }
    }

    /// Turns the sum of losses into their mean.
    pub(super) fn finish(mut self) -> Self {
        self.loss /= self.total().max(1) as f64;
        self
    }

    /// Number of pictures.
    pub fn total(&self) -> usize {
        self.confusion.iter().flatten().sum()
    }

    /// Number of pictures whose class was found.
    pub fn correct(&self) -> usize {
        (0..self.confusion.len()).map(|class| self.confusion[class][class]).sum()
    }

    /// Share of pictures whose class was found.
    pub fn accuracy(&self) -> f64 {
        self.correct() as f64 / self.total().max(1) as f64
    }

    /// For each class, the share of its pictures that was found.
    pub fn recall(&self) -> Vec<f64> {
        let share = |(class, row): (usize, &Vec<usize>)| row[class] as f64 / row.iter().sum::<usize>().max(1) as f64;
        self.confusion.iter().enumerate().map(share).collect()
    }
}

/// What a network says about one picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The probability of each class.
    pub probabilities: Vec<f32>,
}

impl Prediction {
    pub(super) fn from_logits(logits: &[f32]) -> Self {
        Prediction { probabilities: log_softmax(logits).into_iter().map(f32::exp).collect() }
    }

    /// The `k` most probable classes, best first, with their probabilities.
    pub fn top(&self, k: usize) -> Vec<(usize, f32)> {
        let mut order: Vec<(usize, f32)> = self.probabilities.iter().copied().enumerate().collect();
        order.sort_by(|a, b| b.1.total_cmp(&a.1));
        order.truncate(k);
        order
    }
}

pub(super) fn count_correct(logits: &[f32], labels: &[u8]) -> usize {
    let classes = logits.len() / labels.len().max(1);
    let rows = logits.chunks_exact(classes.max(1)).zip(labels);
    rows.filter(|(row, label)| argmax(row) == usize::from(**label)).count()
}

/// The first of the largest.
fn argmax(row: &[f32]) -> usize {
    let mut best = 0;
    for (i, x) in row.iter().enumerate() {
        if *x > row[best] {
            best = i;
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
        evaluation.add(&[2.0, 1.0, 0.0, 3.0, 5.0, 1.0], &[0, 1, 1]);
        let evaluation = evaluation.finish();
        assert_eq!(evaluation.confusion, [[1, 0], [1, 1]]);
        assert_eq!((evaluation.correct(), evaluation.total()), (2, 3));
        assert_eq!(evaluation.recall(), [1.0, 0.5]);
        let expected = (1.0_f64.exp().recip().ln_1p() + 3.0_f64.exp().recip().ln_1p() + 4.0_f64.exp().ln_1p()) / 3.0;
        assert!((evaluation.loss - expected).abs() < 1e-6);
    }

    #[test]
    fn top_is_sorted_and_sums_to_one() {
        let prediction = Prediction::from_logits(&[1.0, 1000.0, -1000.0, 999.0]);
        let top = prediction.top(2);
        assert_eq!((top[0].0, top[1].0), (1, 3));
        assert!((prediction.probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-6);
    }
}
