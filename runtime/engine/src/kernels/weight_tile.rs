//! The innermost loops of a weight's gradient: some taps of some blocks, over some rows of pixels.
//!
//! Sums are in registers. Each shape of a tile is a [`Kernel`], so a function of its own.

use super::correlate::Correlate;
use super::mem::Mem;
use super::{Kernel, Simd};
use std::ops::Range;

/// What a tile adds up.
pub struct Part<'a> {
    /// The forward correlation, with the output's gradient for its output.
    pub correlate: &'a Correlate,
    /// Where source and gradient are.
    pub mem: Mem<'a>,
    /// Rows of output pixels, counted over the images.
    pub rows: Range<usize>,
    /// Offset of each tap of the tile from a pixel.
    pub taps: &'a [i32],
    /// The first block and, where there are several, the second one.
    pub blocks: [usize; 2],
    /// The row of the kernel that the taps are in.
    pub kernel_row: usize,
    /// Distance of the blocks' results.
    pub out_block: usize,
    /// The first result.
    pub out: *mut f32,
    /// Whether results are written, not added to what is there.
    pub first: bool,
}

impl<'a> Part<'a> {
    /// Source and gradient of the rows that the tile's row of the kernel reaches.
    #[inline(always)]
    fn reached(&self) -> Reached<'a> {
        let c = self.correlate;
        let block = &c.blocks[self.blocks[0]];
        Reached {
            mem: self.mem,
            correlate: c,
            image: self.rows.start / c.extent[1],
            row: self.rows.start % c.extent[1],
            left: self.rows.len(),
            kernel_row: c.kernel_rows[self.kernel_row],
            places: [c.source + block.source, c.out + block.out],
        }
    }

    /// Steps of the source and of the gradient from pixel to pixel.
    #[inline(always)]
    fn steps(&self) -> [usize; 2] {
        [self.correlate.source_stride[2], self.correlate.out_stride[2]]
    }

    /// Puts a sum where register `place` of the results is.
    #[inline(always)]
    unsafe fn put<S: Simd>(&self, place: usize, sum: S::V) {
        // SAFETY: `out` holds the registers of these taps.
        unsafe {
            let out = self.out.add(place);
            S::store(out, if self.first { sum } else { S::add(S::load(out), sum) });
        }
    }
}

/// Taps that are neighbours, of several blocks.
pub struct Near<'a, const BLOCKS: usize, const TAPS: usize>(pub Part<'a>);

impl<const BLOCKS: usize, const TAPS: usize> Kernel for Near<'_, BLOCKS, TAPS> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let part = self.0;
        let c = part.correlate;
        let offset = part.taps[0] as isize;
        let d_block = c.blocks[part.blocks[1]].out - c.blocks[part.blocks[0]].out;
        // SAFETY: `WeightGrad::check` has bounded every source and gradient address.
        unsafe {
            let mut sums = [[S::zero(); TAPS]; BLOCKS];
            for [source, grad] in part.reached() {
                let sources = [source.offset(offset), grad];
                products::<S, BLOCKS, TAPS>(&mut sums, sources, part.steps(), d_block, c.extent[2]);
            }
            for (block, sums) in sums.into_iter().enumerate() {
                for (tap, sum) in sums.into_iter().enumerate() {
                    part.put::<S>(block * part.out_block + tap * S::LANES, sum);
                }
            }
        }
    }
}

/// `SETS` runs of `RUN` taps of one block, for `ROWS` rows at a time: as many sums in flight as keep the multipliers busy.
pub struct Runs<'a, const RUN: usize, const SETS: usize, const ROWS: usize>(pub Part<'a>);

impl<const RUN: usize, const SETS: usize, const ROWS: usize> Kernel for Runs<'_, RUN, SETS, ROWS> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let part = self.0;
        let mut offsets = [0; SETS];
        for set in 0..SETS {
            offsets[set] = part.taps[set * RUN] as isize;
        }
        let (steps, cols) = (part.steps(), part.correlate.extent[2]);
        // SAFETY: `WeightGrad::check` has bounded every source and gradient address.
        unsafe {
            let mut sums = [[[S::zero(); RUN]; SETS]; ROWS];
            let mut reached = part.reached();
            while let Some(row) = reached.next() {
                let mut places = [row; ROWS];
                let mut found = 1;
                while let Some(row) = if found < ROWS { reached.next() } else { None } {
                    places[found] = row;
                    found += 1;
                }
                if found == ROWS {
                    products_of_runs::<S, RUN, SETS, ROWS>(&mut sums, places, offsets, steps, cols);
                } else {
                    let mut one = [sums[0]];
                    products_of_runs::<S, RUN, SETS, 1>(&mut one, [places[0]], offsets, steps, cols);
                    sums[0] = one[0];
                }
            }
            for set in 0..SETS {
                for tap in 0..RUN {
                    let mut sum = sums[0][set][tap];
                    for row in 1..ROWS {
                        sum = S::add(sum, sums[row][set][tap]);
                    }
                    part.put::<S>((set * RUN + tap) * S::LANES, sum);
                }
            }
        }
    }
}

/// Taps that lie anywhere, of one block. Several pixels at a time keep enough sums in flight where taps are few.
pub struct Far<'a, const TAPS: usize, const PIXELS: usize>(pub Part<'a>);

impl<const TAPS: usize, const PIXELS: usize> Kernel for Far<'_, TAPS, PIXELS> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: passed on from the caller; a depthwise layer's taps are registers of channels.
        unsafe {
            match self.0.correlate.depthwise {
                true => self.sums::<S>(|p| S::load(p)),
                false => self.sums::<S>(|p| S::splat(p)),
            }
        }
    }
}

impl<const TAPS: usize, const PIXELS: usize> Far<'_, TAPS, PIXELS> {
    /// With what `read` reads for a tap.
    #[inline(always)]
    unsafe fn sums<S: Simd>(&self, read: impl Fn(*const f32) -> S::V) {
        let part = &self.0;
        let (offsets, cols) = (&part.taps[..TAPS], part.correlate.extent[2]);
        let [x_step, d_step] = part.steps();
        // SAFETY: as for `Near`.
        unsafe {
            let mut sums = [[S::zero(); TAPS]; PIXELS];
            for [source, mut grad] in part.reached() {
                let sources: [*const f32; TAPS] = std::array::from_fn(|t| source.offset(offsets[t] as isize));
                let mut at = 0;
                for _ in 0..cols / PIXELS {
                    for pixel in 0..PIXELS {
                        let d = S::load(grad);
                        for t in 0..TAPS {
                            sums[pixel][t] = S::fma(d, read(sources[t].add(at)), sums[pixel][t]);
                        }
                        grad = grad.wrapping_add(d_step);
                        at += x_step;
                    }
                }
                for _ in 0..cols % PIXELS {
                    let d = S::load(grad);
                    for t in 0..TAPS {
                        sums[0][t] = S::fma(d, read(sources[t].add(at)), sums[0][t]);
                    }
                    grad = grad.wrapping_add(d_step);
                    at += x_step;
                }
            }
            for t in 0..TAPS {
                let mut sum = sums[0][t];
                for more in &sums[1..] {
                    sum = S::add(sum, more[t]);
                }
                part.put::<S>(t * S::LANES, sum);
            }
        }
    }
}

/// An iterator by hand, since the closures of a chain are called, not inlined, where the instruction set is switched on.
struct Reached<'a> {
    mem: Mem<'a>,
    correlate: &'a Correlate,
    image: usize,
    row: usize,
    /// Rows to come.
    left: usize,
    /// The source's row for output row 0.
    kernel_row: isize,
    /// The first row of source and gradient.
    places: [usize; 2],
}

impl Iterator for Reached<'_> {
    type Item = [*const f32; 2];

    #[inline(always)]
    fn next(&mut self) -> Option<[*const f32; 2]> {
        let c = self.correlate;
        while self.left > 0 {
            let (n, y) = (self.image, self.row);
            self.left -= 1;
            self.row += 1;
            if self.row == c.extent[1] {
                (self.image, self.row) = (n + 1, 0);
            }
            // A row above the source is a large number, too.
            if ((y * c.row_step) as isize + self.kernel_row) as usize >= c.source_rows {
                continue;
            }
            let source = self.places[0] + n * c.source_stride[0] + y * c.source_stride[1];
            let grad = self.places[1] + n * c.out_stride[0] + y * c.out_stride[1];
            return Some([self.mem.address(source).cast_const(), self.mem.address(grad).cast_const()]);
        }
        None
    }
}

/// Adds to `sums` the products of `len` pixels: of the register at the second address of each block, `d_block` apart, with
/// each of `TAPS` neighbouring numbers at the first. Both addresses move on by `steps` a pixel.
///
/// # Safety
/// The instruction set of `S` is switched on in the caller, and all of that is readable.
#[inline(always)]
pub unsafe fn products<S: Simd, const BLOCKS: usize, const TAPS: usize>(
    sums: &mut [[S::V; TAPS]; BLOCKS],
    [mut source, mut grad]: [*const f32; 2],
    steps: [usize; 2],
    d_block: usize,
    len: usize,
) {
    // SAFETY: the caller's promises.
    unsafe {
        for _ in 0..len {
            let mut d = [S::zero(); BLOCKS];
            for block in 0..BLOCKS {
                d[block] = S::load(grad.add(block * d_block));
            }
            for tap in 0..TAPS {
                let x = S::splat(source.add(tap));
                for block in 0..BLOCKS {
                    sums[block][tap] = S::fma(d[block], x, sums[block][tap]);
                }
            }
            source = source.wrapping_add(steps[0]);
            grad = grad.wrapping_add(steps[1]);
        }
    }
}

/// Adds to `sums` the products of `cols` pixels of some rows, each with a source and a gradient. The gradients of the last
/// `RUN` pixels are in registers, so that a pixel of the source is read once for all taps of a run.
///
/// # Safety
/// The instruction set of `S` is switched on in the caller, and all of that is readable.
#[inline(always)]
unsafe fn products_of_runs<S: Simd, const RUN: usize, const SETS: usize, const ROWS: usize>(
    sums: &mut [[[S::V; RUN]; SETS]; ROWS],
    rows: [[*const f32; 2]; ROWS],
    offsets: [isize; SETS],
    [x_step, d_step]: [usize; 2],
    cols: usize,
) {
    // SAFETY: the caller's promises.
    unsafe {
        // In front of each pixel, the gradient `tap + 1` pixels before it.
        let mut recent = [[S::zero(); RUN]; ROWS];
        let mut x = 0;
        while x + RUN <= cols {
            for ahead in 0..RUN {
                for row in 0..ROWS {
                    let [source, grad] = rows[row];
                    // The oldest one is not needed any more.
                    recent[row][RUN - 1 - ahead] = S::load(grad.wrapping_add((x + ahead) * d_step));
                    for set in 0..SETS {
                        let at = source.wrapping_offset(offsets[set]).wrapping_add((x + ahead) * x_step);
                        let pixel = S::splat(at);
                        for tap in 0..RUN {
                            let place = (2 * RUN - 1 - ahead + tap) % RUN;
                            sums[row][set][tap] = S::fma(recent[row][place], pixel, sums[row][set][tap]);
                        }
                    }
                }
            }
            x += RUN;
        }
        while x < cols + RUN - 1 {
            for row in 0..ROWS {
                let [source, grad] = rows[row];
                for tap in (1..RUN).rev() {
                    recent[row][tap] = recent[row][tap - 1];
                }
                recent[row][0] = if x < cols { S::load(grad.wrapping_add(x * d_step)) } else { S::zero() };
                for set in 0..SETS {
                    let pixel = S::splat(source.wrapping_offset(offsets[set]).wrapping_add(x * x_step));
                    for tap in 0..RUN {
                        sums[row][set][tap] = S::fma(recent[row][tap], pixel, sums[row][set][tap]);
                    }
                }
            }
            x += 1;
        }
    }
}
