//! The gradient of packed weights and of a bias.
//!
//! ```text
//! d_weights[k][lane] = sum over pixels: d_out[pixel][lane] * source[pixel * step + offset[k]]
//! ```
//!
//! over the same taps as the forward [`Correlate`]. A tile keeps up to ten taps in registers and walks over the pixels of
//! one image. The sum over images is split into chunks by the shapes alone, and the chunks are added in order when the
//! gradient is unpacked, so the result has the same bits for any number of threads.

use super::Simd;
use super::correlate::Correlate;
use super::mem::Mem;
use std::ops::Range;

/// Taps in a tile: one accumulator and one address register each.
const TILE: usize = 10;

/// The weight gradient of a correlation. `correlate.out` describes the gradient of the output.
#[derive(Debug, Clone)]
pub struct WeightGrad {
    /// The forward correlation, with the output's gradient for its output.
    pub correlate: Correlate,
    /// For each block, the offset of its gradient relative to `out`.
    pub block_out: Vec<usize>,
    /// Offset of the first chunk's packed gradients.
    pub out: usize,
    /// Elements of one chunk.
    pub chunk_len: usize,
    /// Number of chunks of images.
    pub chunks: usize,
    tiles: Vec<WeightTile>,
}

#[derive(Debug, Clone, Copy)]
struct WeightTile {
    block: usize,
    kernel_row: usize,
    first_tap: usize,
    taps: usize,
}

impl WeightGrad {
    /// Splits the work on `correlate` into tiles and chunks. Offsets are set by the planner.
    pub fn new(correlate: Correlate, lanes: usize) -> Self {
        let mut tiles = Vec::new();
        let (mut block_out, mut chunk_len) = (Vec::new(), 0);
        for (index, block) in correlate.blocks.iter().enumerate() {
            block_out.push(chunk_len);
            chunk_len += correlate.kernel_rows.len() * block.row_taps * lanes;
            for kernel_row in 0..correlate.kernel_rows.len() {
                let mut done = 0;
                while done < block.row_taps {
                    let left = block.row_taps - done;
                    let taps = left.div_ceil(left.div_ceil(TILE));
                    let first_tap = kernel_row * block.row_taps + done;
                    tiles.push(WeightTile { block: index, kernel_row, first_tap, taps });
                    done += taps;
                }
            }
        }
        // Enough tasks for several threads, in few chunks: each costs a copy of the weights.
        let chunks = 48_usize.div_ceil(tiles.len().max(1)).clamp(1, correlate.extent[0].max(1));
        WeightGrad { correlate, block_out, out: 0, chunk_len, chunks, tiles }
    }

    /// Number of tasks.
    pub fn tasks(&self) -> usize {
        self.chunks * self.tiles.len()
    }

    /// Panics unless every access lies inside `len` elements.
    pub fn check(&self, len: usize, lanes: usize) {
        self.correlate.check(len, lanes);
        Mem::contains(len, self.out as isize..(self.out + self.chunks * self.chunk_len) as isize, "weight gradient");
    }

    /// Computes the tasks `tasks`.
    ///
    /// # Safety
    /// As for [`Correlate::run`]; the outputs of these tasks are parts of the packed gradient.
    #[inline(always)]
    pub unsafe fn run<S: Simd>(&self, mem: Mem<'_>, tasks: Range<usize>) {
        let images = self.correlate.extent[0];
        let mut next = tasks.start;
        while next < tasks.end {
            let chunk = next / self.tiles.len();
            let end = tasks.end.min((chunk + 1) * self.tiles.len());
            let tiles = &self.tiles[next - chunk * self.tiles.len()..end - chunk * self.tiles.len()];
            let chunk_images = images * chunk / self.chunks..images * (chunk + 1) / self.chunks;
            // Images outside, tiles inside: an image's maps are read from the cache by all tiles but the first.
            for n in chunk_images.clone() {
                for tile in tiles {
                    let place = self.block_out[tile.block] + tile.first_tap * S::LANES;
                    let out = mem.address(self.out + chunk * self.chunk_len + place);
                    // SAFETY: the caller's promises.
                    unsafe { self.tile::<S>(mem, n, tile, out, n == chunk_images.start) };
                }
            }
            next = end;
        }
    }

    #[inline(always)]
    unsafe fn tile<S: Simd>(&self, mem: Mem<'_>, n: usize, tile: &WeightTile, out: *mut f32, first: bool) {
        // SAFETY: passed on from the caller. Two pixels at a time keep enough sums in flight where taps are few.
        unsafe {
            match tile.taps {
                1 => self.taps::<S, 1, 4>(mem, n, tile, out, first),
                2 => self.taps::<S, 2, 4>(mem, n, tile, out, first),
                3 => self.taps::<S, 3, 3>(mem, n, tile, out, first),
                4 => self.taps::<S, 4, 2>(mem, n, tile, out, first),
                5 => self.taps::<S, 5, 2>(mem, n, tile, out, first),
                6 => self.taps::<S, 6, 1>(mem, n, tile, out, first),
                7 => self.taps::<S, 7, 1>(mem, n, tile, out, first),
                8 => self.taps::<S, 8, 1>(mem, n, tile, out, first),
                9 => self.taps::<S, 9, 1>(mem, n, tile, out, first),
                _ => self.taps::<S, 10, 1>(mem, n, tile, out, first),
            }
        }
    }

    #[inline(always)]
    unsafe fn taps<S: Simd, const TAPS: usize, const PIXELS: usize>(
        &self,
        mem: Mem<'_>,
        n: usize,
        tile: &WeightTile,
        out: *mut f32,
        first: bool,
    ) {
        let c = &self.correlate;
        let block = &c.blocks[tile.block];
        let offsets = &c.taps[block.first_tap + tile.first_tap..][..TAPS];
        let (x_step, d_step) = (c.source_stride[2], c.out_stride[2]);
        // SAFETY: `check` has bounded every source and gradient address; `out` holds TAPS registers.
        unsafe {
            let mut sums = [[S::zero(); TAPS]; PIXELS];
            for y in 0..c.extent[1] {
                if !c.kernel_range(y).contains(&tile.kernel_row) {
                    continue;
                }
                let source = mem.address(c.source + n * c.source_stride[0] + y * c.source_stride[1]);
                let sources: [*const f32; TAPS] =
                    std::array::from_fn(|t| source.offset(offsets[t] as isize).cast_const());
                let mut grad = mem.address(c.out + block.out + n * c.out_stride[0] + y * c.out_stride[1]).cast_const();
                let mut at = 0;
                for _ in 0..c.extent[2] / PIXELS {
                    for pixel in 0..PIXELS {
                        let d = S::load(grad);
                        for t in 0..TAPS {
                            sums[pixel][t] = S::fma(d, S::splat(sources[t].add(at)), sums[pixel][t]);
                        }
                        grad = grad.add(d_step);
                        at += x_step;
                    }
                }
                for _ in 0..c.extent[2] % PIXELS {
                    let d = S::load(grad);
                    for t in 0..TAPS {
                        sums[0][t] = S::fma(d, S::splat(sources[t].add(at)), sums[0][t]);
                    }
                    grad = grad.add(d_step);
                    at += x_step;
                }
            }
            for t in 0..TAPS {
                let mut sum = sums[0][t];
                for more in &sums[1..] {
                    sum = S::add(sum, more[t]);
                }
                let out = out.add(t * S::LANES);
                S::store(out, if first { sum } else { S::add(S::load(out), sum) });
            }
        }
    }
}

/// The gradient of a bias: the sum of the output's gradient over images and pixels, by block of channels.
#[derive(Debug, Clone)]
pub struct BiasGrad {
    /// Extent of the output's gradient: images, rows, pixels.
    pub extent: [usize; 3],
    /// Offset of each block's first pixel.
    pub blocks: Vec<usize>,
    /// Stride between images, rows and pixels.
    pub stride: [usize; 3],
    /// Channels.
    pub channels: usize,
    /// Offset of the result `[channels]`.
    pub out: usize,
}

impl BiasGrad {
    /// Number of tasks.
    pub fn tasks(&self) -> usize {
        self.blocks.len()
    }

    /// Computes the tasks `tasks`.
    ///
    /// # Safety
    /// Nobody else touches the results of these blocks, and nobody writes to the gradient.
    #[inline(always)]
    pub unsafe fn run<S: Simd>(&self, mem: Mem<'_>, tasks: Range<usize>) {
        for block in tasks {
            let lanes = S::LANES.min(self.channels - block * S::LANES);
            // SAFETY: the caller's promises; `read` and `write` check the bounds.
            let out = unsafe { mem.write(self.out + block * S::LANES, lanes) };
            // Sums of a row in registers, of the rows in double precision: a batch has many small terms.
            let mut total = [0.0_f64; 16];
            for n in 0..self.extent[0] {
                for y in 0..self.extent[1] {
                    let row = self.blocks[block] + n * self.stride[0] + y * self.stride[1];
                    let mut sum = [0.0_f32; 16];
                    for x in 0..self.extent[2] {
                        // SAFETY: as above.
                        let pixel = unsafe { mem.read(row + x * self.stride[2], S::LANES) };
                        for lane in 0..S::LANES {
                            sum[lane] += pixel[lane];
                        }
                    }
                    for lane in 0..S::LANES {
                        total[lane] += f64::from(sum[lane]);
                    }
                }
            }
            for lane in 0..lanes {
                out[lane] = total[lane] as f32;
            }
        }
    }
}
