//! Code inversion (Mahendran and Vedaldi, 2014): what of an image is still in a layer's values.

use super::descent::{Descent, Prior};
use super::maximise::noise;
use super::saliency::positive;
use super::{ExplainError, Inspectable, Progress, Volume};
use crate::data::Normalisation;

/// How the image is looked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Invert {
    /// Steps of Adam.
    pub steps: usize,
    /// Their size, as a share of the range of pixels.
    pub rate: f64,
    /// Weight of the penalty on the mean square of pixels.
    pub l2: f32,
    /// Weight of the penalty on the mean square of differences between neighbours.
    pub tv: f32,
    /// Random seed of the noise that it begins with.
    pub seed: u64,
}

impl Default for Invert {
    fn default() -> Self {
        Invert { steps: 400, rate: 0.02, l2: 1e-4, tv: 1e-3, seed: 0 }
    }
}

/// An image that was made from a layer's values.
#[derive(Debug, Clone, PartialEq)]
pub struct Inverted {
    /// `[C, H, W]`, as the network takes it, between black and white.
    pub image: Volume,
    /// The distance between the values of both images, as a share of the length of those of the original.
    pub error: f64,
    /// How alike the images are: Pearson's correlation of their pixels.
    pub correlation: f64,
}

/// An image that gives the same values at a layer as this one, from grey noise.
///
/// # Errors
/// When there are no steps, the layer is zero for the image, the image is not the network's, or the device fails.
pub fn invert(
    network: &dyn Inspectable,
    layer: usize,
    image: &Volume,
    normalisation: &Normalisation,
    options: Invert,
    progress: Progress<'_>,
) -> Result<Inverted, ExplainError> {
    positive("steps", options.steps)?;
    let graph = network.graph();
    let image = image.of_network(graph)?;
    let code = network.values(&[(0, &image.values)], &[layer])?.remove(0);
    let length: f64 = code.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
    if length == 0.0 {
        let found = format!("`{}` is zero for this image", graph.nodes[layer].name);
        let method = "inversion";
        return Err(ExplainError::Method { method, needs: "needs values to go by", found, fits: Vec::new() });
    }
    let descent = Descent {
        network,
        image: noise(image.shape, normalisation, options.seed),
        prior: Prior { l2: options.l2, tv: options.tv },
        normalisation,
        rate: options.rate,
        steps: options.steps,
    };
    // Of the squared distance between the codes, as a share of the length of the one to be reached.
    let scale = (2.0 / length) as f32;
    let mut distance = |value: &[f32]| value.iter().zip(&code).map(|(x, code)| scale * (x - code)).collect();
    let found = descent.run(layer, &mut distance, &mut |_| [0, 0], &mut |_, _| {}, progress)?;
    let value = network.values(&[(0, &found.values)], &[layer])?.remove(0);
    let distance: f64 = value.iter().zip(&code).map(|(a, b)| f64::from(a - b) * f64::from(a - b)).sum();
    let correlation = found.correlation(image);
    Ok(Inverted { image: found, error: (distance / length).sqrt(), correlation })
}
