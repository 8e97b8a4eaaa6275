//! Real pictures for the examples, MNIST's test digits, and how they and maps of numbers become images.

use convnet::data::{self, DataError, Images, Normalisation, Split};
use convnet::explain::Volume;
use convnet::report::paint;
use image::imageops::{FilterType, resize};
use image::{Rgb, RgbImage};
use std::sync::OnceLock;

/// MNIST's digits: 60,000 to learn from, 10,000 to be tested with.
///
/// # Errors
/// When they cannot be read.
fn mnist() -> Result<&'static Split<Images>, DataError> {
    static DIGITS: OnceLock<Split<Images>> = OnceLock::new();
    if let Some(digits) = DIGITS.get() {
        return Ok(digits);
    }
    let digits = data::mnist::bundled()?;
    Ok(DIGITS.get_or_init(|| digits))
}

/// The first of them: so many to learn from, and so many to be tested with.
///
/// # Errors
/// When they cannot be read.
pub fn first_digits(train: usize, test: usize) -> Result<Split<Images>, DataError> {
    let first = |images: &Images, count: usize| {
        let Images { shape, labels, classes, .. } = images;
        let pixels = images.pixels[..count * shape.iter().product::<usize>()].to_vec();
        Images { shape: *shape, pixels, labels: labels[..count].to_vec(), classes: classes.clone() }
    };
    let digits = mnist()?;
    Ok(Split { train: first(&digits.train, train), test: first(&digits.test, test) })
}

/// A test digit, `[1, 28, 28]`: 0 is the ground, 1 the brightest ink.
///
/// # Errors
/// When the digits cannot be read.
pub fn digit(index: usize) -> Result<Volume, DataError> {
    let values = mnist()?.test.bytes(index).iter().map(|byte| f32::from(*byte) / 255.0).collect();
    Ok(Volume::new([1, 28, 28], values))
}

/// A test digit as a network takes it that was trained on digits, `[1, 28, 28]`.
///
/// # Errors
/// When the digits cannot be read.
pub fn prepared(index: usize) -> Result<Volume, DataError> {
    let mut values = Vec::new();
    Normalisation::named("mnist", 1)?.extend(mnist()?.test.bytes(index), &mut values);
    Ok(Volume::new([1, 28, 28], values))
}

/// The image with everything `down` pixels lower and `right` pixels to the right; zeros come in.
pub fn moved(image: &Volume, down: isize, right: isize) -> Volume {
    taken(image, |y, x| [y - down as f64, x - right as f64])
}

/// The image turned about its middle, against the clock; zeros come in.
pub fn turned(image: &Volume, degrees: f64) -> Volume {
    let [_, height, width] = image.shape;
    let ([middle_y, middle_x], (sin, cos)) =
        ([height, width].map(|side| (side as f64 - 1.0) / 2.0), degrees.to_radians().sin_cos());
    taken(image, |y, x| {
        let (y, x) = (y - middle_y, x - middle_x);
        [middle_y + cos * y + sin * x, middle_x + cos * x - sin * y]
    })
}

/// Each pixel as that of the image which lies where `from` says, between its four neighbours.
fn taken(image: &Volume, from: impl Fn(f64, f64) -> [f64; 2]) -> Volume {
    let [channels, height, width] = image.shape;
    let mut taken = Volume::filled(image.shape, 0.0);
    for c in 0..channels {
        for (i, place) in (0..height * width).map(|i| (i, from((i / width) as f64, (i % width) as f64))) {
            let corners = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]].map(|corner| {
                let [y, x] = [0, 1].map(|d| place[d].floor() + corner[d]);
                let share = (1.0 - (y - place[0]).abs()) * (1.0 - (x - place[1]).abs());
                let inside = (0.0..height as f64).contains(&y) && (0.0..width as f64).contains(&x);
                if inside { share as f32 * image.at(c, y as usize, x as usize) } else { 0.0 }
            });
            taken.values[c * height * width + i] = corners.iter().sum();
        }
    }
    taken
}

/// Values from 0 (black) to 1 (white), of the first channel.
pub fn grey(image: &Volume) -> RgbImage {
    paint::photo(image, &Normalisation { mean: vec![0.0; image.shape[0]], std: vec![1.0; image.shape[0]] })
}

/// Each pixel as a square of so many.
pub fn upscaled(image: &RgbImage, zoom: u32) -> RgbImage {
    resize(image, image.width() * zoom, image.height() * zoom, FilterType::Nearest)
}

/// Images in a row on white, with a gap between them.
pub fn frame(images: &[RgbImage]) -> RgbImage {
    const GAP: u32 = 10;
    let width = images.iter().map(|image| image.width() + GAP).sum::<u32>().saturating_sub(GAP);
    let height = images.iter().map(RgbImage::height).max().unwrap_or(1);
    let (mut row, mut x) = (RgbImage::from_pixel(width.max(1), height, Rgb([255; 3])), 0);
    for image in images {
        image::imageops::replace(&mut row, image, x, i64::from((height - image.height()) / 2));
        x += i64::from(image.width() + GAP);
    }
    row
}
