//! Numbers: the squared error, the absolute error, or Huber's between the two.
//!
//! A network learns numbers of any size, such as years or pixels, as deviations from the mean of the training set, in units of its standard deviation:
//! else the learning rate would depend on the unit. So an output of 0 means the mean; [`Numbers::decode`] says what it is in the dataset's own unit.

use super::details::{Details, NumberDetails};
use super::loss::Loss;
use super::{Meter, Metric, Objective, ObjectiveError};
use crate::weights::Metadata;
use crate::wording::counted;

/// The metrics, main first; in the dataset's own units, and means over the numbers.
const MAE: Metric = Metric::lower("mae", "mean absolute error");
const RMSE: Metric = Metric::lower("rmse", "root mean squared error");
const R2: Metric = Metric::higher("r2", "R2");

/// Images that are remembered, spread over the dataset and worst.
const POINTS: usize = 512;
const WORST: usize = 12;

/// The keys of a weights file's metadata that say what an output of 0 and of 1 means.
const MEAN: &str = "numbers_mean";
const STD: &str = "numbers_std";

/// Numbers with their means and standard deviations.
#[derive(Debug, Clone, PartialEq)]
pub struct Numbers {
    pub(super) loss: Loss,
    /// The mean of each number over the training set.
    pub(super) mean: Vec<f64>,
    /// Its standard deviation there; 1 where all are the same.
    pub(super) std: Vec<f64>,
}

/// A loss of the difference of one number from its target, and its derivative.
pub(super) fn difference(loss: Loss, x: f64) -> [f64; 2] {
    match loss {
        Loss::Mae => [x.abs(), if x == 0.0 { 0.0 } else { x.signum() }],
        Loss::Huber(delta) if x.abs() <= delta => [0.5 * x * x, x],
        Loss::Huber(delta) => [delta * (x.abs() - 0.5 * delta), delta * x.signum()],
        // All others are refused before.
        _ => [x * x, 2.0 * x],
    }
}

/// The means and standard deviations of so many numbers, as the metadata of a weights file says them.
pub(super) fn scale(about: &Metadata, outputs: usize) -> Result<[Vec<f64>; 2], ObjectiveError> {
    let list = |key: &'static str, least: f64| {
        let text = about.get(key).map_or("", String::as_str);
        let numbers: Option<Vec<f64>> = text.split(',').map(|x| x.trim().parse().ok()).collect();
        let fits = |list: &Vec<f64>| list.len() == outputs && list.iter().all(|x| x.is_finite() && *x > least);
        numbers.filter(fits).ok_or_else(|| {
            let expected = format!("{} between commas", counted(outputs, "number"));
            ObjectiveError::Metadata { key, found: text.into(), expected }
        })
    };
    Ok([list(MEAN, f64::NEG_INFINITY)?, list(STD, 0.0)?])
}

impl Numbers {
    /// So many numbers, as the metadata of a weights file says them.
    ///
    /// # Errors
    /// When it does not say so many means and standard deviations.
    pub fn of(about: &Metadata, numbers: usize) -> Result<Self, ObjectiveError> {
        let [mean, std] = scale(about, numbers)?;
        Ok(Numbers { loss: Loss::Mse, mean, std })
    }

    /// What the network gives for an image, in the dataset's own units.
    pub fn decode(&self, output: &[f32]) -> Vec<f32> {
        (0..output.len()).map(|i| (f64::from(output[i]) * self.std[i] + self.mean[i]) as f32).collect()
    }

    fn in_units(&self, i: usize, x: f64) -> f64 {
        x * self.std[i] + self.mean[i]
    }
}

impl Objective for Numbers {
    fn name(&self) -> &str {
        "numbers"
    }

    fn loss(&self, output: &[f64], target: &[f32], gradient: &mut [f64]) -> f64 {
        let (mut loss, len) = (0.0, output.len() as f64);
        for (i, (x, slope)) in output.iter().zip(gradient).enumerate() {
            let wanted = (f64::from(target[i]) - self.mean[i]) / self.std[i];
            let [own, derivative] = difference(self.loss, x - wanted);
            loss += own / len;
            *slope = derivative / len;
        }
        loss
    }

    fn metrics(&self) -> Vec<Metric> {
        vec![MAE, RMSE, R2]
    }

    fn score(&self, output: &[f64], target: &[f32]) -> f64 {
        let error = |i: usize| (self.in_units(i, output[i]) - f64::from(target[i])).abs();
        (0..output.len()).map(error).sum::<f64>() / output.len().max(1) as f64
    }

    fn meter(&self) -> Box<dyn Meter + '_> {
        Box::new(Errors { objective: self, rows: Vec::new() })
    }

    fn to_metadata(&self, about: &mut Metadata) {
        let list = |numbers: &[f64]| numbers.iter().map(f64::to_string).collect::<Vec<_>>().join(",");
        about.insert(super::task::KEY.into(), self.name().into());
        about.insert(MEAN.into(), list(&self.mean));
        about.insert(STD.into(), list(&self.std));
    }
}

struct Errors<'a> {
    objective: &'a Numbers,
    rows: Vec<(usize, Vec<f32>, Vec<f32>)>,
}

impl Meter for Errors<'_> {
    fn add(&mut self, index: usize, output: &[f64], target: &[f32], _: f64) {
        let said = output.iter().enumerate().map(|(i, x)| self.objective.in_units(i, *x) as f32).collect();
        self.rows.push((index, target.to_vec(), said));
    }

    fn finish(self: Box<Self>) -> (Vec<(Metric, f64)>, Details) {
        let (rows, images) = (&self.rows, self.rows.len().max(1) as f64);
        let of = |i: usize| {
            let pair = |row: &(usize, Vec<f32>, Vec<f32>)| [f64::from(row.1[i]), f64::from(row.2[i])];
            let mean = rows.iter().map(|row| pair(row)[0]).sum::<f64>() / images;
            let sum = |f: &dyn Fn([f64; 2]) -> f64| rows.iter().map(|row| f(pair(row))).sum::<f64>();
            let squares = sum(&|[wanted, said]| (said - wanted).powi(2));
            let spread = sum(&|[wanted, _]| (wanted - mean).powi(2));
            let r2 = (spread > 0.0).then(|| 1.0 - squares / spread);
            (sum(&|[wanted, said]| (said - wanted).abs()) / images, (squares / images).sqrt(), r2)
        };
        let errors: Vec<(f64, f64, Option<f64>)> = (0..self.objective.mean.len()).map(of).collect();
        let mean = |values: &[f64]| (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
        let [mae, rmse]: [Vec<f64>; 2] = [errors.iter().map(|e| e.0).collect(), errors.iter().map(|e| e.1).collect()];
        let r2: Vec<f64> = errors.iter().filter_map(|e| e.2).collect();
        let values = [(MAE, mean(&mae)), (RMSE, mean(&rmse)), (R2, mean(&r2))];
        let metrics = values.into_iter().filter_map(|(metric, value)| Some((metric, value?))).collect();
        let points = rows.iter().step_by(rows.len().div_ceil(POINTS).max(1)).cloned().collect();
        let mut worst = self.rows;
        let error = |row: &(usize, Vec<f32>, Vec<f32>)| {
            row.1
                .iter()
                .zip(&row.2)
                .zip(&self.objective.std)
                .map(|((a, b), std)| f64::from((a - b).abs()) / std)
                .sum::<f64>()
        };
        worst.sort_by(|a, b| error(b).total_cmp(&error(a)).then(a.0.cmp(&b.0)));
        worst.truncate(WORST);
        (metrics, Details::Numbers(NumberDetails { errors, points, worst }))
    }
}
