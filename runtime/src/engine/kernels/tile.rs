//! The innermost loop of convolutions, linear layers and Winograd's products: some pixels of a group of channel blocks.
//!
//! All sums of a tile are in registers. A tap costs a load of weights for each block and a broadcast for each pixel, and
//! gives a multiplication with addition for each pair of both; so tiles of several blocks keep two multipliers busy with two
//! loads a cycle. Sums run over the taps in order, whatever the shape of the tile: it does not change a bit of the result.

use super::{Isa, Simd};

/// Most blocks of a group.
const GROUP: usize = 4;

/// Most blocks of a group for a single pixel.
const GROUP_OF_ONE: usize = 8;

/// How many of `run` blocks to compute at once for rows of `cols` pixels.
pub fn best_group(isa: Isa, run: usize, cols: usize, far: bool) -> usize {
    if cols == 1 {
        // Sums of one pixel wait for each other; more of them keep the units busy.
        return run.min(GROUP_OF_ONE);
    }
    let widest = isa.widest();
    let cost = |n: usize| {
        let n = run.div_ceil(run.div_ceil(n));
        let tiles = cols.div_ceil(if far { widest[n - 1].min(FAR_TILE) } else { widest[n - 1] }).max(1);
        let width = cols.div_ceil(tiles);
        // Cycles a tap: two units multiply, two loads are done, and a sum is ready for the next after four.
        let cycles = (n * width).max(n + width + 1).max(8) as f64;
        cycles * tiles as f64 / n as f64
    };
    (1..=GROUP).rev().min_by(|a, b| cost(*a).total_cmp(&cost(*b))).unwrap_or(1)
}

/// Whether the pixels of a tile are a distance apart that no kernel knows as a constant.
pub fn is_far(step: usize, lanes: usize) -> bool {
    step != lanes && step != 1
}

/// Pixels of a tile whose distance is not a constant: each needs a register for its address.
pub const FAR_TILE: usize = 8;

/// Some pixels of a group of blocks.
pub struct Tile<'a> {
    /// The first pixel in the source.
    pub source: *const f32,
    /// Offset of each tap from a pixel.
    pub taps: &'a [i32],
    /// The first block's weights, `[tap][lane]`.
    pub weights: *const f32,
    /// The first block's bias, `[lane]`.
    pub bias: Option<*const f32>,
    /// The first pixel in the first block's output.
    pub out: *mut f32,
    /// Distance of the output's pixels.
    pub out_step: usize,
    /// Distance of the blocks' outputs, weights and biases.
    pub steps: [usize; 3],
    /// Adds to what the output holds.
    pub add: bool,
    /// Each lane reads its own channel, of one block.
    pub depthwise: bool,
    /// Taps come in runs of so many, each tap a pixel behind the one before; 1 if nothing is known. Used with one block.
    pub run: usize,
}

/// Most pixels of a tile of one block whose taps come in runs of 5: each needs registers for its weights too.
const RUN_5_TILE: usize = 10;

/// Most pixels of a tile of `blocks` blocks.
pub const fn widest(widest: [usize; 4], blocks: usize, far: bool, run: usize) -> usize {
    if blocks > GROUP {
        return 1;
    }
    let most = match run {
        _ if far => FAR_TILE,
        5 if blocks == 1 => RUN_5_TILE,
        _ => usize::MAX,
    };
    let width = widest[blocks - 1];
    if width < most { width } else { most }
}

impl Tile<'_> {
    /// Computes `width` pixels, `step` apart in the source, of `blocks` blocks. Code for one instruction set: each has it
    /// once, as [`Simd::tile`].
    ///
    /// # Safety
    /// The instruction set of `S` is switched on in the caller. All of source, weights, biases and outputs that taps, blocks
    /// and pixels reach are there; the outputs are the caller's.
    #[inline(always)]
    pub unsafe fn run<S: Simd>(&self, blocks: usize, width: usize, step: usize) {
        // SAFETY: passed on from the caller.
        unsafe {
            if self.depthwise {
                return self.channels::<S>(width, step);
            }
            match blocks {
                1 if self.run > 1 && step == S::LANES => self.run_of::<S>(width, S::LANES),
                1 if self.run > 1 && step == 1 => self.run_of::<S>(width, 1),
                1 => self.blocks::<S, 1>(width, step),
                2 => self.blocks::<S, 2>(width, step),
                3 => self.blocks::<S, 3>(width, step),
                4 => self.blocks::<S, 4>(width, step),
                5 => self.sums::<S, 5, 1>(step),
                6 => self.sums::<S, 6, 1>(step),
                7 => self.sums::<S, 7, 1>(step),
                _ => self.sums::<S, 8, 1>(step),
            }
        }
    }

    /// The step is a constant at each call but the last, so that addresses need no registers.
    #[inline(always)]
    unsafe fn blocks<S: Simd, const N: usize>(&self, width: usize, step: usize) {
        // SAFETY: passed on from the caller.
        unsafe {
            if step == S::LANES {
                self.width::<S, N>(width, S::LANES);
            } else if step == 1 {
                self.width::<S, N>(width, 1);
            } else {
                self.width::<S, N>(width, step);
            }
        }
    }

    #[inline(always)]
    unsafe fn width<S: Simd, const N: usize>(&self, width: usize, step: usize) {
        // SAFETY: passed on from the caller.
        unsafe {
            match width {
                1 => self.sums::<S, N, 1>(step),
                2 => self.sums::<S, N, 2>(step),
                3 => self.sums::<S, N, 3>(step),
                4 => self.sums::<S, N, 4>(step),
                5 => self.sums::<S, N, 5>(step),
                6 => self.sums::<S, N, 6>(step),
                7 => self.sums::<S, N, 7>(step),
                8 => self.sums::<S, N, 8>(step),
                9 => self.sums::<S, N, 9>(step),
                10 => self.sums::<S, N, 10>(step),
                11 => self.sums::<S, N, 11>(step),
                12 => self.sums::<S, N, 12>(step),
                13 => self.sums::<S, N, 13>(step),
                _ => self.sums::<S, N, 14>(step),
            }
        }
    }

    #[inline(always)]
    unsafe fn sums<S: Simd, const N: usize, const WIDTH: usize>(&self, step: usize) {
        if const { WIDTH > widest(S::WIDEST, N, false, 1) } {
            unreachable!("engine: a tile of {N} blocks is no wider than the registers allow");
        }
        let [out_step, weight_step, bias_step] = self.steps;
        // SAFETY: `Correlate::check` has bounded source + tap + pixel for all taps and pixels of the tile, and the
        // weights, biases and outputs of all blocks.
        unsafe {
            let mut sums = [[S::zero(); WIDTH]; N];
            for (block, sums) in sums.iter_mut().enumerate() {
                if self.add {
                    for (x, sum) in sums.iter_mut().enumerate() {
                        *sum = S::load(self.out.add(block * out_step + x * self.out_step));
                    }
                } else if let Some(bias) = self.bias {
                    *sums = [S::load(bias.add(block * bias_step)); WIDTH];
                }
            }
            let mut weights = self.weights;
            for tap in self.taps {
                let source = self.source.offset(*tap as isize);
                let mut weight = [S::zero(); N];
                for block in 0..N {
                    weight[block] = S::load(weights.add(block * weight_step));
                }
                for x in 0..WIDTH {
                    let pixel = S::splat(source.add(x * step));
                    for block in 0..N {
                        sums[block][x] = S::fma(weight[block], pixel, sums[block][x]);
                    }
                }
                weights = weights.add(S::LANES);
            }
            for (block, sums) in sums.into_iter().enumerate() {
                for (x, sum) in sums.into_iter().enumerate() {
                    S::store(self.out.add(block * out_step + x * self.out_step), sum);
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn run_of<S: Simd>(&self, width: usize, step: usize) {
        // SAFETY: passed on from the caller.
        unsafe {
            match self.run {
                3 => self.run_width::<S, 3>(width, step),
                _ => self.run_width::<S, 5>(width, step),
            }
        }
    }

    #[inline(always)]
    unsafe fn run_width<S: Simd, const RUN: usize>(&self, width: usize, step: usize) {
        // SAFETY: passed on from the caller.
        unsafe {
            match width {
                1 => self.runs::<S, RUN, 1>(step),
                2 => self.runs::<S, RUN, 2>(step),
                3 => self.runs::<S, RUN, 3>(step),
                4 => self.runs::<S, RUN, 4>(step),
                5 => self.runs::<S, RUN, 5>(step),
                6 => self.runs::<S, RUN, 6>(step),
                7 => self.runs::<S, RUN, 7>(step),
                8 => self.runs::<S, RUN, 8>(step),
                9 => self.runs::<S, RUN, 9>(step),
                10 => self.runs::<S, RUN, 10>(step),
                11 => self.runs::<S, RUN, 11>(step),
                12 => self.runs::<S, RUN, 12>(step),
                13 => self.runs::<S, RUN, 13>(step),
                _ => self.runs::<S, RUN, 14>(step),
            }
        }
    }

    /// A tile of one block whose taps come in runs: neighbouring sums share the pixels that they read, so there is a
    /// broadcast for each pixel of a run instead of one for each multiplication.
    #[inline(always)]
    unsafe fn runs<S: Simd, const RUN: usize, const WIDTH: usize>(&self, step: usize) {
        if const { WIDTH > widest(S::WIDEST, 1, false, RUN) } {
            unreachable!("engine: a tile with runs is no wider than the registers allow");
        }
        // SAFETY: as for `sums`; a run's pixels are those that its taps read.
        unsafe {
            let start = self.bias.filter(|_| !self.add).map_or(S::zero(), |bias| S::load(bias));
            let mut sums = [start; WIDTH];
            if self.add {
                for (x, sum) in sums.iter_mut().enumerate() {
                    *sum = S::load(self.out.add(x * self.out_step));
                }
            }
            let mut weights = self.weights;
            for taps in self.taps.chunks_exact(RUN) {
                let source = self.source.offset(taps[0] as isize);
                // Not `from_fn`, which the compiler may call instead of inlining it: without the instruction set.
                let mut weight = [S::zero(); RUN];
                for tap in 0..RUN {
                    weight[tap] = S::load(weights.add(tap * S::LANES));
                }
                // All loops have constant bounds, since only such loops are unrolled before arrays become registers.
                for x in 0..RUN - 1 {
                    let pixel = S::splat(source.add(x * step));
                    for tap in 0..RUN - 1 {
                        if tap <= x && x - tap < WIDTH {
                            sums[x - tap] = S::fma(weight[tap], pixel, sums[x - tap]);
                        }
                    }
                }
                for x in RUN - 1..WIDTH {
                    let pixel = S::splat(source.add(x * step));
                    for tap in 0..RUN {
                        sums[x - tap] = S::fma(weight[tap], pixel, sums[x - tap]);
                    }
                }
                for end in 1..RUN {
                    let x = WIDTH + end - 1;
                    if x >= RUN - 1 {
                        let pixel = S::splat(source.add(x * step));
                        for tap in 1..RUN {
                            if tap >= end && tap <= x {
                                sums[x - tap] = S::fma(weight[tap], pixel, sums[x - tap]);
                            }
                        }
                    }
                }
                weights = weights.add(RUN * S::LANES);
            }
            for (x, sum) in sums.into_iter().enumerate() {
                S::store(self.out.add(x * self.out_step), sum);
            }
        }
    }

    /// A depthwise tile, by four pixels: as many sums as keep the multipliers busy, since a tap needs a load for each.
    #[inline(always)]
    unsafe fn channels<S: Simd>(&self, width: usize, step: usize) {
        let mut x = 0;
        // SAFETY: passed on from the caller.
        unsafe {
            while x + 4 <= width {
                self.channels_of::<S, 4>(x, step);
                x += 4;
            }
            while x < width {
                self.channels_of::<S, 1>(x, step);
                x += 1;
            }
        }
    }

    #[inline(always)]
    unsafe fn channels_of<S: Simd, const WIDTH: usize>(&self, x: usize, step: usize) {
        // SAFETY: as for `sums`; each tap and pixel is a register of channels.
        unsafe {
            let out = self.out.add(x * self.out_step);
            let start = self.bias.filter(|_| !self.add).map_or(S::zero(), |bias| S::load(bias));
            let mut sums = [start; WIDTH];
            if self.add {
                for (i, sum) in sums.iter_mut().enumerate() {
                    *sum = S::load(out.add(i * self.out_step));
                }
            }
            let mut weights = self.weights;
            for tap in self.taps {
                let weight = S::load(weights);
                let source = self.source.offset(*tap as isize + (x * step) as isize);
                for (i, sum) in sums.iter_mut().enumerate() {
                    *sum = S::fma(weight, S::load(source.add(i * step)), *sum);
                }
                weights = weights.add(S::LANES);
            }
            for (i, sum) in sums.into_iter().enumerate() {
                S::store(out.add(i * self.out_step), sum);
            }
        }
    }
}
