//! Images of any size and colour as a network takes them.

use super::{DataError, Image, word};
use crate::wording::word_of;
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// How an image of another size becomes the network's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
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

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(word_of(&Fit::NAMES, self))
    }
}

/// The image in so many channels: a grey one repeated, a coloured one as its brightness (ITU-R 601, as PIL's `L`).
///
/// # Errors
/// When there is no such way.
#[doc(hidden)]
pub fn coloured(image: Image<'_>, channels: usize) -> Result<Image<'_>, DataError> {
    let [has, height, width] = image.shape;
    let pixels = match (has, channels) {
        _ if has == channels => return Ok(image),
        (1, _) => image.pixels.repeat(channels),
        (3, 1) => {
            let (r, rest) = image.pixels.split_at(height * width);
            let (g, b) = rest.split_at(height * width);
            let weighted = |((r, g), b): ((&u8, &u8), &u8)| {
                ((u32::from(*r) * 19595 + u32::from(*g) * 38470 + u32::from(*b) * 7471 + 0x8000) >> 16) as u8
            };
            r.iter().zip(g).zip(b).map(weighted).collect()
        }
        _ => {
            return Err(DataError::unnamed(format!("has {has} channels, and the network takes {channels}")));
        }
    };
    Ok(Image { shape: [channels, height, width], pixels: Cow::Owned(pixels) })
}

/// Black around an image, so that it has this height and width.
pub(super) fn padded(image: &Image<'_>, [height, width]: [usize; 2]) -> Image<'static> {
    let [channels, h, w] = image.shape;
    let (top, left) = ((height - h) / 2, (width - w) / 2);
    let mut pixels = vec![0; channels * height * width];
    for (row, line) in image.pixels.chunks_exact(w).enumerate() {
        let at = (row / h * height + top + row % h) * width + left;
        pixels[at..at + w].copy_from_slice(line);
    }
    Image { shape: [channels, height, width], pixels: Cow::Owned(pixels) }
}

/// A part of an image, given its first row and column and its size.
pub(super) fn cropped(image: &Image<'_>, [top, left]: [usize; 2], [height, width]: [usize; 2]) -> Image<'static> {
    let [channels, h, w] = image.shape;
    let mut pixels = Vec::with_capacity(channels * height * width);
    for c in 0..channels {
        for y in top..top + height {
            let at = (c * h + y) * w + left;
            pixels.extend_from_slice(&image.pixels[at..at + width]);
        }
    }
    Image { shape: [channels, height, width], pixels: Cow::Owned(pixels) }
}

/// `[H, W]` of an image `scale` times as large, but no smaller than `least`.
pub(super) fn scaled([h, w]: [usize; 2], scale: f64, least: [usize; 2]) -> [usize; 2] {
    let side = |x: usize, least: usize| ((x as f64 * scale).round() as usize).max(least);
    [side(h, least[0]), side(w, least[1])]
}

#[cfg(test)]
mod tests {
    use super::super::frame::Frame;
    use super::*;

    fn fitted(image: Image<'_>, shape: [usize; 3], fit: Fit) -> Result<Image<'_>, DataError> {
        let image = coloured(image, shape[0])?;
        Ok(Frame::fitted([image.shape[1], image.shape[2]], [shape[1], shape[2]], fit)?.image(image))
    }

    fn image(shape: [usize; 3], pixels: &[u8]) -> Image<'static> {
        Image { shape, pixels: pixels.to_vec().into() }
    }

    #[test]
    fn small_images_are_placed_in_the_middle() {
        let found = fitted(image([1, 1, 2], &[1, 2]), [2, 3, 3], Fit::Auto).unwrap();
        let plane = [0, 0, 0, 1, 2, 0, 0, 0, 0];
        assert_eq!(found.pixels, [plane, plane].concat());
    }

    #[test]
    fn large_images_lose_their_margins() {
        let found = fitted(image([1, 2, 4], &[1, 2, 3, 4, 5, 6, 7, 8]), [1, 2, 2], Fit::Auto).unwrap();
        assert_eq!(found, image([1, 2, 2], &[2, 3, 6, 7]));
        let found = fitted(image([1, 4, 8], &[40; 32]), [1, 2, 2], Fit::Auto).unwrap();
        assert_eq!(found, image([1, 2, 2], &[40; 4]));
        let found = fitted(image([1, 1, 4], &[0, 0, 200, 200]), [1, 1, 2], Fit::Resize).unwrap();
        // PIL: Image.fromarray(..).resize((2, 1), BILINEAR).
        assert_eq!(found, image([1, 1, 2], &[29, 171]));
    }

    #[test]
    fn an_image_of_one_row_costs_no_more_than_another() {
        // Enlarged as a whole it would have 224 x 134,000,000 pixels.
        let long: Vec<u8> = (0..600_000).map(|x| if x < 300_000 { 10 } else { 200 }).collect();
        for shape in [[1, 1, 600_000], [1, 600_000, 1]] {
            for fit in [Fit::Auto, Fit::Crop, Fit::Resize] {
                let found = fitted(image(shape, &long), [1, 224, 224], fit).unwrap();
                let [first, last] = [found.pixels[0], found.pixels[224 * 224 - 1]];
                assert!(first.abs_diff(10) <= 1 && last.abs_diff(200) <= 1, "{fit} {shape:?}: {first} {last}");
            }
        }
    }

    #[test]
    fn colours_become_brightness_and_back() {
        assert_eq!(coloured(image([3, 1, 1], &[255, 0, 0]), 1).unwrap().pixels[0], 76);
        assert_eq!(coloured(image([1, 1, 1], &[7]), 3).unwrap().pixels.to_vec(), [7, 7, 7]);
        assert!(coloured(image([2, 1, 1], &[1, 2]), 3).is_err());
        assert_eq!(fitted(image([1, 0, 0], &[]), [1, 2, 2], Fit::Auto).map(|p| p.shape).ok(), None);
    }

    #[test]
    fn names_are_read_back() {
        for (name, fit) in Fit::NAMES {
            assert_eq!(name.parse::<Fit>().unwrap(), fit);
            assert_eq!(fit.to_string(), name);
        }
        assert!("stretch".parse::<Fit>().is_err());
    }
}
