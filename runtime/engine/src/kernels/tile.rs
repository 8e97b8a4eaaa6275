//! The innermost loop of convolutions, linear layers and Winograd's products: some pixels of a group of channel blocks.
//!
//! All sums of a tile are in registers. A tap costs a load of weights for each block and a broadcast for each pixel, and
//! gives a multiplication with addition for each pair of both; so tiles of several blocks keep two multipliers busy with two
//! loads a cycle. Sums run over the taps in order, whatever the shape of the tile: it does not change a bit of the result.

use super::{Isa, Kernel, Simd};

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
        // Half cycles a tap: two units multiply, two loads are done, and a sum is ready for the next after four cycles.
        let time = |width: usize| (n * width).max(n + width + 1).max(8) as f64;
        // Some tiles are a pixel wider than the others.
        let (width, wider) = (cols / tiles, cols % tiles);
        ((tiles - wider) as f64 * time(width) + wider as f64 * time(width + 1)) / n as f64
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

/// How far apart the pixels of a tile are. A constant where it can be one, so that addresses need no registers.
mod step {
    pub const ANY: u8 = 0;
    pub const ONE: u8 = 1;
    pub const LANES: u8 = 2;
}

/// `N` blocks of `WIDTH` pixels.
struct Sums<'a, const N: usize, const WIDTH: usize, const STEP: u8>(&'a Tile<'a>, usize);

/// One block of `WIDTH` pixels, whose taps come in runs of `RUN`.
struct Runs<'a, const RUN: usize, const WIDTH: usize, const STEP: u8>(&'a Tile<'a>, usize);

/// `WIDTH` pixels of a depthwise layer, whose taps come in runs of `RUN`; from which pixel on, and how far they are apart.
struct Channels<'a, const RUN: usize, const WIDTH: usize>(&'a Tile<'a>, [usize; 2]);

/// A step as a number.
#[inline(always)]
fn distance<S: Simd, const STEP: u8>(any: usize) -> usize {
    match STEP {
        step::ONE => 1,
        step::LANES => S::LANES,
        _ => any,
    }
}

impl<const N: usize, const WIDTH: usize, const STEP: u8> Kernel for Sums<'_, N, WIDTH, STEP> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: passed on from the caller.
        unsafe { self.0.sums::<S, N, WIDTH>(distance::<S, STEP>(self.1)) }
    }
}

impl<const RUN: usize, const WIDTH: usize, const STEP: u8> Kernel for Runs<'_, RUN, WIDTH, STEP> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: passed on from the caller.
        unsafe { self.0.runs::<S, RUN, WIDTH>(distance::<S, STEP>(self.1)) }
    }
}

impl<const RUN: usize, const WIDTH: usize> Kernel for Channels<'_, RUN, WIDTH> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let [x, step] = self.1;
        // SAFETY: passed on from the caller.
        unsafe { self.0.channels::<S, RUN, WIDTH>(x, step) }
    }
}

impl Tile<'_> {
    /// Computes `width` pixels, `step` apart in the source, of `blocks` blocks. Each shape of a tile is a function of its
    /// own: without optimisation, one function of all shapes would need two megabytes of stack.
    ///
    /// # Safety
    /// The instruction set of `S` is there. All of source, weights, biases and outputs that taps, blocks and pixels reach are
    /// there; the outputs are the caller's.
    #[inline(never)]
    pub unsafe fn run<S: Simd>(&self, blocks: usize, width: usize, step: usize) {
        // SAFETY: passed on from the caller.
        unsafe {
            if self.depthwise {
                return match self.run {
                    3 => self.channel_tiles::<S, 3>(width, step),
                    5 => self.channel_tiles::<S, 5>(width, step),
                    7 => self.channel_tiles::<S, 7>(width, step),
                    _ => self.channel_tiles::<S, 1>(width, step),
                };
            }
            match blocks {
                1 if self.run > 1 && step == S::LANES => self.run_of::<S, { step::LANES }>(width, step),
                1 if self.run > 1 && step == 1 => self.run_of::<S, { step::ONE }>(width, step),
                1 => self.blocks::<S, 1>(width, step),
                2 => self.blocks::<S, 2>(width, step),
                3 => self.blocks::<S, 3>(width, step),
                4 => self.blocks::<S, 4>(width, step),
                5 => S::enter(Sums::<5, 1, { step::ANY }>(self, step)),
                6 => S::enter(Sums::<6, 1, { step::ANY }>(self, step)),
                7 => S::enter(Sums::<7, 1, { step::ANY }>(self, step)),
                _ => S::enter(Sums::<8, 1, { step::ANY }>(self, step)),
            }
        }
    }

    #[inline(always)]
    unsafe fn blocks<S: Simd, const N: usize>(&self, width: usize, step: usize) {
        // SAFETY: passed on from the caller.
        unsafe {
            if step == S::LANES {
                self.width::<S, N, { step::LANES }>(width, step);
            } else if step == 1 {
                self.width::<S, N, { step::ONE }>(width, step);
            } else {
                self.width::<S, N, { step::ANY }>(width, step);
            }
        }
    }

    #[inline(always)]
    unsafe fn width<S: Simd, const N: usize, const STEP: u8>(&self, width: usize, step: usize) {
        // SAFETY: passed on from the caller.
        unsafe {
            match width {
                1 => S::enter(Sums::<N, 1, STEP>(self, step)),
                2 => S::enter(Sums::<N, 2, STEP>(self, step)),
                3 => S::enter(Sums::<N, 3, STEP>(self, step)),
                4 => S::enter(Sums::<N, 4, STEP>(self, step)),
                5 => S::enter(Sums::<N, 5, STEP>(self, step)),
                6 => S::enter(Sums::<N, 6, STEP>(self, step)),
                7 => S::enter(Sums::<N, 7, STEP>(self, step)),
                8 => S::enter(Sums::<N, 8, STEP>(self, step)),
                9 => S::enter(Sums::<N, 9, STEP>(self, step)),
                10 => S::enter(Sums::<N, 10, STEP>(self, step)),
                11 => S::enter(Sums::<N, 11, STEP>(self, step)),
                12 => S::enter(Sums::<N, 12, STEP>(self, step)),
                13 => S::enter(Sums::<N, 13, STEP>(self, step)),
                _ => S::enter(Sums::<N, 14, STEP>(self, step)),
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
    unsafe fn run_of<S: Simd, const STEP: u8>(&self, width: usize, step: usize) {
        // SAFETY: passed on from the caller.
        unsafe {
            match self.run {
                3 => self.run_width::<S, 3, STEP>(width, step),
                _ => self.run_width::<S, 5, STEP>(width, step),
            }
        }
    }

    #[inline(always)]
    unsafe fn run_width<S: Simd, const RUN: usize, const STEP: u8>(&self, width: usize, step: usize) {
        // SAFETY: passed on from the caller.
        unsafe {
            match width {
                1 => S::enter(Runs::<RUN, 1, STEP>(self, step)),
                2 => S::enter(Runs::<RUN, 2, STEP>(self, step)),
                3 => S::enter(Runs::<RUN, 3, STEP>(self, step)),
                4 => S::enter(Runs::<RUN, 4, STEP>(self, step)),
                5 => S::enter(Runs::<RUN, 5, STEP>(self, step)),
                6 => S::enter(Runs::<RUN, 6, STEP>(self, step)),
                7 => S::enter(Runs::<RUN, 7, STEP>(self, step)),
                8 => S::enter(Runs::<RUN, 8, STEP>(self, step)),
                9 => S::enter(Runs::<RUN, 9, STEP>(self, step)),
                10 => S::enter(Runs::<RUN, 10, STEP>(self, step)),
                11 => S::enter(Runs::<RUN, 11, STEP>(self, step)),
                12 => S::enter(Runs::<RUN, 12, STEP>(self, step)),
                13 => S::enter(Runs::<RUN, 13, STEP>(self, step)),
                _ => S::enter(Runs::<RUN, 14, STEP>(self, step)),
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

    /// A depthwise tile: pieces of as many pixels as keep the multipliers busy, and of maps as small as 7x7 and 14x14 no remainder.
    #[inline(always)]
    unsafe fn channel_tiles<S: Simd, const RUN: usize>(&self, width: usize, step: usize) {
        let mut x = 0;
        while x < width {
            // SAFETY: passed on from the caller.
            x += unsafe {
                match width - x {
                    7 | 14 => self.channel_tile::<S, RUN, 7>(x, step),
                    8.. => self.channel_tile::<S, RUN, 8>(x, step),
                    4.. => self.channel_tile::<S, RUN, 4>(x, step),
                    _ => self.channel_tile::<S, RUN, 1>(x, step),
                }
            };
        }
    }

    #[inline(always)]
    unsafe fn channel_tile<S: Simd, const RUN: usize, const WIDTH: usize>(&self, x: usize, step: usize) -> usize {
        // SAFETY: passed on from the caller.
        unsafe { S::enter(Channels::<RUN, WIDTH>(self, [x, step])) }
        WIDTH
    }

    /// `WIDTH` pixels of a depthwise tile from pixel `x` on. In a run, neighbouring sums share the pixels that they read: each is loaded once.
    #[inline(always)]
    unsafe fn channels<S: Simd, const RUN: usize, const WIDTH: usize>(&self, x: usize, step: usize) {
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
            let (mut weights, from) = (self.weights, self.source.add(x * step));
            for taps in self.taps.chunks_exact(RUN) {
                let source = from.offset(taps[0] as isize);
                if RUN == 1 {
                    let weight = S::load(weights);
                    for (i, sum) in sums.iter_mut().enumerate() {
                        *sum = S::fma(weight, S::load(source.add(i * step)), *sum);
                    }
                } else {
                    let mut weight = [S::zero(); RUN];
                    for tap in 0..RUN {
                        weight[tap] = S::load(weights.add(tap * S::LANES));
                    }
                    // Pixels one behind the other: the step is a register.
                    for i in 0..WIDTH + RUN - 1 {
                        let pixel = S::load(source.add(i * S::LANES));
                        for tap in 0..RUN {
                            if tap <= i && i - tap < WIDTH {
                                sums[i - tap] = S::fma(weight[tap], pixel, sums[i - tap]);
                            }
                        }
                    }
                }
                weights = weights.add(RUN * S::LANES);
            }
            for (i, sum) in sums.into_iter().enumerate() {
                S::store(out.add(i * self.out_step), sum);
            }
        }
    }
}
