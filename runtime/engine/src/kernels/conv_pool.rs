//! A convolution of a few output channels, its rectifier and the 2x2 pool behind it, from a plain map to a plain map.
//!
//! The first layers of small networks fill a fraction of a register of channels: LeNet-5's six of sixteen. Here a register
//! holds neighbouring pixels of one channel instead. Two rows are computed at once, so that what is pooled never leaves the
//! registers, and only a quarter of the map is written.

use super::correlate::Correlate;
use super::mem::Mem;
use super::share::{Share, StepKernel};
use super::{Kernel, Simd};
use crate::layout::Layout;
use std::ops::Range;

/// Channels that are computed at once: with two registers of each of two rows, as many sums as AVX2 has registers for.
const CHANNELS: usize = 3;

/// Numbers behind the last one of the input that may be read, though nothing comes of them.
pub const BEYOND: usize = 2 * 16;

/// What is read of rows outside of the map: two registers, whatever the tap.
static ZEROS: [f32; 2 * 16] = [0.0; 2 * 16];

/// Most columns of a kernel that the planner leaves to this kernel; nobody has tried wider ones.
pub const WIDEST_KERNEL: usize = 32;

/// The convolution with its pool.
#[derive(Debug, Clone)]
pub struct ConvPool {
    /// The convolution, of one block of channels, with stride 1 along rows; its output is not used.
    pub correlate: Correlate,
    /// The pooled output, in blocks of one channel.
    pub out: Layout,
    /// Whether negative results become zero before they are pooled.
    pub rectify: bool,
    /// Whether the mean is taken and not the maximum.
    pub average: bool,
}

impl ConvPool {
    /// Computes the pooled rows `tasks`.
    ///
    /// # Safety
    /// The instruction set of `S` is there, [`ConvPool::check`] has passed for the memory's length, nobody else touches these
    /// rows, and nobody writes to source, weights and bias.
    #[inline(always)]
    unsafe fn compute<S: Simd>(&self, mem: Mem<'_>, tasks: Range<usize>) {
        let [channels, height, width] = self.out.chw;
        for task in tasks {
            let (n, y) = (task / height, task % height);
            for first in (0..channels).step_by(CHANNELS) {
                for x in (0..width).step_by(S::LANES) {
                    // SAFETY: passed on from the caller; `write` checks the bounds.
                    unsafe {
                        let pooled = self.pooled::<S>(mem, [n, 2 * y, 2 * x], first);
                        let count = S::LANES.min(width - x);
                        for (c, pooled) in pooled.into_iter().enumerate().take(channels - first) {
                            let row = (n * channels + first + c) * height + y;
                            let mut numbers = [0.0; 16];
                            S::store(numbers.as_mut_ptr(), pooled);
                            mem.write(self.out.row_at(row) + x, count).copy_from_slice(&numbers[..count]);
                        }
                    }
                }
            }
        }
    }

    /// A register of pooled pixels of some channels, from the convolution's rows `y` and `y + 1`.
    #[inline(always)]
    unsafe fn pooled<S: Simd>(&self, mem: Mem<'_>, [n, y, x]: [usize; 3], first: usize) -> [S::V; CHANNELS] {
        let c = &self.correlate;
        let block = &c.blocks[0];
        let source = c.source + block.source + n * c.source_stride[0] + y * c.source_stride[1] + x;
        let sources = [mem.address(source).cast_const(), mem.address(source + c.source_stride[1]).cast_const()];
        let inside = [c.kernel_range(y), c.kernel_range(y + 1)];
        // SAFETY: the caller's promises; `check` has bounded all addresses, and a row that is not there is read from zeros.
        unsafe {
            // A register for each channel, row and half of the pixels.
            let mut sums = [[[S::zero(); 2]; 2]; CHANNELS];
            if let Some(bias) = block.bias {
                for i in 0..CHANNELS {
                    sums[i] = [[S::splat(mem.address(bias + first + i)); 2]; 2];
                }
            }
            for ky in inside[0].start.min(inside[1].start)..inside[0].end.max(inside[1].end) {
                let taps = &c.taps[block.first_tap + ky * block.row_taps..][..block.row_taps];
                let is_there = [inside[0].contains(&ky), inside[1].contains(&ky)];
                let mut weights = mem.address(block.weights + ky * block.row_taps * S::LANES + first).cast_const();
                for tap in taps {
                    let mut pixels = [[S::zero(); 2]; 2];
                    for row in 0..2 {
                        let there = sources[row].wrapping_offset(*tap as isize);
                        let from = if is_there[row] { there } else { ZEROS.as_ptr() };
                        pixels[row] = [S::load(from), S::load(from.add(S::LANES))];
                    }
                    for i in 0..CHANNELS {
                        let weight = S::splat(weights.add(i));
                        for row in 0..2 {
                            for half in 0..2 {
                                sums[i][row][half] = S::fma(weight, pixels[row][half], sums[i][row][half]);
                            }
                        }
                    }
                    weights = weights.add(S::LANES);
                }
            }
            let mut pooled = [S::zero(); CHANNELS];
            for i in 0..CHANNELS {
                let mut halves = [S::zero(); 2];
                for half in 0..2 {
                    let [mut above, mut below] = [sums[i][0][half], sums[i][1][half]];
                    if self.rectify {
                        (above, below) = (S::rectify(above), S::rectify(below));
                    }
                    halves[half] = if self.average { S::add(above, below) } else { S::larger(above, below) };
                }
                let [even, odd] = S::split(halves[0], halves[1]);
                pooled[i] = match self.average {
                    true => S::mul(S::add(even, odd), S::set(0.25)),
                    false => S::larger(even, odd),
                };
            }
            pooled
        }
    }
}

impl StepKernel for ConvPool {
    const NAME: &'static str = "conv pool";

    /// Number of tasks: rows of the pooled output, of all channels.
    fn tasks(&self, _lanes: usize) -> usize {
        self.correlate.extent[0] * self.out.chw[1]
    }

    /// Panics unless every access lies inside `len` elements.
    fn check(&self, len: usize, lanes: usize) {
        let c = &self.correlate;
        let [images, rows, cols] = c.extent;
        let (channels, pooled) = (self.out.chw[0], &self.out);
        assert!(c.blocks.len() == 1 && c.source_stride[2] == 1 && pooled.block == 1, "engine: planes to planes");
        assert!(channels.next_multiple_of(CHANNELS) <= lanes, "engine: channels of one register");
        assert!(2 * pooled.chw[1] <= rows && 2 * pooled.chw[2] <= cols, "engine: two rows and columns each");
        let block = &c.blocks[0];
        let weights = block.weights + c.kernel_rows.len() * block.row_taps * lanes;
        Mem::contains(len, block.weights as isize..weights as isize, "weights");
        Mem::contains(len, 0..(block.bias.unwrap_or(0) + lanes) as isize, "bias");
        Mem::contains(len, pooled.at as isize..(pooled.at + images * pooled.image()) as isize, "pooled");
        let first = (c.source + block.source) as isize;
        for row in 0..c.kernel_rows.len() {
            let inside: Vec<usize> = (0..rows).filter(|y| c.kernel_range(*y).contains(&row)).collect();
            let taps = &c.taps[block.first_tap + row * block.row_taps..][..block.row_taps];
            if let (Some(top), Some(end)) = (inside.first(), inside.last()) {
                for tap in taps.iter().map(|tap| first + *tap as isize) {
                    let last = (images - 1) * c.source_stride[0] + end * c.source_stride[1] + cols + BEYOND;
                    Mem::contains(len, tap + (top * c.source_stride[1]) as isize..tap + last as isize, "source");
                }
            }
        }
    }

    fn multiply_adds(&self, lanes: usize) -> u64 {
        self.correlate.multiply_adds(lanes)
    }

    fn sizes(&self) -> String {
        self.correlate.sizes()
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, Share { mem, tasks, .. }: Share<'_, '_>) {
        // SAFETY: passed on from the caller.
        unsafe { S::enter(Alone(self, mem, tasks)) }
    }
}

/// The innermost loop of this step is its own function: among all the others in one, it would have to do with the registers and
/// the place that they leave it.
struct Alone<'a>(&'a ConvPool, Mem<'a>, Range<usize>);

impl Kernel for Alone<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: passed on from the caller.
        unsafe { self.0.compute::<S>(self.1, self.2) }
    }
}
