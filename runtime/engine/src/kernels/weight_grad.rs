//! The gradient of packed weights and of a bias.
//!
//! ```text
//! d_weights[k][lane] = sum over pixels: d_out[pixel][lane] * source[pixel * step + offset[k]]
//! ```
//!
//! over the same taps as the forward [`Correlate`]. A tile keeps some taps of some blocks in registers and walks over the
//! pixels. Where the taps are neighbouring channels of one pixel, one address serves all of them. The sum over images is
//! split into chunks by the shapes alone, and the chunks are added in order when the gradient is unpacked, so the result
//! has the same bits for any number of threads.

use super::Simd;
use super::correlate::Correlate;
use super::mem::Mem;
use super::share::{Share, StepKernel};
use super::weight_tile::{Far, Near, Part, Runs};
use std::ops::Range;

/// Most taps of a tile whose taps lie anywhere: one accumulator and one address register each.
const FAR_TAPS: usize = 10;
/// Pixels that all tiles walk over before the next ones, so that these stay in the second cache.
const PIXELS: usize = 800;

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
    /// Blocks, which have the same taps and lie at equal distances.
    blocks: usize,
    kernel_row: usize,
    first_tap: usize,
    taps: usize,
    /// Whether the taps are neighbours.
    near: bool,
    /// Taps come in runs of so many, each a pixel behind the one before; see [`Correlate::tap_run`].
    run: usize,
}

impl WeightGrad {
    /// Splits the work on `correlate` into tiles and chunks. Offsets are set by the planner.
    pub fn new(correlate: Correlate, lanes: usize) -> Self {
        let (mut block_out, mut chunk_len) = (Vec::new(), 0);
        for block in &correlate.blocks {
            block_out.push(chunk_len);
            chunk_len += correlate.kernel_rows.len() * block.row_taps * lanes;
        }
        let mut tiles = Vec::new();
        // A depthwise layer's taps are registers of channels, which have a loop of their own.
        let run = if correlate.depthwise { 1 } else { correlate.tap_run(lanes) };
        if let ([block], 2..) = (&correlate.blocks[..], run) {
            tiles_of_runs(&correlate, block.row_taps, run, lanes, &mut tiles);
        }
        let mut first = if tiles.is_empty() { 0 } else { 1 };
        while first < correlate.blocks.len() {
            let run = correlate.run_length(first);
            // Three blocks need more registers than AVX2 has.
            let groups = run.div_ceil(if lanes == 16 { 3 } else { 2 });
            for group in 0..groups {
                let (start, end) = (first + run * group / groups, first + run * (group + 1) / groups);
                tiles_of(&correlate, start..end, lanes, &mut tiles);
            }
            first += run;
        }
        // Enough tasks for several threads, in few chunks: each costs a copy of the weights.
        let chunks = 48_usize.div_ceil(tiles.len().max(1)).clamp(1, correlate.extent[0].max(1));
        WeightGrad { correlate, block_out, out: 0, chunk_len, chunks, tiles }
    }

    /// Each shape of a tile is a function of its own, as in [`super::tile`].
    #[inline(always)]
    unsafe fn tile<S: Simd>(&self, mem: Mem<'_>, rows: Range<usize>, tile: &WeightTile, out: *mut f32, first: bool) {
        let block = &self.correlate.blocks[tile.block];
        let last = tile.block + tile.blocks.min(2) - 1;
        let part = Part {
            correlate: &self.correlate,
            mem,
            rows,
            taps: &self.correlate.taps[block.first_tap + tile.first_tap..][..tile.taps],
            blocks: [tile.block, last],
            kernel_row: tile.kernel_row,
            out_block: self.block_out[last] - self.block_out[tile.block],
            out,
            first,
        };
        // SAFETY: passed on from the caller.
        unsafe {
            match (tile.run, tile.taps) {
                (3, 24) if S::LANES == 16 => return S::enter(Runs::<3, 8, 1>(part)),
                (5, 20) if S::LANES == 16 => return S::enter(Runs::<5, 4, 1>(part)),
                (3, 12) => return S::enter(Runs::<3, 4, 1>(part)),
                (5, 10) => return S::enter(Runs::<5, 2, 1>(part)),
                (3, 3) => return S::enter(Runs::<3, 1, 2>(part)),
                (5, 5) if S::LANES == 16 => return S::enter(Runs::<5, 1, 2>(part)),
                (5, 5) => return S::enter(Runs::<5, 1, 1>(part)),
                _ => {}
            }
            match (tile.near, tile.blocks, tile.taps) {
                (true, 1, 16) if S::LANES == 16 => S::enter(Near::<1, 16>(part)),
                (true, 2, 12) if S::LANES == 16 => S::enter(Near::<2, 12>(part)),
                (true, 3, 8) if S::LANES == 16 => S::enter(Near::<3, 8>(part)),
                (true, 2, 8) if S::LANES == 16 => S::enter(Near::<2, 8>(part)),
                (true, 1, 8) => S::enter(Near::<1, 8>(part)),
                (true, 2, 6) => S::enter(Near::<2, 6>(part)),
                (true, 2, 4) => S::enter(Near::<2, 4>(part)),
                (true, _, 4) => S::enter(Near::<1, 4>(part)),
                (_, _, 1) => S::enter(Far::<1, 4>(part)),
                (_, _, 2) => S::enter(Far::<2, 4>(part)),
                (_, _, 3) => S::enter(Far::<3, 3>(part)),
                (_, _, 4) => S::enter(Far::<4, 2>(part)),
                (_, _, 5) => S::enter(Far::<5, 2>(part)),
                (_, _, 6) => S::enter(Far::<6, 1>(part)),
                (_, _, 7) => S::enter(Far::<7, 1>(part)),
                (_, _, 8) => S::enter(Far::<8, 1>(part)),
                (_, _, 9) => S::enter(Far::<9, 1>(part)),
                _ => S::enter(Far::<10, 1>(part)),
            }
        }
    }
}

impl StepKernel for WeightGrad {
    const NAME: &'static str = "weight grad";

    /// Number of tasks.
    fn tasks(&self, _lanes: usize) -> usize {
        self.chunks * self.tiles.len()
    }

    /// Panics unless every access lies inside `len` elements.
    fn check(&self, len: usize, lanes: usize) {
        self.correlate.check(len, lanes);
        Mem::contains(len, self.out as isize..(self.out + self.chunks * self.chunk_len) as isize, "weight gradient");
    }

    fn multiply_adds(&self, lanes: usize) -> u64 {
        self.correlate.multiply_adds(lanes)
    }

    fn sizes(&self) -> String {
        self.correlate.sizes()
    }

    /// Computes the tasks `tasks`.
    ///
    /// # Safety
    /// As for [`Correlate::run`]; the outputs of these tasks are parts of the packed gradient.
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, Share { mem, tasks, .. }: Share<'_, '_>) {
        let [images, rows, cols] = self.correlate.extent;
        // Rows are counted over the images.
        let step = (PIXELS / cols.max(1)).max(1);
        let mut next = tasks.start;
        while next < tasks.end {
            let chunk = next / self.tiles.len();
            let end = tasks.end.min((chunk + 1) * self.tiles.len());
            let tiles = &self.tiles[next - chunk * self.tiles.len()..end - chunk * self.tiles.len()];
            let chunk_rows = images * chunk / self.chunks * rows..images * (chunk + 1) / self.chunks * rows;
            for start in chunk_rows.clone().step_by(step) {
                let part = start..chunk_rows.end.min(start + step);
                for tile in tiles {
                    let place = self.block_out[tile.block] + tile.first_tap * S::LANES;
                    let out = mem.address(self.out + chunk * self.chunk_len + place);
                    // SAFETY: the caller's promises.
                    unsafe { self.tile::<S>(mem, part.clone(), tile, out, start == chunk_rows.start) };
                }
            }
            next = end;
        }
    }
}

/// The tiles of a single block whose taps come in runs: as many runs at a time as the registers hold sums.
fn tiles_of_runs(correlate: &Correlate, row_taps: usize, run: usize, lanes: usize, tiles: &mut Vec<WeightTile>) {
    let sets: &[usize] = match (run, lanes) {
        (3, 16) => &[8, 4, 1],
        (3, _) => &[4, 1],
        (_, 16) => &[4, 2, 1],
        _ => &[2, 1],
    };
    for kernel_row in 0..correlate.kernel_rows.len() {
        let mut at = 0;
        while at < row_taps {
            let taps = sets.iter().map(|sets| sets * run).find(|taps| at + taps <= row_taps).unwrap_or(run);
            let first_tap = kernel_row * row_taps + at;
            tiles.push(WeightTile { block: 0, blocks: 1, kernel_row, first_tap, taps, near: false, run });
            at += taps;
        }
    }
}

/// The tiles of some alike blocks: taps that are neighbours by the eight or four for all blocks at once, the others for each
/// block by itself.
fn tiles_of(correlate: &Correlate, blocks: Range<usize>, lanes: usize, tiles: &mut Vec<WeightTile>) {
    let block = &correlate.blocks[blocks.start];
    // As many sums as keep two multipliers busy: up to 24 with AVX-512, 12 with AVX2.
    let (wanted, more) = match (lanes, blocks.len()) {
        (16, 1) => (8, 16),
        (16, 2) => (8, 12),
        (_, 1) | (16, _) => (8, 8),
        _ => (4, 6),
    };
    for kernel_row in 0..correlate.kernel_rows.len() {
        let first = kernel_row * block.row_taps;
        let taps = &correlate.taps[block.first_tap + first..][..block.row_taps];
        let mut at = 0;
        while at < taps.len() {
            let run = 1 + (at + 1..taps.len()).take_while(|i| taps[*i] == taps[i - 1] + 1).count();
            if run >= wanted {
                let taps = if run.is_multiple_of(more) { more } else { wanted };
                let (block, blocks, first_tap) = (blocks.start, blocks.len(), first + at);
                tiles.push(WeightTile { block, blocks, kernel_row, first_tap, taps, near: true, run: 1 });
                at += taps;
                continue;
            }
            // Up to where the next long run starts.
            let starts_run =
                |i: &usize| (1..wanted).all(|j| taps.get(i + j).is_some_and(|tap| *tap == taps[*i] + j as i32));
            let end = (at + 1..taps.len()).find(starts_run).unwrap_or(taps.len());
            let parts = (end - at).div_ceil(FAR_TAPS);
            for part in 0..parts {
                let (from, to) = (at + (end - at) * part / parts, at + (end - at) * (part + 1) / parts);
                for block in blocks.clone() {
                    let (first_tap, taps) = (first + from, to - from);
                    tiles.push(WeightTile { block, blocks: 1, kernel_row, first_tap, taps, near: false, run: 1 });
                }
            }
            at = end;
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

impl StepKernel for BiasGrad {
    const NAME: &'static str = "bias grad";

    /// Number of tasks.
    fn tasks(&self, _lanes: usize) -> usize {
        self.blocks.len()
    }

    fn check(&self, _len: usize, _lanes: usize) {}

    /// Computes the tasks `tasks`.
    ///
    /// # Safety
    /// Nobody else touches the results of these blocks, and nobody writes to the gradient.
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, Share { mem, tasks, .. }: Share<'_, '_>) {
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
