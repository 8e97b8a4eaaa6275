//! Draws images of five shapes, of any size, position, rotation and colour, on noise.
//!
//! Every image follows from its class, its number and the random seed, so a larger dataset begins with the smaller one. The
//! generator of random numbers is four lines, since tests include this file as it is and need no crate for it.

use image::{Rgb, RgbImage};
use std::f64::consts::PI;
use std::path::Path;

/// The classes: folders have these names.
pub const SHAPES: [&str; 5] = ["circle", "cross", "square", "star", "triangle"];

/// Writes `count` images of `size` x `size` pixels as `folder/CLASS/NNN.png`, as many of each class as of any other, or one
/// more.
///
/// # Errors
/// When a folder or a file cannot be written.
pub fn dataset(folder: &Path, count: usize, size: u32, seed: u64) -> image::ImageResult<()> {
    let digits = count.div_ceil(SHAPES.len()).saturating_sub(1).to_string().len().max(3);
    for i in 0..count {
        let (class, number) = (i % SHAPES.len(), i / SHAPES.len());
        let class_folder = folder.join(SHAPES[class]);
        std::fs::create_dir_all(&class_folder)?;
        draw(class, number, size, seed).save(class_folder.join(format!("{number:0digits$}.png")))?;
    }
    Ok(())
}

/// The image of that number of a class, of `size` x `size` pixels.
pub fn draw(class: usize, number: usize, size: u32, seed: u64) -> RgbImage {
    let mut random = Random(seed.wrapping_mul(1_000_003) ^ ((class as u64) << 40) ^ number as u64);
    // Bright shapes on dark grounds, so that a small network sees in some minutes what makes a class.
    let background = [random.colour(0.0, 90.0), random.colour(0.0, 90.0)];
    let colour = random.colour(150.0, 255.0);
    let whole = f64::from(size);
    let radius = random.between(0.28, 0.42) * whole;
    let centre = [0, 1].map(|_| random.between(0.9 * radius, whole - 0.9 * radius));
    let (sin, cos) = random.between(0.0, 2.0 * PI).sin_cos();
    let noise = random.between(5.0, 25.0);
    let mut image = RgbImage::new(size, size);
    for (column, row, pixel) in image.enumerate_pixels_mut() {
        let [x, y] = [column, row].map(|at| f64::from(at) + 0.5);
        let (dx, dy) = ((x - centre[0]) / radius, (y - centre[1]) / radius);
        let share = (x + y) / (2.0 * whole);
        let inside = is_inside(class, cos * dx + sin * dy, cos * dy - sin * dx);
        *pixel = Rgb([0, 1, 2].map(|channel| {
            let below = background[0][channel] * (1.0 - share) + background[1][channel] * share;
            let value = if inside { colour[channel] } else { below };
            (value + random.between(-noise, noise)) as u8
        }));
    }
    image
}

/// Whether a point is in the shape that a circle of radius 1 around the origin encloses.
pub fn is_inside(class: usize, x: f64, y: f64) -> bool {
    let (far, near) = (x.abs().max(y.abs()), x.abs().min(y.abs()));
    match SHAPES[class] {
        "circle" => x.hypot(y) < 0.85,
        "cross" => near < 0.27 && far < 0.9,
        "square" => far < 0.71,
        "star" => points(x, y, 5.0, 0.38),
        // A triangle is a star of three points with straight sides.
        _ => points(x, y, 3.0, 0.5),
    }
}

/// Whether a point is in a star of so many points; `inner` is the radius of the corners between them.
fn points(x: f64, y: f64, count: f64, inner: f64) -> bool {
    let half = PI / count;
    // All is as in the wedge from one point at angle 0 to the next corner at angle `half`.
    let angle = (y.atan2(x).rem_euclid(2.0 * half) - half).abs();
    let (sin, cos) = (half - angle).sin_cos();
    let (x, y) = (x.hypot(y) * cos, x.hypot(y) * sin);
    let corner = [inner * half.cos(), inner * half.sin()];
    (x - 1.0) * corner[1] - y * (corner[0] - 1.0) < 0.0
}

/// SplitMix64 (Steele, Lea and Flood 2014).
pub struct Random(pub u64);

impl Random {
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        low + (high - low) * ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn colour(&mut self, low: f64, high: f64) -> [f64; 3] {
        [(); 3].map(|()| self.between(low, high))
    }
}
