//! Activation maximisation: the image that a class or a channel responds to most.

use super::descent::{Descent, Prior, blurred};
use super::saliency::positive;
use super::{ExplainError, Inspectable, Progress, Unit, Volume};
use crate::data::Normalisation;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How the image is looked for. What keeps it from becoming noise: a penalty on bright pixels and on differences between
/// neighbours (Simonyan et al., 2013, section 2; Mahendran and Vedaldi, 2014), a blur now and then (Yosinski et al., 2015), and
/// looking at it from a place that changes by some pixels (Mordvintsev et al., 2015).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Maximise {
    /// Steps of Adam.
    pub steps: usize,
    /// Their size, as a share of the range of pixels.
    pub rate: f64,
    /// Weight of the penalty on the mean square of pixels.
    pub l2: f32,
    /// Weight of the penalty on the mean square of differences between neighbours.
    pub tv: f32,
    /// Standard deviation of the blur, in pixels; 0 for none.
    pub blur: f32,
    /// Steps between blurs.
    pub blur_every: usize,
    /// By how many pixels it moves, at most, each way.
    pub jitter: usize,
    /// Random seed of the noise and the jitter.
    pub seed: u64,
}

impl Default for Maximise {
    fn default() -> Self {
        Maximise { steps: 256, rate: 0.02, l2: 0.5, tv: 4.0, blur: 0.5, blur_every: 8, jitter: 2, seed: 0 }
    }
}

/// An image that was made for a unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Maximised {
    /// `[C, H, W]`, as the network takes it, between black and white.
    pub image: Volume,
    /// The unit's value for the noise that it began with, and for the image.
    pub values: [f32; 2],
}

/// The image that the unit responds to most, by gradient ascent from grey noise. The same options give the same image.
///
/// # Errors
/// When there are no steps, or the device fails.
pub fn maximise(
    network: &dyn Inspectable,
    unit: Unit,
    normalisation: &Normalisation,
    options: Maximise,
    progress: Progress<'_>,
) -> Result<Maximised, ExplainError> {
    positive("steps", options.steps)?;
    let graph = network.graph();
    let shape = graph.input().chw();
    let image = noise(shape, normalisation, options.seed);
    let value = |image: &Volume| {
        network.values(&[(0, &image.values)], &[unit.node]).map(|values| unit.values(graph, &values[0])[0])
    };
    let before = value(&image)?;
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed ^ 1);
    let (jitter, last) = (options.jitter.min(shape[1] - 1).min(shape[2] - 1), options.steps - 1);
    let descent = Descent {
        network,
        image,
        prior: Prior { l2: options.l2, tv: options.tv },
        normalisation,
        rate: options.rate,
        steps: options.steps,
    };
    let image = descent.run(
        unit.node,
        &mut |value| unit.weights(graph, value).iter().map(|weight| -weight).collect(),
        &mut |_| {
            // Both ways, as steps forward on an image that wraps around.
            let mut shift = |side: usize| (side + rng.gen_range(0..=2 * jitter) - jitter) % side;
            [shift(shape[1]), shift(shape[2])]
        },
        &mut |step, image| {
            let due = options.blur_every > 0 && (step + 1).is_multiple_of(options.blur_every) && step != last;
            if options.blur > 0.0 && due {
                *image = blurred(image, options.blur);
            }
        },
        progress,
    )?;
    let after = value(&image)?;
    Ok(Maximised { image, values: [before, after] })
}

/// Grey, with a little noise.
pub(super) fn noise(shape: [usize; 3], normalisation: &Normalisation, seed: u64) -> Volume {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut values = Vec::with_capacity(shape.iter().product());
    for c in 0..shape[0] {
        let [low, high] = normalisation.range(c);
        values.extend((0..shape[1] * shape[2]).map(|_| low + (high - low) * rng.gen_range(0.4_f32..0.6)));
    }
    Volume { shape, values }
}
