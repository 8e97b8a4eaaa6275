//! Each channel times a parameter, and the gradients of both.

use super::Simd;
use super::mem::Mem;
use super::pointwise::GradMode;
use super::share::{Share, StepKernel};
use crate::layout::Layout;

/// `out = x * factors`; with the gradient of the output for `x`, that of the input.
#[derive(Debug, Clone, Copy)]
pub struct ChannelScale {
    /// A map.
    pub x: Layout,
    /// Offset of the factors, `[C]`.
    pub factors: usize,
    /// A map like `x`.
    pub out: Layout,
    /// Whether the result is added to what is there.
    pub mode: GradMode,
    /// Images.
    pub batch: usize,
}

impl StepKernel for ChannelScale {
    const NAME: &'static str = "channel scale";

    /// Number of tasks: rows.
    fn tasks(&self, _lanes: usize) -> usize {
        self.out.rows(self.batch)
    }

    fn check(&self, _len: usize, _lanes: usize) {}

    /// Computes the rows `tasks`.
    ///
    /// # Safety
    /// Nobody else touches these rows of `out`, and nobody writes to what is read.
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, Share { mem, tasks, .. }: Share<'_, '_>) {
        let (block, len) = (self.out.block, self.out.chw[2] * self.out.block);
        for row in tasks {
            let first = row / self.out.chw[1] % self.out.blocks() * block;
            let factors: [f32; 16] = std::array::from_fn(|lane| {
                let channel = (first + lane).min(self.out.chw[0] - 1);
                // SAFETY: nobody writes to parameters while a program runs.
                unsafe { mem.read(self.factors + channel, 1)[0] }
            });
            // SAFETY: the caller's promises.
            let (x, out) = unsafe { (mem.read(self.x.row_at(row), len), mem.write(self.out.row_at(row), len)) };
            for (x, out) in x.chunks_exact(block).zip(out.chunks_exact_mut(block)) {
                for lane in 0..block {
                    let product = x[lane] * factors[lane];
                    out[lane] = if self.mode == GradMode::Add { out[lane] + product } else { product };
                }
            }
        }
    }
}

/// The gradient of the factors: the sum of `x * d_out` over each channel of all images.
#[derive(Debug, Clone, Copy)]
pub struct ChannelScaleGrad {
    /// The input.
    pub x: Layout,
    /// The gradient of the output.
    pub d_out: Layout,
    /// Offset of the result, `[C]`.
    pub out: usize,
    /// Images.
    pub batch: usize,
}

impl ChannelScaleGrad {
    /// Computes the sums of a block of channels, row by row, and the rows' sums in double precision.
    ///
    /// # Safety
    /// Nobody else touches these results, and nobody writes to what is read.
    #[inline(always)]
    unsafe fn sum(&self, mem: Mem<'_>, block: usize) {
        let ([channels, height, width], lanes) = (self.x.chw, self.x.block);
        let len = width * lanes;
        let mut total = [0.0_f64; 16];
        for image in 0..self.batch {
            for y in 0..height {
                let row = (image * self.x.blocks() + block) * height + y;
                // SAFETY: the caller's promises.
                let (x, d) = unsafe { (mem.read(self.x.row_at(row), len), mem.read(self.d_out.row_at(row), len)) };
                let mut sum = [0.0_f32; 16];
                for (x, d) in x.chunks_exact(lanes).zip(d.chunks_exact(lanes)) {
                    for lane in 0..lanes {
                        sum[lane] += x[lane] * d[lane];
                    }
                }
                total.iter_mut().zip(sum).for_each(|(total, sum)| *total += f64::from(sum));
            }
        }
        let first = block * lanes;
        let count = lanes.min(channels - first);
        // SAFETY: the caller's promises.
        let out = unsafe { mem.write(self.out + first, count) };
        out.iter_mut().zip(total).for_each(|(out, total)| *out = total as f32);
    }
}

impl StepKernel for ChannelScaleGrad {
    const NAME: &'static str = "channel scale grad";

    /// Number of tasks: blocks of channels.
    fn tasks(&self, _lanes: usize) -> usize {
        self.x.blocks()
    }

    fn check(&self, _len: usize, _lanes: usize) {}

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, Share { mem, tasks, .. }: Share<'_, '_>) {
        for block in tasks {
            // SAFETY: passed on from the caller.
            unsafe { self.sum(mem, block) }
        }
    }
}
