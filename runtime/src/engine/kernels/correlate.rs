//! Convolution, forward and backward to its input, and linear layers: one kernel.
//!
//! Each of them computes, for a block of output channels and one output pixel,
//!
//! ```text
//! out[pixel][lane] = bias[lane] + sum over taps k: weights[k][lane] * source[pixel * step + offset[k]]
//! ```
//!
//! and differs only in the list of taps: a forward tap is an (input channel, ky, kx), a backward one an (output channel,
//! ky, kx), a linear layer's an input feature and its pixels are the images of the batch. Groups and connection tables
//! are lists with holes. So a [`Correlate`] is data, and stride, dilation, padding and layout cost the inner loop
//! nothing: it broadcasts one number for each pixel of the tile and multiplies it with a register of weights.
//!
//! Taps are sorted by the source row they read, so the rows of the kernel that fall outside the map are left out by
//! narrowing the list; left and right, sources carry a halo of zeros.

use super::Simd;
use super::mem::Mem;
use super::pointwise;
use crate::graph::Activation;
use std::ops::Range;

/// A correlation of a batch with packed weights. Offsets and strides are in elements.
#[derive(Debug, Clone, Default)]
pub struct Correlate {
    /// Output extent: images, rows and pixels per row.
    pub extent: [usize; 3],
    /// Offset of the source's first pixel.
    pub source: usize,
    /// Stride in the source between images, output rows and output pixels.
    pub source_stride: [usize; 3],
    /// Rows that the source has.
    pub source_rows: usize,
    /// Source rows per output row.
    pub row_step: usize,
    /// For each row of the kernel, ascending: its source row for output row 0.
    pub kernel_rows: Vec<isize>,
    /// Offset of each tap from the source pixel of an output pixel.
    pub taps: Vec<i32>,
    /// Blocks of output channels.
    pub blocks: Vec<Block>,
    /// Offset of the output's first pixel.
    pub out: usize,
    /// Stride in the output between images, rows and pixels.
    pub out_stride: [usize; 3],
    /// Adds to what the output holds instead of replacing it.
    pub accumulate: bool,
    /// Applied to the result.
    pub activation: Option<Activation>,
}

/// One register of output channels.
#[derive(Debug, Clone, Copy)]
pub struct Block {
    /// Offset of its pixels from [`Correlate::out`].
    pub out: usize,
    /// Offset of its packed weights `[taps][lanes]`.
    pub weights: usize,
    /// Offset of its bias `[lanes]`.
    pub bias: Option<usize>,
    /// Its first entry in [`Correlate::taps`].
    pub first_tap: usize,
    /// Number of taps in one row of the kernel.
    pub row_taps: usize,
}

impl Correlate {
    /// Pixels that one task computes; a few tiles, so that long rows (a batch, in a linear layer) can be shared out.
    const SEGMENT: usize = 56;

    fn segments(&self) -> usize {
        self.extent[2].div_ceil(Self::SEGMENT)
    }

    /// Number of tasks.
    pub fn tasks(&self) -> usize {
        self.extent[0] * self.blocks.len() * self.extent[1] * self.segments()
    }

    /// Rows of the kernel that lie inside the source for output row `y`.
    #[inline(always)]
    pub fn kernel_range(&self, y: usize) -> Range<usize> {
        let base = (y * self.row_step) as isize;
        let start = self.kernel_rows.partition_point(|row| base + row < 0);
        let end = self.kernel_rows.partition_point(|row| base + row < self.source_rows as isize);
        start..end.max(start)
    }

    /// Panics unless every access lies inside `len` elements.
    pub fn check(&self, len: usize, lanes: usize) {
        let [images, rows, cols] = self.extent;
        if images * rows * cols == 0 {
            return;
        }
        let last = |stride: [usize; 3], row: usize| (images - 1) * stride[0] + row * stride[1] + (cols - 1) * stride[2];
        for block in &self.blocks {
            let n_taps = self.kernel_rows.len() * block.row_taps;
            let out = self.out + block.out;
            Mem::contains(len, out as isize..(out + last(self.out_stride, rows - 1) + lanes) as isize, "output");
            Mem::contains(len, block.weights as isize..(block.weights + n_taps * lanes) as isize, "weights");
            if let Some(bias) = block.bias {
                Mem::contains(len, bias as isize..(bias + lanes) as isize, "bias");
            }
            assert!(block.first_tap + n_taps <= self.taps.len(), "engine: taps of a block");
            for row in 0..self.kernel_rows.len() {
                let inside: Vec<usize> = (0..rows).filter(|y| self.kernel_range(*y).contains(&row)).collect();
                let taps = &self.taps[block.first_tap + row * block.row_taps..][..block.row_taps];
                if let (Some(first), Some(end)) = (inside.first(), inside.last())
                    && let (Some(low), Some(high)) = (taps.iter().min(), taps.iter().max())
                {
                    let low = (self.source + first * self.source_stride[1]) as isize + *low as isize;
                    let high = (self.source + last(self.source_stride, *end)) as isize + *high as isize;
                    Mem::contains(len, low..high + 1, "source");
                }
            }
        }
    }

    /// Computes the tasks `tasks`.
    ///
    /// # Safety
    /// The instruction set of `S` is there, [`Correlate::check`] has passed for the memory's length, nobody else touches
    /// the outputs of these tasks, and nobody writes to source, weights and bias.
    #[inline(always)]
    pub unsafe fn run<S: Simd>(&self, mem: Mem<'_>, tasks: Range<usize>) {
        let segments = self.segments();
        for task in tasks {
            let (task, segment) = (task / segments, task % segments);
            let (task, y) = (task / self.extent[1], task % self.extent[1]);
            let (n, block) = (task / self.blocks.len(), &self.blocks[task % self.blocks.len()]);
            let kernel = self.kernel_range(y);
            let skipped = kernel.start * block.row_taps;
            let taps = &self.taps[block.first_tap + skipped..block.first_tap + kernel.end * block.row_taps];
            let source = self.source + n * self.source_stride[0] + y * self.source_stride[1];
            let out = self.out + block.out + n * self.out_stride[0] + y * self.out_stride[1];
            let end = self.extent[2].min((segment + 1) * Self::SEGMENT);
            let mut x = segment * Self::SEGMENT;
            let far = self.source_stride[2] != S::LANES && self.source_stride[2] != 1;
            let widest = if far { FAR_TILE.min(S::TILE) } else { S::TILE };
            while x < end {
                // Tiles of nearly equal width: two of seven keep the units busier than one of twelve and one of two.
                let left = end - x;
                let width = left.div_ceil(left.div_ceil(widest));
                let tile = Tile {
                    source: mem.address(source + x * self.source_stride[2]),
                    taps,
                    weights: mem.address(block.weights + skipped * S::LANES),
                    bias: block.bias.map(|bias| mem.address(bias).cast_const()),
                    out: mem.address(out + x * self.out_stride[2]),
                    out_step: self.out_stride[2],
                    accumulate: self.accumulate,
                };
                // SAFETY: the caller's promises; `check` has bounded every address of the tile.
                unsafe {
                    if self.source_stride[2] == S::LANES {
                        tile.run_near::<S>(width, S::LANES);
                    } else if self.source_stride[2] == 1 {
                        tile.run_near::<S>(width, 1);
                    } else {
                        tile.run_far::<S>(width, self.source_stride[2]);
                    }
                }
                x += width;
            }
            if let Some(activation) = self.activation {
                let first = segment * Self::SEGMENT;
                let step = self.out_stride[2];
                // SAFETY: these are the outputs just written, ours by the caller's promise.
                unsafe {
                    if step == S::LANES {
                        let row = mem.write(out + first * step, (end - first) * step);
                        pointwise::activate(activation, row);
                    } else {
                        for x in first..end {
                            pointwise::activate(activation, mem.write(out + x * step, S::LANES));
                        }
                    }
                }
            }
        }
    }
}

/// Pixels of a tile whose sources are far apart and need an address register each.
const FAR_TILE: usize = 8;

struct Tile<'a> {
    source: *const f32,
    taps: &'a [i32],
    weights: *const f32,
    bias: Option<*const f32>,
    out: *mut f32,
    out_step: usize,
    accumulate: bool,
}

impl Tile<'_> {
    /// `step` is a constant at each call, so the pixels' addresses are constant distances apart.
    #[inline(always)]
    unsafe fn run_near<S: Simd>(&self, width: usize, step: usize) {
        // SAFETY: passed on from the caller.
        unsafe {
            match width {
                1 => self.near::<S, 1>(step),
                2 => self.near::<S, 2>(step),
                3 => self.near::<S, 3>(step),
                4 => self.near::<S, 4>(step),
                5 => self.near::<S, 5>(step),
                6 => self.near::<S, 6>(step),
                7 => self.near::<S, 7>(step),
                8 => self.near::<S, 8>(step),
                9 => self.near::<S, 9>(step),
                10 => self.near::<S, 10>(step),
                11 => self.near::<S, 11>(step),
                12 => self.near::<S, 12>(step),
                13 => self.near::<S, 13>(step),
                _ => self.near::<S, 14>(step),
            }
        }
    }

    #[inline(always)]
    unsafe fn run_far<S: Simd>(&self, width: usize, step: usize) {
        // SAFETY: passed on from the caller.
        unsafe {
            match width {
                1 => self.far::<S, 1>(step),
                2 => self.far::<S, 2>(step),
                3 => self.far::<S, 3>(step),
                4 => self.far::<S, 4>(step),
                5 => self.far::<S, 5>(step),
                6 => self.far::<S, 6>(step),
                7 => self.far::<S, 7>(step),
                _ => self.far::<S, 8>(step),
            }
        }
    }

    #[inline(always)]
    unsafe fn start<S: Simd, const WIDTH: usize>(&self) -> [S::V; WIDTH] {
        // SAFETY: the bias holds a register of numbers.
        [unsafe { self.bias.map_or(S::zero(), |bias| S::load(bias)) }; WIDTH]
    }

    #[inline(always)]
    unsafe fn finish<S: Simd, const WIDTH: usize>(&self, sums: [S::V; WIDTH]) {
        for (x, sum) in sums.into_iter().enumerate() {
            // SAFETY: the caller's output pixels.
            unsafe {
                let out = self.out.add(x * self.out_step);
                S::store(out, if self.accumulate { S::add(S::load(out), sum) } else { sum });
            }
        }
    }

    #[inline(always)]
    unsafe fn near<S: Simd, const WIDTH: usize>(&self, step: usize) {
        // SAFETY: `Correlate::check` has bounded source + tap + pixel for all taps and pixels of the tile.
        unsafe {
            let mut sums = self.start::<S, WIDTH>();
            let mut weights = self.weights;
            for tap in self.taps {
                let weight = S::load(weights);
                let source = self.source.offset(*tap as isize);
                for x in 0..WIDTH {
                    sums[x] = S::fma(weight, S::splat(source.add(x * step)), sums[x]);
                }
                weights = weights.add(S::LANES);
            }
            self.finish::<S, WIDTH>(sums);
        }
    }

    #[inline(always)]
    unsafe fn far<S: Simd, const WIDTH: usize>(&self, step: usize) {
        // SAFETY: as for `near`.
        unsafe {
            let mut sums = self.start::<S, WIDTH>();
            let mut weights = self.weights;
            let sources: [*const f32; WIDTH] = std::array::from_fn(|x| self.source.add(x * step));
            for tap in self.taps {
                let weight = S::load(weights);
                for x in 0..WIDTH {
                    sums[x] = S::fma(weight, S::splat(sources[x].offset(*tap as isize)), sums[x]);
                }
                weights = weights.add(S::LANES);
            }
            self.finish::<S, WIDTH>(sums);
        }
    }
}
