//! One of several classes: cross-entropy of the softmax, or the focal loss.

use super::details::{ClassDetails, Details, Mistake};
use super::evaluation::{best, log_probabilities, log_softmax};
use super::loss::Loss;
use super::{Meter, Metric, Objective};

/// The metrics, main first.
const ACCURACY: Metric = Metric::share("accuracy", "accuracy");
const TOP5: Metric = Metric::share("top5", "top-5 accuracy");

/// Mistakes that are remembered.
const MISTAKES: usize = 24;

/// An image is of one class, or of shares of several where images are mixed.
pub(super) struct Classes {
    pub loss: Loss,
    /// The share of a label that is spread evenly over all classes (Szegedy et al., 2015).
    pub smoothing: f64,
    /// What an image of each class counts; empty where all count the same.
    pub weights: Vec<f64>,
    pub classes: usize,
}

/// The cross-entropy of a softmax with `targets`, which is for each class its share times what it counts, and its gradient in the logits. With `gamma`
/// above 0 the focal loss: each class's part times `(1 - p)^gamma`.
pub(super) fn softmax_loss(logits: &[f64], targets: &[f64], gamma: f64, gradient: &mut [f64]) -> f64 {
    log_softmax(logits, gradient);
    // What is in `gradient` are logarithms of probabilities now.
    let mut loss = 0.0;
    if gamma == 0.0 {
        let total: f64 = targets.iter().sum();
        for (slope, target) in gradient.iter_mut().zip(targets) {
            if *target != 0.0 {
                loss -= target * *slope;
            }
            *slope = total * slope.exp() - target;
        }
        return loss;
    }
    // The loss is a sum of f(log p) over classes, whose derivative in the logits is that of log p: f'(log p) (1 - p).
    let mut total = 0.0;
    let slopes: Vec<f64> = gradient
        .iter()
        .zip(targets)
        .map(|(log_p, target)| {
            let p = log_p.exp();
            let rest = (1.0 - p).max(0.0);
            loss -= if *target == 0.0 { 0.0 } else { target * rest.powf(gamma) * log_p };
            let power = if rest > 0.0 { gamma * rest.powf(gamma - 1.0) * p * log_p } else { 0.0 };
            let slope = if *target == 0.0 { 0.0 } else { target * (power - rest.powf(gamma)) };
            total += slope;
            slope
        })
        .collect();
    for (slope, own) in gradient.iter_mut().zip(slopes) {
        *slope = own - total * slope.exp();
    }
    loss
}

impl Classes {
    fn gamma(&self) -> f64 {
        if let Loss::Focal(gamma) = self.loss { gamma } else { 0.0 }
    }
}

impl Objective for Classes {
    fn name(&self) -> &str {
        "classes"
    }

    fn loss(&self, output: &[f64], target: &[f32], gradient: &mut [f64]) -> f64 {
        let spread = self.smoothing / target.len() as f64;
        let counts = |class: usize| self.weights.get(class).copied().unwrap_or(1.0);
        let smooth =
            |(class, share): (usize, &f32)| counts(class) * ((1.0 - self.smoothing) * f64::from(*share) + spread);
        let targets: Vec<f64> = target.iter().enumerate().map(smooth).collect();
        softmax_loss(output, &targets, self.gamma(), gradient)
    }

    fn weight(&self, target: &[f32]) -> f64 {
        match self.weights.is_empty() {
            true => 1.0,
            false => self.weights.iter().zip(target).map(|(weight, share)| weight * f64::from(*share)).sum(),
        }
    }

    fn softmax_targets(&self, targets: &[f32], mean: f64) -> Option<Vec<f32>> {
        if self.loss != Loss::CrossEntropy {
            return None;
        }
        let mut targets = targets.to_vec();
        if self.smoothing > 0.0 {
            let (keep, spread) = ((1.0 - self.smoothing) as f32, (self.smoothing / self.classes as f64) as f32);
            targets.iter_mut().for_each(|x| *x = keep * *x + spread);
        }
        for row in targets.chunks_exact_mut(self.classes) {
            for (x, weight) in row.iter_mut().zip(&self.weights) {
                *x *= (if mean > 0.0 { weight / mean } else { 0.0 }) as f32;
            }
        }
        Some(targets)
    }

    fn test_loss(&self, output: &[f64], target: &[f32]) -> [f64; 2] {
        if self.loss == Loss::CrossEntropy {
            return [-f64::from(log_probabilities(&singles(output))[label(target)]), 1.0];
        }
        let (mut gradient, targets) = (vec![0.0; output.len()], target.iter().map(|share| f64::from(*share)));
        [softmax_loss(output, &targets.collect::<Vec<_>>(), self.gamma(), &mut gradient), 1.0]
    }

    fn metrics(&self) -> Vec<Metric> {
        if self.classes > 5 { vec![ACCURACY, TOP5] } else { vec![ACCURACY] }
    }

    fn score(&self, output: &[f64], target: &[f32]) -> f64 {
        let label = label(target);
        f64::from(u8::from(best(output).is_some_and(|best| best == label)))
    }

    fn meter(&self) -> Box<dyn Meter + '_> {
        let confusion = vec![vec![0; self.classes]; self.classes];
        Box::new(Confusion(ClassDetails { confusion, among_five: 0, mistakes: Vec::new() }))
    }
}

/// The numbers of an output as the network gave them, in single precision.
fn singles(output: &[f64]) -> Vec<f32> {
    output.iter().map(|x| *x as f32).collect()
}

/// The class of a target: of a mixed one, that with the larger share, and the first of equal ones.
fn label(target: &[f32]) -> usize {
    let shares: Vec<f64> = target.iter().map(|share| f64::from(*share)).collect();
    best(&shares).unwrap_or(0)
}

struct Confusion(ClassDetails);

impl Meter for Confusion {
    fn add(&mut self, index: usize, output: &[f64], target: &[f32], _: f64) {
        let (found, label) = (&mut self.0, label(target));
        let prediction = best(output).unwrap_or(0);
        found.confusion[label][prediction] += 1;
        let better =
            output.iter().enumerate().filter(|(i, x)| **x > output[label] || **x == output[label] && *i < label);
        found.among_five += usize::from(better.count() < 5 && !output.iter().any(|x| x.is_nan()));
        if prediction != label {
            let scores = log_probabilities(&singles(output));
            let probabilities = [scores[label], scores[prediction]].map(f32::exp);
            found.mistakes.push(Mistake { index, label, prediction, probabilities });
            if found.mistakes.len() > 2 * MISTAKES {
                found.keep_worst(MISTAKES);
            }
        }
    }

    fn finish(mut self: Box<Self>) -> (Vec<(Metric, f64)>, Details) {
        self.0.keep_worst(MISTAKES);
        let mut metrics = vec![(ACCURACY, self.0.accuracy())];
        if self.0.confusion.len() > 5 {
            metrics.push((TOP5, self.0.top5()));
        }
        (metrics, Details::Classes(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(classes: usize) -> Classes {
        Classes { loss: Loss::CrossEntropy, smoothing: 0.0, weights: Vec::new(), classes }
    }

    fn measured(objective: &Classes, images: &[(&[f64], usize)]) -> (Vec<(Metric, f64)>, ClassDetails) {
        let mut meter = objective.meter();
        for (index, (output, label)) in images.iter().enumerate() {
            let target: Vec<f32> = (0..objective.classes).map(|class| f32::from(u8::from(class == *label))).collect();
            meter.add(index, output, &target, 0.0);
        }
        match meter.finish() {
            (metrics, Details::Classes(details)) => (metrics, details),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn confusion_counts_labels_by_prediction() {
        let (metrics, details) = measured(&plain(2), &[(&[2.0, 1.0], 0), (&[0.0, 3.0], 1), (&[5.0, 1.0], 1)]);
        assert_eq!(details.confusion, [[1, 0], [1, 1]]);
        assert_eq!((details.correct(), details.total(), details.recall()), (2, 3, vec![1.0, 0.5]));
        assert_eq!(metrics, [(ACCURACY, 2.0 / 3.0)]);
        let [mistake] = details.mistakes[..] else { panic!("one mistake") };
        assert_eq!((mistake.index, mistake.label, mistake.prediction), (2, 1, 0));
        assert!((mistake.probabilities[1] - 0.982).abs() < 1e-3);
    }

    #[test]
    fn the_test_loss_is_the_mean_cross_entropy() {
        let images = [([2.0, 1.0], [1.0, 0.0]), ([0.0, 3.0], [0.0, 1.0]), ([5.0, 1.0], [0.0, 1.0])];
        let sum: f64 = images.iter().map(|(output, target)| plain(2).test_loss(output, target)[0]).sum();
        let expected = (1.0_f64.exp().recip().ln_1p() + 3.0_f64.exp().recip().ln_1p() + 4.0_f64.exp().ln_1p()) / 3.0;
        assert!((sum / 3.0 - expected).abs() < 1e-6);
    }

    #[test]
    fn targets_are_those_of_pytorch() {
        // torch.nn.CrossEntropyLoss(weight = [1, 3], label_smoothing = 0.1) of the logits (0.2, -0.4), (1.0, 0.5) and the
        // labels 0, 1.
        let objective = Classes { smoothing: 0.1, weights: vec![1.0, 3.0], ..plain(2) };
        let labels = [1.0, 0.0, 0.0, 1.0];
        let mean = labels.chunks_exact(2).map(|target| objective.weight(target)).sum::<f64>() / 2.0;
        let targets = objective.softmax_targets(&labels, mean).unwrap();
        let loss = |a: f64, b: f64, row: &[f32]| {
            let sum = (a.exp() + b.exp()).ln();
            -(f64::from(row[0]) * (a - sum) + f64::from(row[1]) * (b - sum))
        };
        let found = (loss(0.2, -0.4, &targets[..2]) + loss(1.0, 0.5, &targets[2..])) / 2.0;
        assert!((found - 0.842_765).abs() < 1e-5, "{found}");
    }

    #[test]
    fn scores_are_those_of_scikit_learn() {
        // sklearn.metrics.precision_recall_fscore_support([0,0,1,1,1,2,2,3], [0,1,1,1,2,2,0,0], zero_division=0)
        let rows: Vec<Vec<f64>> = [0, 1, 1, 1, 2, 2, 0, 0]
            .iter()
            .map(|said| (0..4).map(|class| f64::from(u8::from(class == *said))).collect())
            .collect();
        let images: Vec<(&[f64], usize)> = rows.iter().map(Vec::as_slice).zip([0, 0, 1, 1, 1, 2, 2, 3]).collect();
        let (_, details) = measured(&plain(4), &images);
        let expected =
            [(1.0 / 3.0, 0.5, 0.4, 2), (2.0 / 3.0, 2.0 / 3.0, 2.0 / 3.0, 3), (0.5, 0.5, 0.5, 2), (0.0, 0.0, 0.0, 1)];
        for (score, (precision, recall, f1, support)) in details.scores().into_iter().zip(expected) {
            assert!((score.precision - precision).abs() < 1e-12 && (score.recall - recall).abs() < 1e-12);
            assert!((score.f1 - f1).abs() < 1e-12);
            assert_eq!(score.support, support);
        }
    }

    #[test]
    fn the_five_best_are_counted_as_a_sort_would() {
        let row = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 5.0];
        let images: Vec<(&[f64], usize)> = (0..7).map(|label| (&row[..], label)).collect();
        assert_eq!(measured(&plain(7), &images).1.among_five, 5);
    }

    #[test]
    fn what_is_not_a_number_is_never_right() {
        const NAN: f64 = f64::NAN;
        let (_, details) = measured(&plain(2), &[(&[NAN, NAN], 0), (&[1.0, NAN], 0), (&[1.0, 0.0], 0)]);
        assert_eq!(details.among_five, 1);
        assert_eq!(plain(2).score(&[NAN, 1.0], &[1.0, 0.0]), 0.0);
        assert!(plain(2).test_loss(&[NAN, 1.0], &[1.0, 0.0])[0].is_nan());
    }

    #[test]
    fn the_worst_mistakes_are_kept() {
        let rows: Vec<[f64; 2]> = (0..200).map(|i| [0.0, f64::from(i * 37 % 200) / 100.0]).collect();
        let images: Vec<(&[f64], usize)> = rows.iter().map(|row| (&row[..], 0)).collect();
        let (_, details) = measured(&plain(2), &images);
        assert_eq!(details.mistakes.len(), MISTAKES);
        assert!(details.mistakes.is_sorted_by(|a, b| a.probabilities[0] <= b.probabilities[0]));
        assert_eq!(details.mistakes[0].index, 27);
    }
}
