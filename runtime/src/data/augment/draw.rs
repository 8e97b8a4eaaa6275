//! What chance has decided for one image, so that it happens to the image and to its mask alike.

use super::float_image::{Components, FloatImage};
use super::moves::{flip, shift, turn};
use super::{Augment, Word};
use crate::data::{IGNORED, Image};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// What an augmentation does to one image: all of its random numbers.
#[derive(Debug, Clone, PartialEq)]
pub enum Drawn {
    /// Nothing.
    Nothing,
    /// The image moves so many pixels down and to the right.
    Shift([isize; 2]),
    /// Left for right.
    Flip,
    /// Turned by an angle in radians, against the clock.
    Turn(f64),
    /// Factors of brightness, contrast and saturation, and the part of the circle by which the hue turns.
    Colour([f32; 3], f32),
    /// So many standard deviations along each principal component of colour.
    Along(Vec<f64>),
    /// A rectangle is emptied: its first row and column, its height and width.
    Empty([usize; 2], [usize; 2]),
}

impl Drawn {
    /// Draws for an image of height and width `size`. Augmentations that choose a part of a larger image, or mix several, draw nothing here.
    pub fn of(augment: &Augment, size: [usize; 2], components: &Components, rng: &mut ChaCha8Rng) -> Self {
        let [a, b, c, d] = augment.numbers;
        let [height, width] = size;
        match augment.word {
            Word::Crop if a > 0.0 => {
                let pad = a as isize;
                Drawn::Shift([rng.gen_range(-pad..=pad), rng.gen_range(-pad..=pad)])
            }
            Word::Flip => {
                if rng.gen_bool(a) {
                    Drawn::Flip
                } else {
                    Drawn::Nothing
                }
            }
            Word::Rotate => Drawn::Turn(rng.gen_range(-a..=a).to_radians()),
            Word::Color => {
                let factors = [a, b, c].map(|by| rng.gen_range(1.0 - by..=1.0 + by) as f32);
                Drawn::Colour(factors, rng.gen_range(-d..=d) as f32)
            }
            Word::Pca => {
                let mut along = || {
                    let x: f64 = StandardNormal.sample(rng);
                    x * a
                };
                Drawn::Along(components.iter().map(|_| along()).collect())
            }
            Word::Erase => {
                let (hit, sides) = (rng.gen_bool(a), part(rng, size, [0.02, 0.33], [0.3, 3.3]));
                let at = place(rng, size, sides);
                if hit { Drawn::Empty(at, sides) } else { Drawn::Nothing }
            }
            Word::Cutout => {
                // The square's middle lies anywhere, so a part of it may be outside.
                let (half, side) = (a as usize / 2, a as usize);
                let [y, x] = [rng.gen_range(0..height), rng.gen_range(0..width)];
                let start = [y.saturating_sub(half), x.saturating_sub(half)];
                let end = [(y + side - half).min(height), (x + side - half).min(width)];
                Drawn::Empty(start, [end[0] - start[0], end[1] - start[1]])
            }
            Word::Crop | Word::ResizedCrop | Word::MixUp | Word::CutMix => Drawn::Nothing,
        }
    }

    /// Does it to an image. What comes in from outside is zero.
    pub fn apply(&self, image: &mut FloatImage, components: &Components) {
        match self {
            Drawn::Nothing => {}
            Drawn::Shift(by) => image.shift(*by),
            Drawn::Flip => flip(&mut image.values, image.shape[2]),
            Drawn::Turn(angle) => image.rotate(*angle),
            Drawn::Colour(factors, hue) => image.colour(*factors, *hue),
            Drawn::Along(noise) => image.add_along(components, noise),
            Drawn::Empty(at, sides) => image.empty(*at, *sides),
        }
    }

    /// Does it to the mask `[1, H, W]` of the image: what moves the image moves the mask, pixel by pixel, and what comes in from outside is
    /// [`IGNORED`]. What changes the image's colours, or empties a part of it, leaves the mask as it is.
    pub fn apply_to_mask(&self, mask: &mut Image<'_>) {
        let [_, height, width] = mask.shape;
        let classes = &mut mask.pixels;
        match self {
            Drawn::Shift(by) => shift(classes.to_mut(), [height, width], *by, IGNORED),
            Drawn::Flip => flip(classes.to_mut(), width),
            Drawn::Turn(angle) => turn(classes.to_mut(), [height, width], *angle, IGNORED),
            Drawn::Nothing | Drawn::Colour(..) | Drawn::Along(_) | Drawn::Empty(..) => {}
        }
    }
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

    #[test]
    fn parts_lie_inside() {
        for seed in 0..500 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let sides = part(&mut rng, [7, 30], [0.08, 1.0], [0.75, 4.0 / 3.0]);
            let at = place(&mut rng, [7, 30], sides);
            assert!(sides[0] >= 1 && at[0] + sides[0] <= 7 && at[1] + sides[1] <= 30);
        }
    }
}
