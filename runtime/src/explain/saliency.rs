//! Which pixels an answer depends on, by gradients: the plain one, times the image, averaged over noise, or added up on the
//! way from another image.

use super::{ExplainError, Inspectable, Progress, Unit, Volume};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// The gradient of a unit's value at each pixel (Simonyan et al., 2013, section 3). Gives `[C, H, W]`, with signs.
///
/// # Errors
/// When the image is not the network's, or the device fails.
pub fn gradient(network: &dyn Inspectable, unit: Unit, image: &Volume) -> Result<Volume, ExplainError> {
    let images = [image.of_network(network.graph())?];
    Ok(gradients(network, unit, &images)?.remove(0))
}

/// The gradient times the pixel: its part in the unit's value, were the network linear (Shrikumar et al., 2016).
///
/// # Errors
/// As [`gradient`].
pub fn gradient_times_input(network: &dyn Inspectable, unit: Unit, image: &Volume) -> Result<Volume, ExplainError> {
    Ok(gradient(network, unit, image)?.zip(image, |gradient, pixel| gradient * pixel))
}

/// How [`smooth_grad`] draws its samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SmoothGrad {
    /// How many.
    pub samples: usize,
    /// Standard deviation of the noise, as a share of the image's range (the paper recommends 0.1 to 0.2).
    pub noise: f32,
    /// Random seed of the noise.
    pub seed: u64,
}

impl Default for SmoothGrad {
    fn default() -> Self {
        SmoothGrad { samples: 32, noise: 0.15, seed: 0 }
    }
}

/// The mean gradient over copies of the image with noise (Smilkov et al., 2017, section 3).
///
/// # Errors
/// As [`gradient`]; when there are no samples.
pub fn smooth_grad(
    network: &dyn Inspectable,
    unit: Unit,
    image: &Volume,
    options: SmoothGrad,
    progress: Progress<'_>,
) -> Result<Volume, ExplainError> {
    let SmoothGrad { samples, noise, seed } = options;
    positive("samples", samples)?;
    let image = image.of_network(network.graph())?;
    let [low, high] = image.range();
    let (deviation, mut rng) = (noise * (high - low), ChaCha8Rng::seed_from_u64(seed));
    let mut noisy = |_| {
        let mut noise = || -> f32 { StandardNormal.sample(&mut rng) };
        Volume { shape: image.shape, values: image.values.iter().map(|x| x + deviation * noise()).collect() }
    };
    let mut points = (0..samples).map(&mut noisy);
    mean_gradient(network, unit, image.shape, samples, &mut points, progress)
}

/// How [`integrated_gradients`] goes along its way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IntegrationPath {
    /// Points, at first.
    pub steps: usize,
    /// Points at most: they are doubled until the sum is right.
    pub most: usize,
    /// By what share of the difference the sum may be off.
    pub tolerance: f64,
}

impl Default for IntegrationPath {
    fn default() -> Self {
        IntegrationPath { steps: 32, most: 1024, tolerance: 0.01 }
    }
}

/// What each pixel contributes to the difference between two images.
#[derive(Debug, Clone, PartialEq)]
pub struct Integrated {
    /// `[C, H, W]`
    pub map: Volume,
    /// The unit's value for the image less that for the baseline: what the map should add up to.
    pub difference: f64,
    /// Points that were used.
    pub steps: usize,
}

impl Integrated {
    /// By what share of the difference the map's sum is off.
    pub fn gap(&self) -> f64 {
        (self.map.sum() - self.difference).abs() / self.difference.abs().max(f64::MIN_POSITIVE)
    }
}

/// Integrated gradients (Sundararajan et al., 2017): the mean gradient on the straight way from `baseline` to the image, at the
/// middles of equal steps, times the way.
///
/// # Errors
/// As [`gradient`]; when there are no steps.
pub fn integrated_gradients(
    network: &dyn Inspectable,
    unit: Unit,
    image: &Volume,
    baseline: &Volume,
    path: IntegrationPath,
    progress: Progress<'_>,
) -> Result<Integrated, ExplainError> {
    positive("steps", path.steps)?;
    let graph = network.graph();
    let shape = graph.input().chw();
    let (image, baseline) = (image.of_network(graph)?, baseline.of_network(graph)?);
    let ends = [image.values.clone(), baseline.values.clone()].concat();
    let values = unit.values(graph, &network.values(&[(0, &ends)], &[unit.node])?[0]);
    let difference = f64::from(values[0]) - f64::from(values[1]);
    let mut steps = path.steps;
    loop {
        let point = |i: usize| {
            let share = (i as f32 + 0.5) / steps as f32;
            baseline.zip(image, |from, to| from + share * (to - from))
        };
        let mean = mean_gradient(network, unit, shape, steps, &mut (0..steps).map(point), progress)?;
        let map = mean.zip(&image.zip(baseline, |to, from| to - from), |gradient, way| gradient * way);
        let found = Integrated { map, difference, steps };
        if found.gap() <= path.tolerance || 2 * steps > path.most {
            return Ok(found);
        }
        steps *= 2;
    }
}

/// Images at once.
const BATCH: usize = 8;

fn mean_gradient(
    network: &dyn Inspectable,
    unit: Unit,
    shape: [usize; 3],
    count: usize,
    points: &mut dyn Iterator<Item = Volume>,
    progress: Progress<'_>,
) -> Result<Volume, ExplainError> {
    let mut sum = vec![0.0_f64; shape.iter().product()];
    let mut done = 0;
    while done < count {
        let batch: Vec<Volume> = (&mut *points).take(BATCH).collect();
        for map in gradients(network, unit, &batch.iter().collect::<Vec<_>>())? {
            sum.iter_mut().zip(&map.values).for_each(|(sum, x)| *sum += f64::from(*x));
        }
        done += batch.len();
        progress(done, count);
    }
    Ok(Volume { shape, values: sum.into_iter().map(|sum| (sum / count as f64) as f32).collect() })
}

fn gradients(network: &dyn Inspectable, unit: Unit, images: &[&Volume]) -> Result<Vec<Volume>, ExplainError> {
    let graph = network.graph();
    let pixels: Vec<f32> = images.iter().flat_map(|image| image.values.iter().copied()).collect();
    let vjp = network.vjp(&[(0, &pixels)], unit.node, &mut |value| unit.weights(graph, value))?;
    let shape = graph.input().chw();
    let volume = |values: &[f32]| Volume { shape, values: values.to_vec() };
    Ok(vjp.gradients[0].chunks_exact(shape.iter().product()).map(volume).collect())
}

pub(super) fn positive(what: &'static str, number: usize) -> Result<(), ExplainError> {
    match number {
        0 => Err(ExplainError::Option { what, found: "0".into(), expected: "there must be at least one" }),
        _ => Ok(()),
    }
}
