//! The innermost loop of convolutions, linear layers and Winograd's products: some pixels of a group of channel blocks.
//!
//! All sums of a tile are in registers. A tap costs a load of weights for each block and a broadcast for each pixel, and
//! gives a multiplication with addition for each pair of both; so tiles of several blocks keep two multipliers busy with two
//! loads a cycle. Sums run over the taps in order, whatever the shape of the tile: it does not change a bit of the result.

use super::{Isa, Simd};

/// Most blocks of a group.
pub const GROUP: usize = 4;

/// How many of `run` blocks to compute at once for rows of `cols` pixels.
pub fn best_group(isa: Isa, run: usize, cols: usize, far: bool) -> usize {
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
                1 => self.blocks::<S, 1>(width, step),
                2 => self.blocks::<S, 2>(width, step),
                3 => self.blocks::<S, 3>(width, step),
                _ => self.blocks::<S, 4>(width, step),
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
        if const { WIDTH > S::WIDEST[N - 1] } {
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
                let weight: [S::V; N] = std::array::from_fn(|block| S::load(weights.add(block * weight_step)));
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
