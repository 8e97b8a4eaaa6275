//! Augmentations of one image, on values from 0 to 1.
//!
//! Each draws all its random numbers first and then computes, so that the draws do not depend on what the image shows.

use super::{Augment, Word};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// An image `[C, H, W]` with values from 0 to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct FloatImage {
    /// `[C, H, W]`
    pub shape: [usize; 3],
    /// Row by row, plane by plane.
    pub values: Vec<f32>,
}

/// More than any coordinate.
const FAR: f64 = 1e6;

/// Standard deviation and direction of each principal component of colour.
pub type Components = Vec<(f64, Vec<f64>)>;

impl FloatImage {
    /// Bytes as values.
    pub fn new(shape: [usize; 3], bytes: &[u8]) -> Self {
        FloatImage { shape, values: bytes.iter().map(|byte| f32::from(*byte) / 255.0).collect() }
    }

    /// Applies `augment`, which keeps the shape. Those that choose a part of a larger image, or mix several, do nothing here.
    pub fn apply(&mut self, augment: &Augment, components: &Components, rng: &mut ChaCha8Rng) {
        let [a, b, c, d] = augment.numbers;
        let [_, height, width] = self.shape;
        match augment.word {
            Word::Crop if a > 0.0 => {
                let pad = a as isize;
                let shift = [rng.gen_range(-pad..=pad), rng.gen_range(-pad..=pad)];
                self.shift(shift);
            }
            Word::Flip => {
                if rng.gen_bool(a) {
                    self.values.chunks_exact_mut(width).for_each(<[f32]>::reverse);
                }
            }
            Word::Rotate => self.rotate(rng.gen_range(-a..=a).to_radians()),
            Word::Color => {
                let factor = |rng: &mut ChaCha8Rng, by: f64| rng.gen_range(1.0 - by..=1.0 + by) as f32;
                let factors = [a, b, c].map(|by| factor(rng, by));
                self.colour(factors, rng.gen_range(-d..=d) as f32);
            }
            Word::Pca => {
                let noise: Vec<f64> = components
                    .iter()
                    .map(|_| {
                        let x: f64 = StandardNormal.sample(rng);
                        x * a
                    })
                    .collect();
                self.add_along(components, &noise);
            }
            Word::Erase => {
                let (hit, sides) = (rng.gen_bool(a), part(rng, [height, width], [0.02, 0.33], [0.3, 3.3]));
                let at = place(rng, [height, width], sides);
                if hit {
                    self.empty(at, sides);
                }
            }
            Word::Cutout => {
                // The square's middle lies anywhere, so a part of it may be outside.
                let (half, size) = (a as usize / 2, a as usize);
                let [y, x] = [rng.gen_range(0..height), rng.gen_range(0..width)];
                let start = [y.saturating_sub(half), x.saturating_sub(half)];
                let end = [(y + size - half).min(height), (x + size - half).min(width)];
                self.empty(start, [end[0] - start[0], end[1] - start[1]]);
            }
            Word::Crop | Word::ResizedCrop | Word::MixUp | Word::CutMix => {}
        }
    }

    /// Moves the image down and to the right; what comes in is zero.
    pub(crate) fn shift(&mut self, [down, right]: [isize; 2]) {
        let [_, height, width] = self.shape;
        let source = self.values.clone();
        for (row, line) in self.values.chunks_exact_mut(width).enumerate() {
            let (plane, y) = (row / height * height * width, (row % height) as isize - down);
            for (x, value) in line.iter_mut().enumerate() {
                let x = x as isize - right;
                let inside = (0..height as isize).contains(&y) && (0..width as isize).contains(&x);
                *value = if inside { source[plane + y as usize * width + x as usize] } else { 0.0 };
            }
        }
    }

    /// Turns the image about its middle, against the clock, with bilinear interpolation; what comes in is zero.
    pub(crate) fn rotate(&mut self, angle: f64) {
        let [channels, height, width] = self.shape;
        let source = self.values.clone();
        let (sin, cos) = angle.sin_cos();
        let (cy, cx) = ((height as f64 - 1.0) / 2.0, (width as f64 - 1.0) / 2.0);
        for y in 0..height {
            for x in 0..width {
                let (dy, dx) = (y as f64 - cy, x as f64 - cx);
                let (from_y, from_x) = (cy + cos * dy + sin * dx, cx - sin * dy + cos * dx);
                // Cut off above zero, since `floor` is a call where the processor's own may not be used.
                let floor = |x: f64| (x + FAR) as isize - FAR as isize;
                let (top, left) = (floor(from_y), floor(from_x));
                let (part_y, part_x) = ((from_y - top as f64) as f32, (from_x - left as f64) as f32);
                for c in 0..channels {
                    let at = |y: isize, x: isize| {
                        let inside = (y as usize) < height && (x as usize) < width;
                        if inside { source[(c * height + y as usize) * width + x as usize] } else { 0.0 }
                    };
                    let upper = at(top, left) * (1.0 - part_x) + at(top, left + 1) * part_x;
                    let lower = at(top + 1, left) * (1.0 - part_x) + at(top + 1, left + 1) * part_x;
                    self.values[(c * height + y) * width + x] = upper * (1.0 - part_y) + lower * part_y;
                }
            }
        }
    }

    /// Brightness, contrast and saturation times these factors, as torchvision's functions of these names; hue turned by a part
    /// of the circle. A grey image has neither saturation nor hue.
    fn colour(&mut self, [brightness, contrast, saturation]: [f32; 3], hue: f32) {
        let len = self.shape[1] * self.shape[2];
        let blend = |x: f32, other: f32, factor: f32| (factor * x + (1.0 - factor) * other).clamp(0.0, 1.0);
        self.values.iter_mut().for_each(|x| *x = blend(*x, 0.0, brightness));
        let grey = self.grey();
        let mean = grey.iter().sum::<f32>() / grey.len().max(1) as f32;
        self.values.iter_mut().for_each(|x| *x = blend(*x, mean, contrast));
        if self.shape[0] != 3 {
            return;
        }
        let grey = self.grey();
        for (i, x) in self.values.iter_mut().enumerate() {
            *x = blend(*x, grey[i % len], saturation);
        }
        for i in 0..len {
            let rgb = turned([self.values[i], self.values[len + i], self.values[2 * len + i]], hue);
            rgb.into_iter().enumerate().for_each(|(c, x)| self.values[c * len + i] = x);
        }
    }

    fn grey(&self) -> Vec<f32> {
        let len = self.shape[1] * self.shape[2];
        match self.shape[0] {
            3 => (0..len)
                .map(|i| 0.2989 * self.values[i] + 0.587 * self.values[len + i] + 0.114 * self.values[2 * len + i])
                .collect(),
            _ => self.values[..len].to_vec(),
        }
    }

    /// Adds to all pixels the same colour: so many standard deviations along each principal component. (The paper's formula has
    /// their squares; its own program, and all others since, these.)
    fn add_along(&mut self, components: &Components, noise: &[f64]) {
        let len = self.shape[1] * self.shape[2];
        for (c, plane) in self.values.chunks_exact_mut(len).enumerate() {
            let along =
                components.iter().zip(noise).map(|((deviation, direction), noise)| direction[c] * deviation * noise);
            let colour = along.sum::<f64>() as f32;
            plane.iter_mut().for_each(|x| *x += colour);
        }
    }

    fn empty(&mut self, [top, left]: [usize; 2], [rows, cols]: [usize; 2]) {
        let [channels, height, width] = self.shape;
        for row in (0..channels).flat_map(|c| (top..top + rows).map(move |y| c * height + y)) {
            self.values[row * width + left..][..cols].fill(0.0);
        }
    }
}

/// A colour whose hue is turned by a part of the circle.
fn turned([r, g, b]: [f32; 3], by: f32) -> [f32; 3] {
    let (max, min) = (r.max(g).max(b), r.min(g).min(b));
    let range = max - min;
    if range <= 0.0 {
        return [r, g, b];
    }
    let sixth = match max {
        _ if max == r => (g - b) / range,
        _ if max == g => 2.0 + (b - r) / range,
        _ => 4.0 + (r - g) / range,
    };
    let sixth = (sixth + 6.0 * by).rem_euclid(6.0);
    // How far a channel is from the one that is largest, on the circle of six parts.
    [0.0, 2.0, 4.0].map(|own| {
        let distance = (sixth - own).abs().min(6.0 - (sixth - own).abs());
        max - range * (distance - 1.0).clamp(0.0, 1.0)
    })
}

/// Sides of a random part of an image with these sides: of a share of the area, and of a ratio of height to width.
pub fn part(rng: &mut ChaCha8Rng, sides: [usize; 2], share: [f64; 2], ratio: [f64; 2]) -> [usize; 2] {
    let area = (sides[0] * sides[1]) as f64;
    // As in torchvision: ten tries, then the largest part that fits.
    let mut found = None;
    for _ in 0..10 {
        let wanted = area * rng.gen_range(share[0]..=share[1]);
        let ratio = rng.gen_range(ratio[0].ln()..=ratio[1].ln()).exp();
        let tried = [(wanted * ratio).sqrt(), (wanted / ratio).sqrt()].map(|side| side.round() as usize);
        let fits = tried.iter().zip(sides).all(|(tried, side)| (1..=side).contains(tried));
        found = found.or(fits.then_some(tried));
    }
    found.unwrap_or_else(|| {
        let least = sides[0].min(sides[1]);
        [least.max(1), least.max(1)]
    })
}

/// Where a part of these sides may lie.
pub fn place(rng: &mut ChaCha8Rng, sides: [usize; 2], part: [usize; 2]) -> [usize; 2] {
    [0, 1].map(|i| rng.gen_range(0..=sides[i].saturating_sub(part[i])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn rng(seed: u64) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(seed)
    }

    fn image(shape: [usize; 3]) -> FloatImage {
        let len = shape.iter().product::<usize>();
        FloatImage { shape, values: (0..len).map(|i| (i + 1) as f32 / (len + 1) as f32).collect() }
    }

    #[test]
    fn a_shift_moves_every_plane() {
        let mut found = FloatImage { shape: [2, 2, 2], values: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0] };
        found.shift([1, -1]);
        assert_eq!(found.values, [0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 6.0, 0.0]);
    }

    #[test]
    fn a_quarter_turn_is_exact_and_four_are_none() {
        let whole = image([2, 3, 3]);
        let mut turned = whole.clone();
        turned.rotate(90_f64.to_radians());
        // Against the clock: numpy.rot90. The upper right corner becomes the upper left one.
        assert!((turned.values[0] - whole.values[2]).abs() < 1e-6, "{turned:?}");
        assert!((turned.values[2] - whole.values[8]).abs() < 1e-6);
        (0..3).for_each(|_| turned.rotate(90_f64.to_radians()));
        let error = turned.values.iter().zip(&whole.values).fold(0.0_f32, |max, (a, b)| max.max((a - b).abs()));
        assert!(error < 1e-5);
    }

    #[test]
    fn colours_are_those_of_torchvision() {
        // torchvision.transforms.functional.adjust_{brightness(0.5), contrast(1.5), saturation(0.25), hue(0.1)}, one after
        // the other, of the pixels (0.2, 0.4, 0.6) and (0.9, 0.1, 0.5).
        let mut found = FloatImage { shape: [3, 1, 2], values: vec![0.2, 0.9, 0.4, 0.1, 0.6, 0.5] };
        found.colour([0.5, 1.5, 0.25], 0.1);
        // torchvision 0.29's.
        let expected = [0.155_722, 0.299_823, 0.148_222, 0.171_284, 0.223_222, 0.154_438];
        for (found, expected) in found.values.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-4, "{found} {expected}");
        }
    }

    #[test]
    fn emptied_parts_have_the_size_that_was_asked_for() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let mut found = image([1, 12, 12]);
            found.apply(&"cutout(4)".parse().unwrap(), &Vec::new(), &mut rng(seed));
            seen.insert(found.values.iter().filter(|x| **x == 0.0).count());
        }
        assert!(seen.contains(&16) && seen.iter().all(|n| (4..=16).contains(n)), "{seen:?}");
        let erased = (0..400).filter(|seed| {
            let mut found = image([1, 12, 12]);
            found.apply(&"erase(0.25)".parse().unwrap(), &Vec::new(), &mut rng(*seed));
            let n = found.values.iter().filter(|x| **x == 0.0).count();
            assert!(n <= 144 * 2 / 5);
            n > 0
        });
        let erased = erased.count();
        assert!((70..130).contains(&erased), "{erased} of 400");
    }

    #[test]
    fn colour_noise_follows_the_components() {
        let components = vec![(0.5, vec![0.6, 0.8, 0.0]), (0.1, vec![0.0, 0.0, 1.0])];
        let mut found = FloatImage { shape: [3, 1, 1], values: vec![0.5; 3] };
        found.add_along(&components, &[1.0, -2.0]);
        assert_eq!(found.values, [0.8, 0.9, 0.3]);
    }

    #[test]
    fn parts_lie_inside() {
        for seed in 0..500 {
            let mut rng = rng(seed);
            let sides = part(&mut rng, [7, 30], [0.08, 1.0], [0.75, 4.0 / 3.0]);
            let at = place(&mut rng, [7, 30], sides);
            assert!(sides[0] >= 1 && at[0] + sides[0] <= 7 && at[1] + sides[1] <= 30);
        }
    }

    #[test]
    fn flips_happen_as_often_as_they_should() {
        let flip = "flip".parse().unwrap();
        let flipped = (0..1000).filter(|seed| {
            let mut found = image([1, 1, 3]);
            found.apply(&flip, &Vec::new(), &mut rng(*seed));
            found.values[0] > found.values[2]
        });
        let flipped = flipped.count();
        assert!((430..570).contains(&flipped), "{flipped}");
    }
}
