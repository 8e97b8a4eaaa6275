//! What augmentations do to one image, on values from 0 to 1.

use super::moves::{floor, shift, turned_from};

/// An image `[C, H, W]` with values from 0 to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct FloatImage {
    /// `[C, H, W]`
    pub shape: [usize; 3],
    /// Row by row, plane by plane.
    pub values: Vec<f32>,
}

/// Standard deviation and direction of each principal component of colour.
pub type Components = Vec<(f64, Vec<f64>)>;

impl FloatImage {
    /// Bytes as values.
    pub fn new(shape: [usize; 3], bytes: &[u8]) -> Self {
        FloatImage { shape, values: bytes.iter().map(|byte| f32::from(*byte) / 255.0).collect() }
    }

    /// Moves the image down and to the right; what comes in is zero.
    pub(crate) fn shift(&mut self, by: [isize; 2]) {
        let [_, height, width] = self.shape;
        shift(&mut self.values, [height, width], by, 0.0);
    }

    /// Turns the image about its middle, against the clock, with bilinear interpolation; what comes in is zero.
    pub(crate) fn rotate(&mut self, angle: f64) {
        let [channels, height, width] = self.shape;
        let source = self.values.clone();
        let from = turned_from([height, width], angle);
        for y in 0..height {
            for x in 0..width {
                let (from_y, from_x) = from(y, x);
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
    pub(super) fn colour(&mut self, [brightness, contrast, saturation]: [f32; 3], hue: f32) {
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
    pub(super) fn add_along(&mut self, components: &Components, noise: &[f64]) {
        let len = self.shape[1] * self.shape[2];
        for (c, plane) in self.values.chunks_exact_mut(len).enumerate() {
            let along =
                components.iter().zip(noise).map(|((deviation, direction), noise)| direction[c] * deviation * noise);
            let colour = along.sum::<f64>() as f32;
            plane.iter_mut().for_each(|x| *x += colour);
        }
    }

    pub(super) fn empty(&mut self, [top, left]: [usize; 2], [rows, cols]: [usize; 2]) {
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

#[cfg(test)]
mod tests {
    use super::super::draw::Drawn;
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn applied(text: &str, mut image: FloatImage, seed: u64) -> FloatImage {
        let [_, height, width] = image.shape;
        let (augment, mut rng) = (text.parse().unwrap(), ChaCha8Rng::seed_from_u64(seed));
        Drawn::of(&augment, [height, width], &Vec::new(), &mut rng).apply(&mut image, &Vec::new());
        image
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
            let found = applied("cutout(4)", image([1, 12, 12]), seed);
            seen.insert(found.values.iter().filter(|x| **x == 0.0).count());
        }
        assert!(seen.contains(&16) && seen.iter().all(|n| (4..=16).contains(n)), "{seen:?}");
        let erased = (0..400).filter(|seed| {
            let found = applied("erase(0.25)", image([1, 12, 12]), *seed);
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
    fn flips_happen_as_often_as_they_should() {
        let flipped = (0..1000).filter(|seed| {
            let found = applied("flip", image([1, 1, 3]), *seed);
            found.values[0] > found.values[2]
        });
        let flipped = flipped.count();
        assert!((430..570).contains(&flipped), "{flipped}");
    }
}
