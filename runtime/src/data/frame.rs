//! Where the pixels of an image come to lie in another frame: one way for an image, whose pixels are interpolated, for its mask, whose
//! classes are not, and back for what a network has said of each pixel.

use super::fit::{Fit, cropped, padded, scaled};
use super::resample::resampled;
use super::{DataError, IGNORED, Image};
use std::borrow::Cow;
use std::ops::Range;

/// A rectangle: its first row and column, and its height and width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub at: [usize; 2],
    pub sides: [usize; 2],
}

impl Part {
    pub fn whole(sides: [usize; 2]) -> Self {
        Part { at: [0, 0], sides }
    }
}

/// From an image to a frame: a part of the image is resized, and a window of that is put into the middle of the frame.
///
/// Sizes are `[H, W]`; the part lies within the image, the window within what was resized, and is no larger than the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    /// The height and width of the image.
    pub from: [usize; 2],
    /// The part of the image that is used.
    pub part: Part,
    /// The height and width that this part is resized to.
    pub size: [usize; 2],
    /// The rectangle of the resized part that is put into the middle of the frame.
    pub window: Part,
    /// The height and width of the frame.
    pub to: [usize; 2],
}

impl Frame {
    /// The way of an image of size `from` into the frame `to`, as `fit` says.
    ///
    /// # Errors
    /// When the image has no pixels.
    pub fn fitted(from: [usize; 2], to: [usize; 2], fit: Fit) -> Result<Self, DataError> {
        let [[h, w], [height, width]] = [from, to];
        let fits = h <= height && w <= width;
        let (size, window) = match fit {
            _ if from == to => (from, Part::whole(from)),
            _ if h * w == 0 => return Err(DataError::unnamed("has no pixels".into())),
            Fit::Auto | Fit::Pad if fits => (from, Part::whole(from)),
            Fit::Resize => (to, Part::whole(to)),
            _ => {
                // The side that has to grow more, or shrink less, is the one that fits.
                let size = scaled(from, (height as f64 / h as f64).max(width as f64 / w as f64), to);
                (size, Part { at: [(size[0] - height) / 2, (size[1] - width) / 2], sides: to })
            }
        };
        Ok(Frame { from, part: Part::whole(from), size, window, to })
    }

    /// The way of an image of size `from` whose shorter side is resized to `short` and whose middle is taken, to the pixel as
    /// torchvision's `Resize(short)` and `CenterCrop([H, W])`; black around where that is smaller.
    ///
    /// # Errors
    /// As [`Frame::fitted`].
    pub fn centred(from: [usize; 2], short: usize, to: [usize; 2]) -> Result<Self, DataError> {
        let [h, w] = from;
        if h * w == 0 {
            return Err(DataError::unnamed("has no pixels".into()));
        }
        let short = short.max(1);
        let long = |side: usize, shorter: usize| (short as f64 * side as f64 / shorter as f64) as usize;
        let size = if w <= h { [long(h, w), short] } else { [short, long(w, h)] };
        let sides = [size[0].min(to[0]), size[1].min(to[1])];
        // Half a pixel goes to the even side, as Python's `round` has it.
        let start = |axis: usize| ((size[axis] - sides[axis]) as f64 / 2.0).round_ties_even() as usize;
        let window = Part { at: [start(0), start(1)], sides };
        Ok(Frame { from, part: Part::whole(from), size, window, to })
    }

    /// The image in the frame, interpolated where it is resized; what it does not cover is black.
    pub fn image<'a>(&self, image: Image<'a>) -> Image<'a> {
        let image = match self.part == Part::whole(self.from) {
            true => image,
            false => cropped(&image, self.part.at, self.part.sides),
        };
        let image = match self.size == self.part.sides && self.window == Part::whole(self.size) {
            true => image,
            false => resampled(&image, self.size, self.window.at, self.window.sides),
        };
        if self.window.sides == self.to { image } else { padded(&image, self.to) }
    }

    /// The mask `[1, H, W]` of such an image in the frame: the class of each pixel is that of one pixel of the mask, chosen as Pillow's
    /// `Image.resize(NEAREST)` does; what the mask does not cover is [`IGNORED`].
    pub fn mask<'a>(&self, mask: Image<'a>) -> Image<'a> {
        if *self == Frame::same(self.from) {
            return mask;
        }
        let [rows, columns] = [0, 1].map(|axis| self.sources(axis));
        let pixels = gathered(&mask.pixels, self.from[1], &rows, &columns);
        Image { shape: [1, self.to[0], self.to[1]], pixels: Cow::Owned(pixels) }
    }

    /// Classes `[H, W]` of the frame brought back to the image: each of its pixels has the class of the frame's pixel in which its middle
    /// has come to lie, or is [`IGNORED`] where it has come to lie in none.
    pub fn back(&self, classes: &[u8]) -> Vec<u8> {
        let [rows, columns] = [0, 1].map(|axis| (0..self.from[axis]).map(|i| self.place(axis, i)).collect::<Vec<_>>());
        gathered(classes, self.to[1], &rows, &columns)
    }

    /// The way that changes nothing.
    fn same(size: [usize; 2]) -> Self {
        Frame { from: size, part: Part::whole(size), size, window: Part::whole(size), to: size }
    }

    /// The rows, or columns, of the frame that are above, or to the left, of the window.
    fn margin(&self, axis: usize) -> usize {
        (self.to[axis] - self.window.sides[axis]) / 2
    }

    /// From which row, or column, of the image each of the frame comes.
    fn sources(&self, axis: usize) -> Vec<Option<usize>> {
        let (start, len) = (self.window.at[axis], self.window.sides[axis]);
        let mut sources = vec![None; self.to[axis]];
        let found = nearest(self.part.sides[axis], self.size[axis], start..start + len);
        for (source, i) in sources[self.margin(axis)..].iter_mut().zip(found) {
            *source = Some(self.part.at[axis] + i);
        }
        sources
    }

    /// Into which row, or column, of the frame that of the image has come.
    fn place(&self, axis: usize, i: usize) -> Option<usize> {
        let i = i.checked_sub(self.part.at[axis]).filter(|i| *i < self.part.sides[axis])?;
        let i = below_middle(i, self.size[axis], self.part.sides[axis]);
        let i = i.checked_sub(self.window.at[axis]).filter(|i| *i < self.window.sides[axis])?;
        Some(i + self.margin(axis))
    }
}

/// Pixels up to which Pillow's sums are made; further on they would take long, for an image that nobody resizes in Pillow.
const SUMMED: usize = 1 << 20;

/// The one of `from` pixels from which each of a window of `to` comes, the one in which its middle lies. Where that is exactly between two,
/// rounding decides, so the middles are summed up as Pillow does (`ImagingScaleAffine`).
fn nearest(from: usize, to: usize, window: Range<usize>) -> Vec<usize> {
    if window.end > SUMMED {
        return window.map(|i| below_middle(i, from, to)).collect();
    }
    let step = from as f64 / to as f64;
    let mut middle = step * 0.5;
    let mut found = Vec::with_capacity(window.len());
    for i in 0..window.end {
        if i >= window.start {
            found.push((middle as usize).min(from.saturating_sub(1)));
        }
        middle += step;
    }
    found
}

/// The one of `from` pixels in which the middle of pixel `i` of `to` lies: `floor((i + 0.5) * from / to)` without rounding.
fn below_middle(i: usize, from: usize, to: usize) -> usize {
    let [i, from, to] = [i, from, to].map(|x| x as u128);
    ((2 * i + 1) * from / (2 * to).max(1)) as usize
}

/// Classes at these rows and columns of a plane so many pixels wide; [`IGNORED`] where there is none.
fn gathered(plane: &[u8], width: usize, rows: &[Option<usize>], columns: &[Option<usize>]) -> Vec<u8> {
    let mut found = Vec::with_capacity(rows.len() * columns.len());
    for row in rows {
        let line = row.and_then(|row| plane.get(row * width..(row + 1) * width)).unwrap_or_default();
        let class = |column: &Option<usize>| column.and_then(|x| line.get(x)).copied().unwrap_or(IGNORED);
        found.extend(columns.iter().map(class));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(size: [usize; 2], class: impl Fn(usize, usize) -> usize) -> Image<'static> {
        let pixels = (0..size[0] * size[1]).map(|i| class(i / size[1], i % size[1]) as u8).collect();
        Image { shape: [1, size[0], size[1]], pixels }
    }

    #[test]
    fn classes_are_chosen_as_pillow_does() {
        // Image.fromarray(..).resize(.., NEAREST) of Pillow 13.0. The middle of seven lies between the second and the third of four.
        for (from, to, expected) in [
            (4, 7, &[0, 0, 1, 1, 2, 3, 3][..]),
            (7, 4, &[0, 2, 4, 6]),
            (10, 3, &[1, 5, 8]),
            (3, 10, &[0, 0, 0, 1, 1, 1, 1, 2, 2, 2]),
            (13, 8, &[0, 2, 4, 5, 7, 8, 10, 12]),
        ] {
            assert_eq!(nearest(from, to, 0..to), expected, "{from} {to}");
            assert_eq!(nearest(from, to, 2..to), expected[2..]);
        }
        // The formula says something else in that one place.
        assert!((0..7).map(|i| below_middle(i, 4, 7)).eq([0, 0, 1, 2, 2, 3, 3]));
        let whole = mask([6, 9], |y, x| (5 * y + 3 * x) % 11);
        let found = Frame::fitted([6, 9], [8, 5], Fit::Resize).unwrap().mask(whole.clone());
        let pillow = [
            [0, 6, 1, 7, 2],
            [5, 0, 6, 1, 7],
            [5, 0, 6, 1, 7],
            [10, 5, 0, 6, 1],
            [4, 10, 5, 0, 6],
            [9, 4, 10, 5, 0],
            [9, 4, 10, 5, 0],
            [3, 9, 4, 10, 5],
        ];
        assert_eq!(found.pixels[..], pillow.concat());
        // torchvision's Resize(7, NEAREST) and CenterCrop(4).
        let found = Frame::centred([6, 9], 7, [4, 4]).unwrap().mask(whole);
        assert_eq!(found.pixels[..], [8, 0, 0, 3, 2, 5, 5, 8, 2, 5, 5, 8, 7, 10, 10, 2]);
    }

    #[test]
    fn a_margin_belongs_to_no_class() {
        let found = Frame::fitted([1, 2], [3, 3], Fit::Pad).unwrap().mask(mask([1, 2], |_, x| x));
        assert_eq!(found.pixels[..], [IGNORED, IGNORED, IGNORED, 0, 1, IGNORED, IGNORED, IGNORED, IGNORED]);
        let found = Frame::centred([2, 4], 2, [3, 3]).unwrap().mask(mask([2, 4], |y, x| 4 * y + x));
        assert_eq!(found.pixels[..], [0, 1, 2, 4, 5, 6, IGNORED, IGNORED, IGNORED]);
    }

    #[test]
    fn an_odd_size_is_no_danger() {
        for from in [[1, 5000], [5000, 1], [1, 1]] {
            for short in [0, 1, 9, usize::MAX] {
                let frame = Frame::centred(from, short, [8, 8]).unwrap();
                let found = frame.mask(mask(from, |_, _| 1));
                assert!(found.pixels.len() == 64 && found.pixels.iter().all(|class| [1, IGNORED].contains(class)));
                assert_eq!(frame.back(&found.pixels).len(), from[0] * from[1]);
            }
        }
        assert!(Frame::fitted([0, 4], [8, 8], Fit::Auto).is_err() && Frame::centred([0, 4], 8, [8, 8]).is_err());
        // Fewer classes than the frame has pixels.
        let frame = Frame::fitted([2, 2], [4, 4], Fit::Resize).unwrap();
        assert_eq!(frame.back(&[3]), [IGNORED; 4]);
    }
}
