//! Changing an image step by step, by the gradient of what is wanted: what maximisation and inversion share.

use super::{ExplainError, Inspectable, Progress, Volume};
use crate::data::Normalisation;
use crate::optim::{Method, Move, apply};

/// What holds an image to what images look like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Prior {
    /// Weight of the mean square of the pixels.
    pub l2: f32,
    /// Weight of the mean square of the differences between neighbours (total variation with exponent 2).
    pub tv: f32,
}

/// An image on its way.
pub(super) struct Descent<'a> {
    pub network: &'a dyn Inspectable,
    pub image: Volume,
    pub prior: Prior,
    /// Pixels stay between black and white.
    pub normalisation: &'a Normalisation,
    /// A share of the range of pixels.
    pub rate: f64,
    pub steps: usize,
}

impl Descent<'_> {
    /// Goes down, by Adam, the gradient at the image of the sum of node `of` times `weights`, which get to see its value. In
    /// each step the network sees the image moved by `shift`, and `after` may change it.
    pub fn run(
        mut self,
        of: usize,
        weights: &mut dyn FnMut(&[f32]) -> Vec<f32>,
        shift: &mut dyn FnMut(usize) -> [usize; 2],
        after: &mut dyn FnMut(usize, &mut Volume),
        progress: Progress<'_>,
    ) -> Result<Volume, ExplainError> {
        let [channels, height, width] = self.image.shape;
        let ranges: Vec<[f32; 2]> = (0..channels).map(|c| self.normalisation.range(c)).collect();
        let widest = ranges.iter().map(|[low, high]| high - low).fold(0.0, f32::max);
        let mut moments = [vec![0.0; self.image.values.len()], vec![0.0; self.image.values.len()]];
        for step in 0..self.steps {
            let [down, right] = shift(step);
            let moved = rolled(&self.image, [down, right]);
            let mut vjp = self.network.vjp(&[(0, &moved.values)], of, weights)?;
            let gradient = Volume { shape: self.image.shape, values: vjp.gradients.remove(0) };
            let mut gradient = rolled(&gradient, [height - down, width - right]);
            self.prior.add(&self.image, &mut gradient);
            let rule = Move {
                method: Method::Adam { betas: [0.9, 0.999], eps: 1e-8 },
                step: step as u64 + 1,
                lr: self.rate * f64::from(widest),
                weight_decay: 0.0,
                scale: 1.0,
                limit: f32::INFINITY,
            };
            let [first, second] = &mut moments;
            apply(&rule, &mut self.image.values, &mut gradient.values, &mut [first, second]);
            after(step, &mut self.image);
            for (plane, [low, high]) in self.image.values.chunks_exact_mut(height * width).zip(&ranges) {
                plane.iter_mut().for_each(|x| *x = x.clamp(*low, *high));
            }
            progress(step + 1, self.steps);
        }
        Ok(self.image)
    }
}

impl Prior {
    /// Adds its gradient.
    fn add(&self, image: &Volume, gradient: &mut Volume) {
        let [_, height, width] = image.shape;
        let share = 2.0 / image.values.len().max(1) as f32;
        for (i, value) in image.values.iter().enumerate() {
            gradient.values[i] += self.l2 * share * value;
            let (y, x) = (i / width % height, i % width);
            for (inside, next) in [(x + 1 < width, i + 1), (y + 1 < height, i + width)] {
                if inside {
                    let pull = self.tv * share * (value - image.values[next]);
                    gradient.values[i] += pull;
                    gradient.values[next] -= pull;
                }
            }
        }
    }
}

/// The image moved down and to the right; what goes out comes in at the other side.
pub(super) fn rolled(image: &Volume, [down, right]: [usize; 2]) -> Volume {
    let [_, height, width] = image.shape;
    if down % height == 0 && right % width == 0 {
        return image.clone();
    }
    let mut values = Vec::with_capacity(image.values.len());
    for plane in image.values.chunks_exact(height * width) {
        for y in 0..height {
            let row = &plane[(y + height - down % height) % height * width..][..width];
            let (left, rest) = row.split_at(width - right % width);
            values.extend_from_slice(rest);
            values.extend_from_slice(left);
        }
    }
    Volume { shape: image.shape, values }
}

/// Each channel through a Gaussian of this standard deviation in pixels; beyond the border, the border's pixels go on.
pub(super) fn blurred(image: &Volume, deviation: f32) -> Volume {
    let [_, height, width] = image.shape;
    let reach = (3.0 * deviation).ceil() as isize;
    let kernel: Vec<f32> = (-reach..=reach).map(|i| (-(i * i) as f32 / (2.0 * deviation * deviation)).exp()).collect();
    let total: f32 = kernel.iter().sum();
    let pass = |values: &[f32], along_rows: bool| {
        let at = |i: usize| {
            let (plane, y, x) = (i / (height * width), (i / width % height) as isize, (i % width) as isize);
            let tap = |(k, weight): (isize, &f32)| {
                let (dy, dx) = if along_rows { (0, k) } else { (k, 0) };
                let y = (y + dy).clamp(0, height as isize - 1) as usize;
                let x = (x + dx).clamp(0, width as isize - 1) as usize;
                weight * values[(plane * height + y) * width + x]
            };
            (-reach..=reach).zip(&kernel).map(tap).sum::<f32>() / total
        };
        (0..values.len()).map(at).collect::<Vec<f32>>()
    };
    Volume { shape: image.shape, values: pass(&pass(&image.values, true), false) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rolling_wraps_around_and_back() {
        let image = Volume::new([1, 2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let moved = rolled(&image, [1, 1]);
        assert_eq!(moved.values, [6.0, 4.0, 5.0, 3.0, 1.0, 2.0]);
        assert_eq!(rolled(&moved, [1, 2]), image);
    }

    #[test]
    fn blurring_keeps_what_is_even_and_spreads_what_is_not() {
        let even = Volume::filled([2, 5, 5], 3.0);
        assert!(blurred(&even, 1.0).values.iter().all(|x| (x - 3.0).abs() < 1e-5));
        let mut dot = Volume::filled([1, 9, 9], 0.0);
        dot.values[40] = 1.0;
        // scipy.ndimage.gaussian_filter(dot, 1.0, truncate=3.0, mode="nearest")[4, 4:6]
        let found = blurred(&dot, 1.0);
        assert!((found.at(0, 4, 4) - 0.159_241).abs() < 1e-5 && (found.at(0, 4, 5) - 0.096_585).abs() < 1e-5);
    }

    #[test]
    fn the_prior_pulls_as_finite_differences_say() {
        let image = Volume::new([1, 3, 4], (0..12).map(|i| ((i * 7) % 5) as f32 - 2.0).collect());
        let prior = Prior { l2: 0.3, tv: 0.7 };
        let energy = |image: &Volume| {
            let square = |x: f32| f64::from(x) * f64::from(x);
            let l2: f64 = image.values.iter().map(|x| square(*x)).sum();
            let mut tv = 0.0;
            for y in 0..3 {
                for x in 0..4 {
                    tv += if x < 3 { square(image.at(0, y, x) - image.at(0, y, x + 1)) } else { 0.0 };
                    tv += if y < 2 { square(image.at(0, y, x) - image.at(0, y + 1, x)) } else { 0.0 };
                }
            }
            (0.3 * l2 + 0.7 * tv) / 12.0
        };
        let mut gradient = Volume::filled(image.shape, 0.0);
        prior.add(&image, &mut gradient);
        for i in 0..12 {
            let moved = |by: f32| {
                let mut moved = image.clone();
                moved.values[i] += by;
                energy(&moved)
            };
            let found = (moved(1e-2) - moved(-1e-2)) / 2e-2;
            assert!((found - f64::from(gradient.values[i])).abs() < 1e-4, "{i}: {found} {}", gradient.values[i]);
        }
    }
}
