//! Each channel of each image times a factor of its own, or each element times another one, and the gradients of both.

use super::Simd;
use super::pointwise::GradMode;
use super::share::{Share, StepKernel};
use crate::layout::Layout;

/// `out = x * factors`; with the gradient of the output for `x`, that of the input.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// A map.
    pub x: Layout,
    /// `[C, 1, 1]`, or a map like `x`.
    pub factors: Layout,
    /// A map like `x`.
    pub out: Layout,
    /// Whether the result is added to what is there.
    pub mode: GradMode,
    /// Images.
    pub batch: usize,
}

impl StepKernel for Scale {
    const NAME: &'static str = "scale";

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
        let (lanes, len) = (S::LANES, self.out.chw[2] * S::LANES);
        if self.factors.chw == self.x.chw {
            for row in self.out.rows_of(tasks, self.batch) {
                // SAFETY: the caller's promises.
                let (x, factors, out) = unsafe {
                    (
                        mem.read(self.x.row_at(row), len),
                        mem.read(self.factors.row_at(row), len),
                        mem.write(self.out.row_at(row), len),
                    )
                };
                for ((x, factor), out) in x.iter().zip(factors).zip(out) {
                    let product = x * factor;
                    *out = if self.mode == GradMode::Add { *out + product } else { product };
                }
            }
            return;
        }
        for row in self.out.rows_of(tasks, self.batch) {
            // A plane of the factors is one pixel.
            let plane = row / self.out.chw[1];
            // SAFETY: the caller's promises.
            let (x, factors, out) = unsafe {
                (
                    mem.read(self.x.row_at(row), len),
                    mem.read(self.factors.row_at(plane), lanes),
                    mem.write(self.out.row_at(row), len),
                )
            };
            for (x, out) in x.chunks_exact(lanes).zip(out.chunks_exact_mut(lanes)) {
                for lane in 0..lanes {
                    let product = x[lane] * factors[lane];
                    out[lane] = if self.mode == GradMode::Add { out[lane] + product } else { product };
                }
            }
        }
    }
}

/// The gradient of the factors: the sum of `x * d_out` over each channel of each image.
#[derive(Debug, Clone, Copy)]
pub struct ScaleGrad {
    /// The map.
    pub x: Layout,
    /// The gradient of the output.
    pub d_out: Layout,
    /// The gradient of the factors.
    pub out: Layout,
    /// Whether the result is added to what is there.
    pub mode: GradMode,
    /// Images.
    pub batch: usize,
}

impl StepKernel for ScaleGrad {
    const NAME: &'static str = "scale grad";

    /// Number of tasks: blocks of channels of an image.
    fn tasks(&self, _lanes: usize) -> usize {
        self.batch * self.x.blocks()
    }

    fn check(&self, _len: usize, _lanes: usize) {}

    /// Computes the tasks `tasks`.
    ///
    /// # Safety
    /// Nobody else touches these factors' gradients, and nobody writes to what is read.
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, Share { mem, tasks, .. }: Share<'_, '_>) {
        let (lanes, len) = (S::LANES, self.x.chw[2] * S::LANES);
        for plane in tasks {
            let mut total = [0.0_f64; 16];
            for y in 0..self.x.chw[1] {
                let row = plane * self.x.chw[1] + y;
                // SAFETY: the caller's promises.
                let (x, d) = unsafe { (mem.read(self.x.row_at(row), len), mem.read(self.d_out.row_at(row), len)) };
                let mut sum = [0.0_f32; 16];
                for (x, d) in x.chunks_exact(lanes).zip(d.chunks_exact(lanes)) {
                    for lane in 0..lanes {
                        sum[lane] += x[lane] * d[lane];
                    }
                }
                for lane in 0..lanes {
                    total[lane] += f64::from(sum[lane]);
                }
            }
            // SAFETY: as above.
            let out = unsafe { mem.write(self.out.row_at(plane), lanes) };
            for lane in 0..lanes {
                let sum = total[lane] as f32;
                out[lane] = if self.mode == GradMode::Add { out[lane] + sum } else { sum };
            }
        }
    }
}
