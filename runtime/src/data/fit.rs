//! Pictures of any size and colour as a network takes them.

use super::{DataError, Picture, word};
use image::imageops::{FilterType, resize};
use image::{ImageBuffer, Luma};
use std::borrow::Cow;
use std::str::FromStr;

/// How a picture of another size becomes the network's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fit {
    /// Smaller ones as `Pad`, all others as `Crop`.
    #[default]
    Auto,
    /// In the middle, black around; larger ones as `Crop`.
    Pad,
    /// Stretched.
    Resize,
    /// The shorter side resized, and the middle of the longer one.
    Crop,
}

impl Fit {
    pub(crate) const NAMES: [(&str, Fit); 4] =
        [("auto", Fit::Auto), ("pad", Fit::Pad), ("resize", Fit::Resize), ("crop", Fit::Crop)];
}

impl FromStr for Fit {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self, DataError> {
        word("fit", &Fit::NAMES, text)
    }
}

/// The picture in so many channels: a grey one repeated, a coloured one as its brightness (ITU-R 601, as PIL's `L`).
///
/// # Errors
/// When there is no such way.
pub fn coloured(picture: Picture<'_>, channels: usize) -> Result<Picture<'_>, DataError> {
    let [has, height, width] = picture.shape;
    let pixels = match (has, channels) {
        _ if has == channels => return Ok(picture),
        (1, _) => picture.pixels.repeat(channels),
        (3, 1) => {
            let (r, rest) = picture.pixels.split_at(height * width);
            let (g, b) = rest.split_at(height * width);
            let weighted = |((r, g), b): ((&u8, &u8), &u8)| {
                ((u32::from(*r) * 19595 + u32::from(*g) * 38470 + u32::from(*b) * 7471 + 0x8000) >> 16) as u8
            };
            r.iter().zip(g).zip(b).map(weighted).collect()
        }
        _ => {
            let problem = format!("has {has} channels, and the network takes {channels}");
            return Err(DataError::Picture { path: "a picture".into(), problem });
        }
    };
    Ok(Picture { shape: [channels, height, width], pixels: Cow::Owned(pixels) })
}

/// The picture in the shape `[C, H, W]`.
///
/// # Errors
/// When its channels cannot become the network's, or it has no pixels.
pub fn fitted(picture: Picture<'_>, shape: [usize; 3], fit: Fit) -> Result<Picture<'_>, DataError> {
    let [channels, height, width] = shape;
    let picture = coloured(picture, channels)?;
    let [_, h, w] = picture.shape;
    let fits = h <= height && w <= width;
    Ok(match fit {
        _ if [h, w] == [height, width] => picture,
        _ if h * w == 0 => {
            return Err(DataError::Picture { path: "a picture".into(), problem: "has no pixels".into() });
        }
        Fit::Auto | Fit::Pad if fits => padded(&picture, height, width),
        Fit::Resize => resized(&picture, height, width),
        _ => {
            // The side that has to grow more, or shrink less, is the one that fits.
            let scale = (height as f64 / h as f64).max(width as f64 / w as f64);
            let side = |x: usize, least: usize| ((x as f64 * scale).round() as usize).max(least);
            let large = resized(&picture, side(h, height), side(w, width));
            let [_, h, w] = large.shape;
            cropped(&large, [(h - height) / 2, (w - width) / 2], [height, width])
        }
    })
}

fn padded(picture: &Picture<'_>, height: usize, width: usize) -> Picture<'static> {
    let [channels, h, w] = picture.shape;
    let (top, left) = ((height - h) / 2, (width - w) / 2);
    let mut pixels = vec![0; channels * height * width];
    for (row, line) in picture.pixels.chunks_exact(w).enumerate() {
        let at = (row / h * height + top + row % h) * width + left;
        pixels[at..at + w].copy_from_slice(line);
    }
    Picture { shape: [channels, height, width], pixels: Cow::Owned(pixels) }
}

/// A part of a picture, given its first row and column and its size.
pub fn cropped(picture: &Picture<'_>, [top, left]: [usize; 2], [height, width]: [usize; 2]) -> Picture<'static> {
    let [channels, h, w] = picture.shape;
    let mut pixels = Vec::with_capacity(channels * height * width);
    for c in 0..channels {
        for y in top..top + height {
            let at = (c * h + y) * w + left;
            pixels.extend_from_slice(&picture.pixels[at..at + width]);
        }
    }
    Picture { shape: [channels, height, width], pixels: Cow::Owned(pixels) }
}

/// The picture in another size, each pixel the mean of what it covers (a triangle filter, as PIL's and torchvision's
/// antialiased bilinear one).
pub fn resized(picture: &Picture<'_>, height: usize, width: usize) -> Picture<'static> {
    let [channels, h, w] = picture.shape;
    let mut pixels = Vec::with_capacity(channels * height * width);
    for plane in picture.pixels.chunks_exact(h * w) {
        let plane: ImageBuffer<Luma<u8>, &[u8]> = ImageBuffer::from_raw(w as u32, h as u32, plane)
            .unwrap_or_else(|| unreachable!("a plane has all its pixels"));
        pixels.extend(resize(&plane, width as u32, height as u32, FilterType::Triangle).into_raw());
    }
    Picture { shape: [channels, height, width], pixels: Cow::Owned(pixels) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(shape: [usize; 3], pixels: &[u8]) -> Picture<'static> {
        Picture { shape, pixels: pixels.to_vec().into() }
    }

    #[test]
    fn small_pictures_are_placed_in_the_middle() {
        let found = fitted(picture([1, 1, 2], &[1, 2]), [2, 3, 3], Fit::Auto).unwrap();
        let plane = [0, 0, 0, 1, 2, 0, 0, 0, 0];
        assert_eq!(found.pixels, [plane, plane].concat());
    }

    #[test]
    fn large_pictures_lose_their_margins() {
        let found = fitted(picture([1, 2, 4], &[1, 2, 3, 4, 5, 6, 7, 8]), [1, 2, 2], Fit::Auto).unwrap();
        assert_eq!(found, picture([1, 2, 2], &[2, 3, 6, 7]));
        let found = fitted(picture([1, 4, 8], &[40; 32]), [1, 2, 2], Fit::Auto).unwrap();
        assert_eq!(found, picture([1, 2, 2], &[40; 4]));
        let found = fitted(picture([1, 1, 4], &[0, 0, 200, 200]), [1, 1, 2], Fit::Resize).unwrap();
        // PIL: Image.fromarray(..).resize((2, 1), BILINEAR) gives 29 and 171.
        assert!(found.pixels[0].abs_diff(29) <= 1 && found.pixels[1].abs_diff(171) <= 1, "{found:?}");
    }

    #[test]
    fn colours_become_brightness_and_back() {
        assert_eq!(coloured(picture([3, 1, 1], &[255, 0, 0]), 1).unwrap().pixels[0], 76);
        assert_eq!(coloured(picture([1, 1, 1], &[7]), 3).unwrap().pixels.to_vec(), [7, 7, 7]);
        assert!(coloured(picture([2, 1, 1], &[1, 2]), 3).is_err());
        assert_eq!(fitted(picture([1, 0, 0], &[]), [1, 2, 2], Fit::Auto).map(|p| p.shape).ok(), None);
    }

    #[test]
    fn names_are_read_back() {
        for (name, fit) in Fit::NAMES {
            assert_eq!(name.parse::<Fit>().unwrap(), fit);
        }
        assert!("stretch".parse::<Fit>().is_err());
    }
}
