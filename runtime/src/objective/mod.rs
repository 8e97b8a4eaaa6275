//! What the output of a network means: the loss that it learns by, the metrics that it is measured by, and what of it a report shows.
//!
//! An [`Objective`] looks at one image at a time, at numbers in double precision: the output of the network and the target that the dataset has. It gives
//! the loss and the gradient of the loss in the output, and knows neither devices nor tapes, so that one object serves the engine and CUDA, a
//! training loop and an evaluation, and one of a user's own is twenty lines. Rejected: losses as generic functions over dfdx's tensors, since an
//! objective could then be no object, and since softmax and cross-entropy in single precision are what rounds most.
//!
//! There are five, a file for each ([`Task`]); [`choose()`] takes the one that fits dataset and network.

mod average_precision;
mod choose;
mod classes;
mod details;
mod error;
mod evaluation;
mod itself;
mod labels;
mod loss;
mod masks;
mod metric;
mod numbers;
mod task;

#[doc(hidden)]
pub use choose::main_metric;
pub use choose::{Error, Options, choose, counts, of_weights};
pub use details::{
    ClassDetails, ClassScore, Details, LabelDetails, LabelScore, MaskDetails, MaskExample, Mistake, NumberDetails,
};
pub use error::ObjectiveError;
pub use evaluation::{Evaluation, Prediction, best};
pub use itself::Itself;
pub use labels::sigmoid;
pub(crate) use loss::HELP as LOSSES;
pub use loss::Loss;
pub use masks::Masks;
pub use metric::{Metric, MetricUnit};
pub use numbers::Numbers;
pub use task::Task;

use crate::weights::Metadata;
use evaluation::Mean;
use std::fmt;

/// What a network learns and is measured by.
///
/// ```
/// use convnet::objective::{Metric, Objective};
///
/// /// Nine times as much for a number that is too small as for one that is too large: the ninth decile (Koenker and Bassett, 1978).
/// struct NinthDecile;
///
/// impl Objective for NinthDecile {
///     fn name(&self) -> &str {
///         "ninth-decile"
///     }
///
///     fn loss(&self, output: &[f64], target: &[f32], gradient: &mut [f64]) -> f64 {
///         let mut loss = 0.0;
///         for ((x, y), slope) in output.iter().zip(target).zip(gradient) {
///             *slope = if *x < f64::from(*y) { -0.9 } else { 0.1 };
///             loss += *slope * (x - f64::from(*y));
///         }
///         loss
///     }
///
///     fn metrics(&self) -> Vec<Metric> {
///         vec![Metric::lower("mae", "mean absolute error")]
///     }
///
///     fn score(&self, output: &[f64], target: &[f32]) -> f64 {
///         output.iter().zip(target).map(|(x, y)| (x - f64::from(*y)).abs()).sum::<f64>() / output.len() as f64
///     }
/// }
/// ```
pub trait Objective: Send + Sync {
    /// One word, which weights files keep.
    fn name(&self) -> &str;

    /// The loss of one image, times its [`Objective::weight`]. `output` is what the network gives for it, and `target` what the dataset has, in the form
    /// of a row of [`Batch::targets`](crate::data::Batch::targets). Sets all of `gradient`, which is as long as the output, to the derivative in each number
    /// of the output. Of a network with several outputs, those of an image stand one after the other, in the order of
    /// [`Graph::outputs`](crate::graph::Graph::outputs).
    fn loss(&self, output: &[f64], target: &[f32], gradient: &mut [f64]) -> f64;

    /// What an image counts: the loss of a step is the sum of its images' losses divided by the sum of these.
    fn weight(&self, target: &[f32]) -> f64 {
        let _ = target;
        1.0
    }

    /// The loss of one image, and what it counts, where the network is measured and does not learn. It is that of [`Objective::loss`] unless that has
    /// something which is for learning only, such as weights of classes.
    fn test_loss(&self, output: &[f64], target: &[f32]) -> [f64; 2] {
        let mut gradient = vec![0.0; output.len()];
        [self.loss(output, target, &mut gradient), self.weight(target)]
    }

    /// If the loss is the cross-entropy of a softmax: the targets `[N, classes]` by which dfdx computes it on the tape, in single precision, as version 0.1
    /// did. A run that was begun by that version goes on to the same weights, bit for bit, only if it learns by the same arithmetic. `mean` is the mean of
    /// the weights of all images of the step.
    #[doc(hidden)]
    fn softmax_targets(&self, targets: &[f32], mean: f64) -> Option<Vec<f32>> {
        let _ = (targets, mean);
        None
    }

    /// What the network is measured by. The first metric is the one by which the best epoch is chosen.
    fn metrics(&self) -> Vec<Metric>;

    /// The metric whose mean over images is told in training, too, by its name.
    fn metric_in_training(&self) -> &'static str {
        self.metrics().first().map_or("", |metric| metric.name)
    }

    /// That metric, of one image.
    fn score(&self, output: &[f64], target: &[f32]) -> f64;

    /// What measures the network on a whole dataset; without a method of its own, the mean of [`Objective::score`].
    fn meter(&self) -> Box<dyn Meter + '_> {
        Box::new(Mean::new(self.metrics(), |output, target| self.score(output, target)))
    }

    /// Whether the targets are the network's own input, so that those of the dataset are not used.
    fn is_of_input(&self) -> bool {
        false
    }

    /// Puts into the metadata of a weights file what is needed to read the network's answers, beside the names of the classes.
    fn to_metadata(&self, about: &mut Metadata) {
        about.insert(task::KEY.into(), self.name().into());
    }
}

impl fmt::Debug for dyn Objective + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Objective({})", self.name())
    }
}

/// Measures a network on the images of a dataset, which come one after the other.
pub trait Meter {
    /// Adds what the network gives for an image, the target of that image, and its loss. `index` is where the image is in the dataset.
    fn add(&mut self, index: usize, output: &[f64], target: &[f32], loss: f64);

    /// The metrics over all images, in the order of [`Objective::metrics`], without those that are not defined for these images; and what a report can
    /// show.
    fn finish(self: Box<Self>) -> (Vec<(Metric, f64)>, Details);
}

/// The numbers of a batch's output of one image, in double precision.
pub(crate) fn doubled(output: &[f32], to: &mut Vec<f64>) {
    to.clear();
    to.extend(output.iter().map(|x| f64::from(*x)));
}
