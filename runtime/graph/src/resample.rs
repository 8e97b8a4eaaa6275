//! Operations that choose, for each output row and column, which input rows and columns it is made of: enlarging, padding,
//! cropping. Rows and columns are independent of each other, so two short lists say everything.

use super::Pad;

/// Where the pixels of the output come from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Resample {
    /// Each pixel repeated.
    Nearest,
    /// Between the centres of neighbouring pixels, linearly (PyTorch's `align_corners = False`).
    Bilinear,
    /// To any size, by the nearest pixel (rounded down) or bilinearly.
    Resize {
        /// By the nearest pixel.
        nearest: bool,
        /// Bilinearly, and where the map shrinks, over as many more pixels as are lost, so that none is passed over (Pillow's filter,
        /// PyTorch's `antialias = True`).
        antialias: bool,
    },
    /// More pixels at each side.
    Pad {
        /// How many.
        pad: Pad,
        /// Which.
        fill: Fill,
    },
    /// Fewer pixels at each side; the output's shape says how many are left.
    Crop {
        /// Rows cut off above.
        top: usize,
        /// Columns cut off on the left.
        left: usize,
    },
}

/// What padding is filled with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fill {
    /// One number.
    Constant(f64),
    /// The pixels inside, mirrored at the outermost one.
    Reflect,
    /// The outermost pixel.
    Replicate,
    /// The pixels of the opposite side, as if the map were a ring.
    Circular,
}

impl Resample {
    /// The word for it in `cnn!`.
    pub const fn word(self) -> &'static str {
        match self {
            Resample::Nearest | Resample::Bilinear => "upsample",
            Resample::Resize { .. } => "resize",
            Resample::Pad { .. } => "pad",
            Resample::Crop { .. } => "crop",
        }
    }

    /// What an output pixel is that no input pixel contributes to.
    pub fn outside(self) -> f64 {
        if let Resample::Pad { fill: Fill::Constant(value), .. } = self { value } else { 0.0 }
    }

    /// For each output coordinate along dimension 0 (height) or 1 (width), the input coordinates with their weights.
    pub fn taps(self, dimension: usize, input: usize, output: usize) -> Vec<Vec<(usize, f64)>> {
        (0..output).map(|o| self.taps_of(dimension, input, output, o)).collect()
    }

    fn taps_of(self, dimension: usize, input: usize, output: usize, o: usize) -> Vec<(usize, f64)> {
        match self {
            Resample::Nearest | Resample::Resize { nearest: true, .. } => vec![(o * input / output, 1.0)],
            Resample::Bilinear | Resample::Resize { antialias: false, .. } => {
                let centre = ((o as f64 + 0.5) * input as f64 / output as f64 - 0.5).max(0.0);
                let (low, share) = (centre.floor() as usize, centre.fract());
                match low + 1 < input && share > 0.0 {
                    true => vec![(low, 1.0 - share), (low + 1, share)],
                    false => vec![(low.min(input - 1), 1.0)],
                }
            }
            Resample::Resize { antialias: true, .. } => antialiased(input, output, o),
            Resample::Crop { top, left } => vec![(o + [top, left][dimension], 1.0)],
            Resample::Pad { pad, fill } => {
                let before = [pad.top, pad.left][dimension];
                let inside = (o >= before && o - before < input).then(|| o - before);
                let source = match (inside, fill) {
                    (Some(i), _) => Some(i),
                    (None, Fill::Constant(_)) => None,
                    (None, Fill::Circular) => Some((o + input - before % input) % input),
                    (None, Fill::Replicate) => Some(if o < before { 0 } else { input - 1 }),
                    (None, Fill::Reflect) if o < before => Some(before - o),
                    (None, Fill::Reflect) => Some(2 * (input - 1) - (o - before)),
                };
                source.map(|i| (i, 1.0)).into_iter().collect()
            }
        }
    }
}

/// The pixels under a triangle around the centre of output `o`, as wide as an output pixel to each side, in shares of their sum.
fn antialiased(input: usize, output: usize, o: usize) -> Vec<(usize, f64)> {
    let scale = input as f64 / output as f64;
    let (centre, reach) = ((o as f64 + 0.5) * scale, scale.max(1.0));
    let first = (centre - reach + 0.5).max(0.0) as usize;
    let last = ((centre + reach + 0.5) as usize).min(input);
    let weights = (first..last).map(|i| (i, (1.0 - ((i as f64 + 0.5 - centre) / reach).abs()).max(0.0)));
    let weights: Vec<(usize, f64)> = weights.filter(|(_, weight)| *weight > 0.0).collect();
    let sum: f64 = weights.iter().map(|(_, weight)| weight).sum();
    weights.into_iter().map(|(i, weight)| (i, weight / sum)).collect()
}
