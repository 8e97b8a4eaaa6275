//! A class for each pixel: cross-entropy, focal loss, Dice, or cross-entropy and Dice.
//!
//! Outputs are `[classes, H, W]`, targets `[H, W]`; a pixel whose target is [`IGNORED`], or the class that is to be ignored, has no part in anything.

use super::classes::softmax_loss;
use super::details::{Details, MaskDetails, MaskExample};
use super::evaluation::{best, log_softmax};
use super::loss::Loss;
use super::{Meter, Metric, Objective};
use crate::data::IGNORED;
use crate::weights::Metadata;

/// The metrics, main first.
const MEAN_IOU: Metric = Metric::share("mean_iou", "mean IoU");
const MEAN_DICE: Metric = Metric::share("mean_dice", "mean Dice");
const PIXEL_ACCURACY: Metric = Metric::share("pixel_accuracy", "pixel accuracy");

/// Images that are remembered.
const WORST: usize = 12;

/// What keeps Dice defined for a class that is nowhere.
const SMOOTH: f64 = 1.0;

/// The key of a weights file's metadata that says which class is ignored.
pub(super) const IGNORE: &str = "ignore";

/// A logit for each class at each pixel.
pub struct Masks {
    pub(super) loss: Loss,
    /// The share of a pixel's class that is spread evenly over all classes.
    pub(super) smoothing: f64,
    /// What a pixel of each class counts in cross-entropy and focal loss; empty where all count the same.
    pub(super) weights: Vec<f64>,
    pub(super) classes: usize,
    /// A class whose pixels are ignored.
    pub(super) ignore: Option<usize>,
}

impl Masks {
    /// The most probable class of each pixel, `[H, W]`, in what a network gives for an image, `[classes, H, W]`; [`IGNORED`] where it gives values that
    /// are not numbers.
    pub fn decode(output: &[f32], classes: usize) -> Vec<u8> {
        let len = output.len() / classes.max(1);
        let at = |pixel: usize| {
            let logits: Vec<f32> = (0..classes).map(|class| output[class * len + pixel]).collect();
            best(&logits).and_then(|class| u8::try_from(class).ok()).unwrap_or(IGNORED)
        };
        (0..len).map(at).collect()
    }

    /// The class of a pixel, if it has one that counts.
    fn class(&self, target: f32) -> Option<usize> {
        let class = target as usize;
        (class < self.classes && Some(class) != self.ignore).then_some(class)
    }

    fn counts(&self, class: usize) -> f64 {
        self.weights.get(class).copied().unwrap_or(1.0)
    }

    /// Adds the loss of each pixel by itself, and its gradient.
    fn by_pixel(&self, output: &[f64], target: &[f32], plain: bool, gradient: &mut [f64]) -> f64 {
        let (gamma, len) = (if let Loss::Focal(gamma) = self.loss { gamma } else { 0.0 }, target.len());
        let smoothing = if plain { 0.0 } else { self.smoothing };
        let spread = smoothing / self.classes as f64;
        let (mut logits, mut slopes) = (vec![0.0; self.classes], vec![0.0; self.classes]);
        let (mut targets, mut loss) = (vec![0.0; self.classes], 0.0);
        for (pixel, class) in target.iter().enumerate().filter_map(|(pixel, x)| Some((pixel, self.class(*x)?))) {
            logits.iter_mut().enumerate().for_each(|(c, x)| *x = output[c * len + pixel]);
            for (c, share) in targets.iter_mut().enumerate() {
                let counts = if plain { 1.0 } else { self.counts(c) };
                *share = counts * (if c == class { 1.0 - smoothing } else { 0.0 } + spread);
            }
            loss += softmax_loss(&logits, &targets, gamma, &mut slopes);
            slopes.iter().enumerate().for_each(|(c, slope)| gradient[c * len + pixel] += slope);
        }
        loss
    }

    /// Adds one minus the mean Dice coefficient of the classes, times `counts`, and its gradient.
    fn dice(&self, output: &[f64], target: &[f32], counts: f64, gradient: &mut [f64]) -> f64 {
        let (classes, len) = (self.classes, target.len());
        let labels: Vec<Option<usize>> = target.iter().map(|x| self.class(*x)).collect();
        let mut probabilities = vec![0.0; output.len()];
        // For each class: in both, in the mask, and what the probabilities add up to.
        let (mut both, mut in_mask, mut said) = (vec![0.0; classes], vec![0.0; classes], vec![0.0; classes]);
        let (mut logits, mut scores) = (vec![0.0; classes], vec![0.0; classes]);
        for (pixel, label) in labels.iter().enumerate().filter_map(|(pixel, label)| Some((pixel, (*label)?))) {
            logits.iter_mut().enumerate().for_each(|(c, x)| *x = output[c * len + pixel]);
            log_softmax(&logits, &mut scores);
            for (c, score) in scores.iter().enumerate() {
                let p = score.exp();
                probabilities[c * len + pixel] = p;
                said[c] += p;
            }
            both[label] += probabilities[label * len + pixel];
            in_mask[label] += 1.0;
        }
        let coefficient = |c: usize| (2.0 * both[c] + SMOOTH) / (in_mask[c] + said[c] + SMOOTH);
        let mean = (0..classes).map(coefficient).sum::<f64>() / classes as f64;
        for (pixel, label) in labels.iter().enumerate().filter_map(|(pixel, label)| Some((pixel, (*label)?))) {
            // The derivative of the loss in each probability, then through the softmax.
            let of_p = |c: usize| {
                let hit = if c == label { 2.0 } else { 0.0 };
                (coefficient(c) - hit) / (in_mask[c] + said[c] + SMOOTH) / classes as f64
            };
            let along: f64 = (0..classes).map(|c| of_p(c) * probabilities[c * len + pixel]).sum();
            for c in 0..classes {
                gradient[c * len + pixel] += counts * probabilities[c * len + pixel] * (of_p(c) - along);
            }
        }
        counts * (1.0 - mean)
    }

    /// The loss of one image times what it counts, with or without what is for learning only.
    fn computed(&self, output: &[f64], target: &[f32], plain: bool, gradient: &mut [f64]) -> f64 {
        gradient.fill(0.0);
        let counts = if plain { self.plain_weight(target) } else { self.weight(target) };
        match self.loss {
            Loss::Dice => self.dice(output, target, counts, gradient),
            Loss::CrossEntropyDice => {
                let by_pixel = self.by_pixel(output, target, plain, gradient);
                by_pixel + self.dice(output, target, counts, gradient)
            }
            _ => self.by_pixel(output, target, plain, gradient),
        }
    }

    /// An image counts 1 where its loss is a share of it, and as many as it has pixels with a class where its loss is a sum over these.
    fn plain_weight(&self, target: &[f32]) -> f64 {
        match self.loss {
            Loss::Dice => 1.0,
            _ => target.iter().filter(|x| self.class(**x).is_some()).count() as f64,
        }
    }
}

impl Objective for Masks {
    fn name(&self) -> &str {
        "masks"
    }

    fn loss(&self, output: &[f64], target: &[f32], gradient: &mut [f64]) -> f64 {
        self.computed(output, target, false, gradient)
    }

    fn weight(&self, target: &[f32]) -> f64 {
        match self.loss {
            Loss::Dice => 1.0,
            _ => target.iter().filter_map(|x| self.class(*x)).map(|class| self.counts(class)).sum(),
        }
    }

    fn test_loss(&self, output: &[f64], target: &[f32]) -> [f64; 2] {
        let mut gradient = vec![0.0; output.len()];
        [self.computed(output, target, true, &mut gradient), self.plain_weight(target)]
    }

    fn metrics(&self) -> Vec<Metric> {
        vec![MEAN_IOU, MEAN_DICE, PIXEL_ACCURACY]
    }

    fn metric_in_training(&self) -> &'static str {
        PIXEL_ACCURACY.name
    }

    fn score(&self, output: &[f64], target: &[f32]) -> f64 {
        let confusion = self.confusion(output, target).0;
        let right: u64 = (0..self.classes).map(|class| confusion[class][class]).sum();
        match confusion.iter().flatten().sum::<u64>() {
            0 => 1.0,
            all => right as f64 / all as f64,
        }
    }

    fn meter(&self) -> Box<dyn Meter + '_> {
        let confusion = vec![vec![0; self.classes]; self.classes];
        Box::new(Overlap { objective: self, found: MaskDetails { confusion, worst: Vec::new() } })
    }

    fn to_metadata(&self, about: &mut Metadata) {
        about.insert(super::task::KEY.into(), self.name().into());
        if let Some(class) = self.ignore {
            about.insert(IGNORE.into(), class.to_string());
        }
    }
}

impl Masks {
    /// How many pixels of each class are taken for each class, and the class that each pixel is taken for.
    fn confusion(&self, output: &[f64], target: &[f32]) -> (Vec<Vec<u64>>, Vec<u8>) {
        let (mut confusion, mut prediction) = (vec![vec![0; self.classes]; self.classes], Vec::new());
        let (len, mut logits) = (target.len(), vec![0.0; self.classes]);
        for (pixel, x) in target.iter().enumerate() {
            logits.iter_mut().enumerate().for_each(|(c, x)| *x = output[c * len + pixel]);
            let said = best(&logits);
            prediction.push(said.and_then(|class| u8::try_from(class).ok()).unwrap_or(IGNORED));
            if let Some(class) = self.class(*x) {
                // What is no number is no class; it counts as a wrong one.
                let said = said.unwrap_or((class + 1) % self.classes);
                confusion[class][said] += 1;
            }
        }
        (confusion, prediction)
    }
}

struct Overlap<'a> {
    objective: &'a Masks,
    found: MaskDetails,
}

impl Overlap<'_> {
    fn keep_worst(&mut self) {
        self.found.worst.sort_by(|a, b| a.mean_iou.total_cmp(&b.mean_iou).then(a.index.cmp(&b.index)));
        self.found.worst.truncate(WORST);
    }
}

impl Meter for Overlap<'_> {
    fn add(&mut self, index: usize, output: &[f64], target: &[f32], _: f64) {
        let (confusion, prediction) = self.objective.confusion(output, target);
        for (row, own) in self.found.confusion.iter_mut().zip(&confusion) {
            row.iter_mut().zip(own).for_each(|(sum, n)| *sum += n);
        }
        let own = MaskDetails { confusion, worst: Vec::new() };
        if let Some(mean_iou) = mean(&own, MaskDetails::iou) {
            self.found.worst.push(MaskExample { index, mean_iou, prediction });
            if self.found.worst.len() > 2 * WORST {
                self.keep_worst();
            }
        }
    }

    fn finish(mut self: Box<Self>) -> (Vec<(Metric, f64)>, Details) {
        self.keep_worst();
        let all: u64 = self.found.confusion.iter().flatten().sum();
        let right: u64 = (0..self.objective.classes).map(|class| self.found.confusion[class][class]).sum();
        let values = [
            (MEAN_IOU, mean(&self.found, MaskDetails::iou)),
            (MEAN_DICE, mean(&self.found, MaskDetails::dice)),
            (PIXEL_ACCURACY, (all > 0).then(|| right as f64 / all as f64)),
        ];
        let metrics = values.into_iter().filter_map(|(metric, value)| Some((metric, value?))).collect();
        (metrics, Details::Masks(self.found))
    }
}

/// The mean over the classes for which there is a value.
fn mean(found: &MaskDetails, of: fn(&MaskDetails, usize) -> Option<f64>) -> Option<f64> {
    let values: Vec<f64> = (0..found.confusion.len()).filter_map(|class| of(found, class)).collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
