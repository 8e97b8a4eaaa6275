//! The image itself: a network that has to bring an image through something narrow learns what images have in common.
//!
//! The target is the network's own input, normalised as it is, so whatever dataset there is will do.

use super::details::Details;
use super::loss::Loss;
use super::numbers::difference;
use super::{Meter, Metric, Objective};

/// The metrics, main first.
const PSNR: Metric = Metric { name: "psnr", title: "PSNR", unit: super::MetricUnit::Decibel, higher_is_better: true };
const MAE: Metric = Metric::lower("mae", "mean absolute error");

/// What stands for no error at all.
const MOST: f64 = 100.0;

/// Images that are remembered.
const SHOWN: usize = 16;

/// Images and what comes out for them.
#[derive(Debug, Clone, PartialEq)]
pub struct Itself {
    pub(super) loss: Loss,
    /// The standard deviation that each channel's values, from 0 to 1, were divided by.
    pub(super) std: Vec<f64>,
}

impl Itself {
    /// By the squared error, for images whose channels' values from 0 to 1 were divided by these standard deviations.
    pub fn of(std: &[f32]) -> Self {
        Itself { loss: Loss::Mse, std: std.iter().map(|x| f64::from(*x)).collect() }
    }

    /// The mean squared and the mean absolute error of values from 0 to 1.
    fn errors(&self, output: &[f64], target: &[f32]) -> [f64; 2] {
        let plane = (output.len() / self.std.len().max(1)).max(1);
        let (mut squares, mut sum) = (0.0, 0.0);
        for (i, (x, wanted)) in output.iter().zip(target).enumerate() {
            let error = (x - f64::from(*wanted)).abs() * self.std[i / plane];
            squares += error * error;
            sum += error;
        }
        [squares, sum].map(|sum| sum / output.len().max(1) as f64)
    }
}

/// The peak signal-to-noise ratio of values from 0 to 1, in decibels.
fn psnr(squares: f64) -> f64 {
    if squares.is_nan() { f64::NAN } else { (-10.0 * squares.log10()).min(MOST) }
}

impl Objective for Itself {
    fn name(&self) -> &str {
        "itself"
    }

    fn loss(&self, output: &[f64], target: &[f32], gradient: &mut [f64]) -> f64 {
        let (mut loss, len) = (0.0, output.len() as f64);
        for ((x, wanted), slope) in output.iter().zip(target).zip(gradient) {
            let [own, derivative] = difference(self.loss, x - f64::from(*wanted));
            loss += own;
            *slope = derivative / len;
        }
        loss / len
    }

    fn metrics(&self) -> Vec<Metric> {
        vec![PSNR, MAE]
    }

    fn score(&self, output: &[f64], target: &[f32]) -> f64 {
        psnr(self.errors(output, target)[0])
    }

    fn meter(&self) -> Box<dyn Meter + '_> {
        Box::new(Pairs { objective: self, sums: [0.0; 2], images: 0, shown: Vec::new() })
    }

    fn is_of_input(&self) -> bool {
        true
    }
}

struct Pairs<'a> {
    objective: &'a Itself,
    /// The sum of the PSNR of all images, and that of their mean absolute errors.
    sums: [f64; 2],
    images: usize,
    shown: Vec<(usize, Vec<f32>)>,
}

impl Meter for Pairs<'_> {
    fn add(&mut self, index: usize, output: &[f64], target: &[f32], _: f64) {
        let [squares, absolute] = self.objective.errors(output, target);
        self.sums[0] += psnr(squares);
        self.sums[1] += absolute;
        self.images += 1;
        if self.shown.len() < SHOWN {
            self.shown.push((index, output.iter().map(|x| *x as f32).collect()));
        }
    }

    fn finish(self: Box<Self>) -> (Vec<(Metric, f64)>, Details) {
        let [psnr, mae] = self.sums.map(|sum| sum / self.images.max(1) as f64);
        (vec![(PSNR, psnr), (MAE, mae)], Details::Itself(self.shown))
    }
}
