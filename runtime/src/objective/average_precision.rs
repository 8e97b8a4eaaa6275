//! The average precision of a ranking.

/// The area under the curve of precision by recall, in steps, as scikit-learn's `average_precision_score` and torchmetrics have it: images with one score
/// are taken together. None, if nothing is positive or a score is not a number.
pub(super) fn average_precision(mut ranked: Vec<(f64, bool)>) -> Option<f64> {
    let positives = ranked.iter().filter(|(_, positive)| *positive).count();
    if positives == 0 || ranked.iter().any(|(score, _)| score.is_nan()) {
        return None;
    }
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut found, mut seen, mut area) = (0, 0, 0.0);
    for equal in ranked.chunk_by(|a, b| a.0 == b.0) {
        let new = equal.iter().filter(|(_, positive)| *positive).count();
        seen += equal.len();
        found += new;
        area += new as f64 / positives as f64 * (found as f64 / seen as f64);
    }
    Some(area)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_scikit_learn() {
        let of = |labels: &[u8], scores: &[f64]| {
            average_precision(scores.iter().copied().zip(labels.iter().map(|label| *label == 1)).collect())
        };
        // sklearn.metrics.average_precision_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        assert!((of(&[0, 0, 1, 1], &[0.1, 0.4, 0.35, 0.8]).unwrap() - 0.833_333_333_333_333_3).abs() < 1e-12);
        // ... ([1, 0, 1, 0, 1], [0.5, 0.5, 0.5, 0.2, 0.2])
        assert!((of(&[1, 0, 1, 0, 1], &[0.5, 0.5, 0.5, 0.2, 0.2]).unwrap() - 0.644_444_444_444_444_5).abs() < 1e-12);
        assert_eq!((of(&[0, 0], &[0.1, 0.2]), of(&[1, 0], &[f64::NAN, 0.2])), (None, None));
    }
}
