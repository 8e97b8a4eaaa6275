//! The words in which an [`Op`](crate::Op) answers questions about itself: so that whoever asks knows a few answers, and not every
//! operation.

use crate::groups::Groups;
use crate::pad::Pad;
use crate::resample::Resample;

/// Which pixels of the input a pixel of the output is made of. Pairs are `[height, width]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Extent {
    /// That at its own place, of each input.
    Pixel,
    /// Those of a window.
    Windows {
        /// Window size.
        kernel: [usize; 2],
        /// Distance between windows.
        stride: [usize; 2],
        /// Pixels beyond the input.
        pad: Pad,
        /// Distance between the taps of a window.
        dilation: [usize; 2],
    },
    /// Those whose windows, of the convolution that this is the transpose of, reach it.
    Transposed {
        /// Window size.
        kernel: [usize; 2],
        /// Distance between windows.
        stride: [usize; 2],
        /// What is cut off the output.
        pad: Pad,
        /// Distance between the taps of a window.
        dilation: [usize; 2],
    },
    /// Those of one of equal bins, which may overlap by a pixel.
    Bins,
    /// Those that are chosen by two lists.
    Resampled(Resample),
    /// That whose channels became a square of so many pixels a side.
    Squares(usize),
    /// That at its own place of the first input, and the one pixel of the second.
    Product,
    /// All, though it stands for that at its own place.
    Normalised,
    /// All; it has no place.
    Whole,
    /// All, as far as a graph can tell.
    Unknown,
}

/// What stands beside the word of an operation where there is little room.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Detail {
    /// Nothing.
    Nothing,
    /// A window. Pairs are `[height, width]`.
    Window {
        /// Its size.
        kernel: [usize; 2],
        /// Distance between windows.
        stride: [usize; 2],
        /// Distance between the taps of a window.
        dilation: [usize; 2],
        /// Groups of channels.
        groups: Groups,
    },
    /// Height and width of the output.
    Output,
    /// A window of so many pixels a side.
    Square(usize),
    /// A number.
    Count(usize),
    /// A share.
    Share(f64),
    /// A word.
    Word(&'static str),
    /// A symbol, in place of the word.
    Symbol(&'static str),
}
