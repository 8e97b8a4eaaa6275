//! Concept activation vectors (Kim et al., 2017, "TCAV"): does a class lean on a concept, and is that more than chance?

use super::cam::gradient_at;
use super::unit::ancestors;
use super::{ExplainError, Inspectable, Progress, Unit, Volume};
use crate::graph::Graph;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// How a concept is tested.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tcav {
    /// Probes of the concept, and as many of chance.
    pub repeats: usize,
    /// Random seed of the draws.
    pub seed: u64,
}

impl Default for Tcav {
    fn default() -> Self {
        Tcav { repeats: 40, seed: 0 }
    }
}

/// What a concept means to a class.
#[derive(Debug, Clone, PartialEq)]
pub struct Tested {
    /// Mean accuracy of the linear probes on images that they did not learn from: can the layer tell the concept at all?
    pub accuracy: f64,
    /// Share of the class's images whose value rises along the concept, for each probe.
    pub scores: Vec<f64>,
    /// The same for probes between two heaps of random images.
    pub chance: Vec<f64>,
    /// The probability of such a difference between both if there were none (Welch's t-test, two-sided).
    pub p: f64,
}

impl Tested {
    /// The mean score.
    pub fn score(&self) -> f64 {
        mean(&self.scores)
    }
}

/// Every third image is kept back to judge a probe by.
const HELD_BACK: usize = 3;
/// Images that a probe needs of each side.
const LEAST: usize = 6;

/// Tests how much `unit`, a class as a rule, leans on a concept at a layer. `others` are images of anything; `of_class` are
/// images of the class.
///
/// # Errors
/// When there are too few images, the unit is not computed from the layer, an image is not the network's, or the device
/// fails.
pub fn tcav(
    network: &dyn Inspectable,
    layer: usize,
    unit: Unit,
    [concept, others, of_class]: [&[Volume]; 3],
    options: Tcav,
    progress: Progress<'_>,
) -> Result<Tested, ExplainError> {
    let graph = network.graph();
    leads_to(graph, layer, unit)?;
    let count = concept.len().min(others.len() / 2);
    if count < LEAST || of_class.is_empty() || options.repeats < 2 {
        return Err(ExplainError::TooFew(format!(
            "TCAV needs {LEAST} images of the concept, {} others, one of the class and two repeats; there are {}, {}, {} and {}",
            2 * LEAST,
            concept.len(),
            others.len(),
            of_class.len(),
            options.repeats
        )));
    }
    let steps = concept.len() + others.len() + of_class.len() + 2 * options.repeats;
    let mut done = 0;
    let mut tick = || {
        done += 1;
        progress(done, steps);
    };
    let mut at_layer = |image: &Volume| {
        tick();
        let image = image.of_network(graph)?;
        Ok(network.values(&[(0, &image.values)], &[layer])?.remove(0))
    };
    let concept = concept.iter().map(&mut at_layer).collect::<Result<Vec<_>, ExplainError>>()?;
    let others = others.iter().map(&mut at_layer).collect::<Result<Vec<_>, ExplainError>>()?;
    let mut slopes = Vec::new();
    for image in of_class {
        slopes.push(gradient_at(network, layer, &at_layer(image)?, unit, image)?);
    }
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    let (mut tested, mut accuracies) = (Tested { accuracy: 0.0, scores: vec![], chance: vec![], p: 1.0 }, vec![]);
    let rising = |direction: &[f32]| {
        let up = slopes.iter().filter(|slope| dot(slope, direction) > 0.0).count();
        up as f64 / slopes.len() as f64
    };
    for _ in 0..options.repeats {
        let drawn: Vec<&[f32]> = others.choose_multiple(&mut rng, 2 * count).map(Vec::as_slice).collect();
        let own: Vec<&[f32]> = concept.choose_multiple(&mut rng, count).map(Vec::as_slice).collect();
        let (direction, accuracy) = probe(&own, &drawn[..count]);
        tested.scores.push(rising(&direction));
        accuracies.push(accuracy);
        tested.chance.push(rising(&probe(&drawn[count..], &drawn[..count]).0));
    }
    (0..2 * options.repeats).for_each(|_| progress(steps, steps));
    tested.accuracy = mean(&accuracies);
    tested.p = welch(&tested.scores, &tested.chance);
    Ok(tested)
}

/// Whether the unit is computed from the layer.
fn leads_to(graph: &Graph, layer: usize, unit: Unit) -> Result<(), ExplainError> {
    let before = ancestors(graph, unit.node);
    if layer != unit.node && before.contains(&layer) {
        return Ok(());
    }
    let name = |id: usize| graph.nodes[id].name.to_string();
    Err(ExplainError::Method {
        method: "TCAV",
        needs: "needs a layer before the unit",
        found: format!("`{}` is not computed from `{}`", name(unit.node), name(layer)),
        fits: before.into_iter().filter(|id| *id != unit.node).map(name).collect(),
    })
}

/// The direction from the second heap to the first, by a linear classifier (logistic regression with a little weight decay), and its
/// accuracy on what was held back. There are fewer images than numbers in a layer, so weights are sums of images, and the
/// descent is one on their shares.
fn probe(first: &[&[f32]], second: &[&[f32]]) -> (Vec<f32>, f64) {
    const STEPS: usize = 500;
    const DECAY: f64 = 1e-2;
    // About their mean, lest the direction make up for a bias that is found more slowly.
    let all = || first.iter().chain(second);
    let mut middle = vec![0.0_f32; first.first().map_or(0, |x| x.len())];
    let share = 1.0 / all().count().max(1) as f32;
    all().for_each(|x| middle.iter_mut().zip(*x).for_each(|(sum, x)| *sum += share * x));
    let centred: Vec<Vec<f32>> = all().map(|x| x.iter().zip(&middle).map(|(x, m)| x - m).collect()).collect();
    let label = |i: usize| if i < first.len() { 1.0 } else { 0.0 };
    let labelled: Vec<(&[f32], f64)> = centred.iter().enumerate().map(|(i, x)| (x.as_slice(), label(i))).collect();
    let kept = |i: &usize| i % HELD_BACK == HELD_BACK - 1;
    let learned: Vec<(&[f32], f64)> = (0..labelled.len()).filter(|i| !kept(i)).map(|i| labelled[i]).collect();
    let n = learned.len();
    let products: Vec<f64> =
        learned.iter().flat_map(|(a, _)| learned.iter().map(move |(b, _)| f64::from(dot(a, b)))).collect();
    let trace: f64 = (0..n).map(|i| products[i * n + i]).sum();
    // Below the inverse of the steepest curvature, so that every step goes down.
    let rate = 1.0 / (0.25 * (trace / n as f64 + 1.0) + DECAY);
    let (mut shares, mut bias) = (vec![0.0_f64; n], 0.0);
    for _ in 0..STEPS {
        let error = |i: usize| {
            let logit: f64 = bias + products[i * n..(i + 1) * n].iter().zip(&shares).map(|(k, a)| k * a).sum::<f64>();
            1.0 / (1.0 + (-logit).exp()) - learned[i].1
        };
        let errors: Vec<f64> = (0..n).map(error).collect();
        for (share, error) in shares.iter_mut().zip(&errors) {
            *share -= rate * (error / n as f64 + DECAY * *share);
        }
        bias -= rate * errors.iter().sum::<f64>() / n as f64;
    }
    let mut direction = vec![0.0_f32; middle.len()];
    for ((x, _), share) in learned.iter().zip(&shares) {
        direction.iter_mut().zip(*x).for_each(|(sum, x)| *sum += *share as f32 * x);
    }
    let right = |i: usize| {
        let (x, label) = labelled[i];
        (f64::from(dot(&direction, x)) + bias > 0.0) == (label > 0.5)
    };
    let judged: Vec<usize> = (0..labelled.len()).filter(kept).collect();
    let accuracy = judged.iter().filter(|i| right(**i)).count() as f64 / judged.len().max(1) as f64;
    (direction, accuracy)
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The two-sided probability of Welch's t-test that two samples have one mean.
fn welch(a: &[f64], b: &[f64]) -> f64 {
    let variance = |x: &[f64]| {
        let m = mean(x);
        x.iter().map(|x| (x - m) * (x - m)).sum::<f64>() / (x.len() - 1) as f64 / x.len() as f64
    };
    let (va, vb, difference) = (variance(a), variance(b), mean(a) - mean(b));
    if va + vb == 0.0 {
        return if difference == 0.0 { 1.0 } else { 0.0 };
    }
    let freedom = (va + vb).powi(2) / (va * va / (a.len() - 1) as f64 + vb * vb / (b.len() - 1) as f64);
    let t = difference.abs() / (va + vb).sqrt();
    StudentsT::new(0.0, 1.0, freedom).map_or(1.0, |distribution| 2.0 * distribution.sf(t))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_is_that_of_scipy() {
        // scipy.stats.ttest_ind([0.9, 0.8, 1.0, 0.7], [0.5, 0.4, 0.7, 0.45, 0.6], equal_var=False).pvalue
        let p = welch(&[0.9, 0.8, 1.0, 0.7], &[0.5, 0.4, 0.7, 0.45, 0.6]);
        assert!((p - 0.008_044_933_9).abs() < 1e-6, "{p}");
        assert_eq!((welch(&[1.0, 1.0], &[1.0, 1.0]), welch(&[1.0, 1.0], &[0.5, 0.5])), (1.0, 0.0));
    }

    #[test]
    fn a_probe_finds_the_direction_that_tells_two_heaps_apart() {
        let heap = |side: f32| {
            (0..12).map(|i| vec![side + (i as f32 * 1.7).sin(), (i as f32).cos() * 3.0]).collect::<Vec<_>>()
        };
        let (a, b) = (heap(3.0), heap(-3.0));
        let [a, b] = [&a, &b].map(|heap| heap.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let (direction, accuracy) = probe(&a, &b);
        assert!(accuracy == 1.0 && direction[0] > 10.0 * direction[1].abs(), "{direction:?} {accuracy}");
    }
}
