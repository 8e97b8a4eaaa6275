//! Images in another size, as Pillow's antialiased bilinear filter makes them, bit for bit.
//!
//! Networks that were trained in PyTorch have seen images that torchvision resized by Pillow, so this is its arithmetic
//! (`Resample.c`): weights of 22 bits behind the point, and bytes after rows and after columns. Its order, which rounding makes visible, is
//! that of Pillow 13.0 (`ImagingResampleInner`); versions without this choice always take rows first, which differs for tall images only. The filter of the crate `image`
//! differs by a level here and there. Of the result a window is computed and no more, since of an image of one row the whole of it can
//! be a million pixels wide.

use super::Image;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Range;

/// Bits of a weight behind the point: of 32 a byte takes eight, and two are for the sign and for sums above one.
const BITS: u32 = 32 - 8 - 2;

/// What a pixel is made of: so much of each input pixel from `first` on.
struct Taps {
    first: usize,
    weights: Vec<i32>,
}

/// A window of the image in another size `[H, W]`, given the window's first row and column and its size. Neither the image nor
/// the size may be empty.
pub(super) fn resampled(
    image: &Image<'_>,
    size: [usize; 2],
    [top, left]: [usize; 2],
    [height, width]: [usize; 2],
) -> Image<'static> {
    let [channels, h, w] = image.shape;
    let (rows, columns) = (taps(h, size[0], top..top + height), taps(w, size[1], left..left + width));
    // Columns are shortened before rows where the height loses more than twice what the width does: Pillow's rule, which saves it work.
    let columns_first = h > size[0] && h - size[0] > 2 * w.saturating_sub(size[1]);
    let mut pixels = Vec::with_capacity(channels * height * width);
    for plane in image.pixels.chunks_exact(h * w) {
        let line = |row: usize| &plane[row * w..(row + 1) * w];
        // Rows of the image at their new width, from `start` on; no more than a row of the result is made of.
        let (mut start, mut narrow): (usize, VecDeque<Vec<u8>>) = (0, VecDeque::new());
        for Taps { first, weights } in &rows {
            let end = first + weights.len();
            if columns_first {
                pixels.extend(across(&down((*first..end).map(line), weights, w), &columns));
                continue;
            }
            narrow.drain(..(first - start).min(narrow.len()));
            start = *first;
            narrow.extend((start + narrow.len()..end).map(|row| across(line(row), &columns)));
            pixels.extend(down(narrow.iter().map(Vec::as_slice), weights, width));
        }
    }
    Image { shape: [channels, height, width], pixels: Cow::Owned(pixels) }
}

fn down<'a>(rows: impl Iterator<Item = &'a [u8]>, weights: &[i32], width: usize) -> Vec<u8> {
    let mut sums = vec![1 << (BITS - 1); width];
    for (row, weight) in rows.zip(weights) {
        sums.iter_mut().zip(row).for_each(|(sum, pixel)| *sum += i32::from(*pixel) * weight);
    }
    sums.into_iter().map(byte).collect()
}

fn across(row: &[u8], columns: &[Taps]) -> Vec<u8> {
    let pixel = |Taps { first, weights }: &Taps| {
        let products = row[*first..].iter().zip(weights).map(|(pixel, weight)| i32::from(*pixel) * weight);
        byte(products.sum::<i32>() + (1 << (BITS - 1)))
    };
    columns.iter().map(pixel).collect()
}

fn byte(sum: i32) -> u8 {
    (sum >> BITS).clamp(0, 255) as u8
}

/// The taps of some of `to` pixels that are made of `from`.
fn taps(from: usize, to: usize, window: Range<usize>) -> Vec<Taps> {
    let scale = from as f64 / to as f64;
    // Half of what a triangle covers: one pixel, and more where many become one.
    let support = scale.max(1.0);
    let of = |i: usize| {
        let centre = (i as f64 + 0.5) * scale;
        let first = (centre - support + 0.5).max(0.0) as usize;
        let end = ((centre + support + 0.5) as usize).min(from);
        let weight = |x: usize| (1.0 - ((x as f64 - centre + 0.5) * (1.0 / support)).abs()).max(0.0);
        let total: f64 = (first..end).map(weight).sum();
        let fixed = |x: usize| (weight(x) / total * f64::from(1 << BITS) + 0.5) as i32;
        Taps { first, weights: (first..end).map(fixed).collect() }
    };
    window.map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resized(image: &Image<'_>, height: usize, width: usize) -> Image<'static> {
        resampled(image, [height, width], [0, 0], [height, width])
    }

    fn image(shape: [usize; 3], pixels: &[u8]) -> Image<'static> {
        Image { shape, pixels: pixels.to_vec().into() }
    }

    #[test]
    fn values_are_those_of_pillow() {
        // Image.fromarray(..).resize((2, 1), BILINEAR), and ((7, 1)) of the same; ((2, 3)) of two rows of four.
        let row = image([1, 1, 4], &[0, 0, 200, 200]);
        assert_eq!(resized(&row, 1, 2).pixels[..], [29, 171]);
        assert_eq!(resized(&row, 1, 7).pixels[..], [0, 0, 0, 100, 200, 200, 200]);
        let two = image([1, 2, 4], &[9, 8, 250, 3, 70, 61, 5, 255]);
        assert_eq!(resized(&two, 3, 2).pixels[..], [43, 110, 50, 115, 57, 120]);
        assert_eq!(resized(&two, 2, 4), two);
    }

    #[test]
    fn a_window_is_that_part_of_the_whole() {
        let pixels: Vec<u8> = (0..3 * 13 * 9).map(|i| (i * 37 % 251) as u8).collect();
        let all = image([3, 13, 9], &pixels);
        for size in [[40, 31], [5, 4], [13, 2], [1, 60], [3, 8]] {
            let whole = resized(&all, size[0], size[1]);
            let [top, left] = size.map(|side| side / 3);
            let [height, width] = [size[0] - top, size[1] - left];
            let window = resampled(&all, size, [top, left], [height, width]);
            for (i, pixel) in window.pixels.iter().enumerate() {
                let (c, y, x) = (i / (height * width), i / width % height + top, i % width + left);
                assert_eq!(*pixel, whole.pixels[(c * size[0] + y) * size[1] + x], "{size:?}");
            }
        }
    }
}
