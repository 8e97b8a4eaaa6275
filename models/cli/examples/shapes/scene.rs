//! Draws scenes of one to three shapes, for the tasks beyond classes: with a mask, with the list of shapes that are there, or, of one circle, with its
//! place and size.
//!
//! As in `draw`, every image follows from its number and the random seed.

use crate::draw::{Random, SHAPES, is_inside};
use convnet::report::mask_png;
use image::{Rgb, RgbImage};
use std::f64::consts::PI;
use std::fmt::Write;
use std::path::Path;

/// A shape in a scene.
struct Placed {
    class: usize,
    centre: [f64; 2],
    radius: f64,
    turned: f64,
    colour: [f64; 3],
}

/// An image with what is in it.
pub struct Scene {
    pub image: RgbImage,
    /// `[H, W]`: 0 for the ground, and one more than the number of a shape.
    pub mask: Vec<u8>,
    shapes: Vec<Placed>,
}

/// Places that are tried for a shape before it is left out.
const TRIES: usize = 50;

/// Whether a shape would cover no more than an edge of another. Of one that is covered nobody could tell what it is.
fn are_apart([x, y]: [f64; 2], radius: f64, other: &Placed) -> bool {
    (x - other.centre[0]).hypot(y - other.centre[1]) > 0.8 * (radius + other.radius)
}

/// The scene of that number, of `size` x `size` pixels: some shapes, later ones over earlier ones; or a circle alone.
pub fn scene(number: usize, size: u32, seed: u64, circle: bool) -> Scene {
    let mut random = Random(seed.wrapping_mul(2_000_003) ^ (u64::from(circle) << 50) ^ ((number as u64) << 8));
    let whole = f64::from(size);
    let ground = [random.colour(0.0, 90.0), random.colour(0.0, 90.0)];
    let count = if circle { 1 } else { random.between(1.0, 4.0) as usize };
    let mut shapes: Vec<Placed> = Vec::new();
    for _ in 0..count {
        let class = if circle { 0 } else { random.between(0.0, SHAPES.len() as f64) as usize };
        let radius = random.between(0.14, 0.30) * whole;
        let (turned, colour) = (random.between(0.0, 2.0 * PI), random.colour(150.0, 255.0));
        let mut tries = (0..TRIES).map(|_| [0, 1].map(|_| random.between(radius, whole - radius)));
        if let Some(centre) = tries.find(|centre| shapes.iter().all(|other| are_apart(*centre, radius, other))) {
            shapes.push(Placed { class, centre, radius, turned, colour });
        }
    }
    let noise = random.between(5.0, 25.0);
    let (mut image, mut mask) = (RgbImage::new(size, size), Vec::new());
    for (column, row, pixel) in image.enumerate_pixels_mut() {
        let [x, y] = [column, row].map(|at| f64::from(at) + 0.5);
        let share = (x + y) / (2.0 * whole);
        let top = shapes.iter().rev().find(|shape| {
            let (dx, dy) = ((x - shape.centre[0]) / shape.radius, (y - shape.centre[1]) / shape.radius);
            let (sin, cos) = shape.turned.sin_cos();
            is_inside(shape.class, cos * dx + sin * dy, cos * dy - sin * dx)
        });
        mask.push(top.map_or(0, |shape| shape.class as u8 + 1));
        *pixel = Rgb([0, 1, 2].map(|channel| {
            let below = ground[0][channel] * (1.0 - share) + ground[1][channel] * share;
            (top.map_or(below, |shape| shape.colour[channel]) + random.between(-noise, noise)) as u8
        }));
    }
    Scene { image, mask, shapes }
}

/// Writes `folder/images/NNN.png` with a mask of the same name in `folder/masks`, and the names of the classes in `folder/classes.txt`.
///
/// # Errors
/// When a folder or a file cannot be written.
pub fn masks(folder: &Path, count: usize, size: u32, seed: u64) -> image::ImageResult<()> {
    ["images", "masks"].iter().try_for_each(|part| std::fs::create_dir_all(folder.join(part)))?;
    for number in 0..count {
        let Scene { image, mask, .. } = scene(number, size, seed, false);
        let name = format!("{number:04}.png");
        image.save(folder.join("images").join(&name))?;
        std::fs::write(folder.join("masks").join(&name), mask_png(&mask, [size as usize; 2]))?;
    }
    Ok(std::fs::write(folder.join("classes.txt"), format!("ground\n{}\n", SHAPES.join("\n")))?)
}

/// Writes `folder/images/NNN.png` and `folder/list.csv` with a column for each shape, which says by 0 or 1 whether it can be seen.
///
/// # Errors
/// When a folder or a file cannot be written.
pub fn labels(folder: &Path, count: usize, size: u32, seed: u64) -> image::ImageResult<()> {
    listed(folder, &SHAPES, count, |number| {
        let Scene { image, mask, .. } = scene(number, size, seed, false);
        let there = |class: usize| u8::from(mask.iter().filter(|label| usize::from(**label) == class + 1).count() > 20);
        (image, (0..SHAPES.len()).map(|class| there(class).to_string()).collect())
    })
}

/// Writes `folder/images/NNN.png` with one circle each, and `folder/list.csv` with its centre and its radius in pixels.
///
/// # Errors
/// When a folder or a file cannot be written.
pub fn numbers(folder: &Path, count: usize, size: u32, seed: u64) -> image::ImageResult<()> {
    listed(folder, &["x", "y", "radius"], count, |number| {
        let Scene { image, shapes, .. } = scene(number, size, seed, true);
        // A circle is drawn with 0.85 of the radius that encloses every shape.
        let values =
            |shape: &Placed| [shape.centre[0], shape.centre[1], 0.85 * shape.radius].map(|x| format!("{x:.2}"));
        (image, shapes.first().map_or_else(Vec::new, |shape| values(shape).to_vec()))
    })
}

/// Writes images, and a list of them with these columns.
fn listed(
    folder: &Path,
    columns: &[&str],
    count: usize,
    of: impl Fn(usize) -> (RgbImage, Vec<String>),
) -> image::ImageResult<()> {
    std::fs::create_dir_all(folder.join("images"))?;
    let mut list = format!("path,{}\n", columns.join(","));
    for number in 0..count {
        let (image, values) = of(number);
        let path = format!("images/{number:04}.png");
        image.save(folder.join(&path))?;
        let _ = writeln!(list, "{path},{}", values.join(","));
    }
    Ok(std::fs::write(folder.join("list.csv"), list)?)
}
