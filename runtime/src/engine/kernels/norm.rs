//! Batch normalisation, forward and backward.
//!
//! The statistics of a block of channels are one task and are summed in one order, rows in single and their sums in
//! double precision. The variance is that of the centred values (two passes), which keeps its digits where the mean is
//! large.

use super::Simd;
use super::mem::Mem;
use super::pointwise::GradMode;
use crate::engine::layout::Layout;
use std::ops::Range;

/// Where the numbers of a batch normalisation lie. `mean` and `inv_std` are `[C]` rounded up to whole blocks.
#[derive(Debug, Clone, Copy)]
pub struct BatchNorm {
    /// The input.
    pub x: Layout,
    /// The output, or the gradient of the output.
    pub y: Layout,
    /// The gradient of the input.
    pub d_x: Layout,
    /// Images.
    pub batch: usize,
    /// Added to the variance.
    pub eps: f64,
    /// Batch statistics instead of running ones.
    pub training: bool,
    /// Offset of weight, bias, running mean and running variance, each `[C]`.
    pub params: [usize; 4],
    /// Offset of the mean that is subtracted.
    pub mean: usize,
    /// Offset of one over the standard deviation.
    pub inv_std: usize,
    /// Offset of the (biased) variance of the batch.
    pub var: usize,
    /// Offset of the gradients of weight and bias.
    pub d_params: [usize; 2],
    /// What happens to the gradient of the input.
    pub mode: GradMode,
}

impl BatchNorm {
    /// Number of tasks of the statistics: blocks of channels.
    pub fn stat_tasks(&self) -> usize {
        self.x.blocks()
    }

    /// Number of tasks of the rest: rows.
    pub fn row_tasks(&self) -> usize {
        self.x.rows(self.batch)
    }

    /// Sums `f(row index, row length)` over the rows of a block.
    #[inline(always)]
    fn sum<S: Simd>(&self, block: usize, f: impl Fn(usize, &mut [f32; 16], &mut [f32; 16])) -> [[f64; 16]; 2] {
        let mut total = [[0.0_f64; 16]; 2];
        for n in 0..self.batch {
            for y in 0..self.x.chw[1] {
                let (mut a, mut b) = ([0.0_f32; 16], [0.0_f32; 16]);
                f((n * self.x.blocks() + block) * self.x.chw[1] + y, &mut a, &mut b);
                for lane in 0..S::LANES {
                    total[0][lane] += f64::from(a[lane]);
                    total[1][lane] += f64::from(b[lane]);
                }
            }
        }
        total
    }

    #[inline(always)]
    fn param(&self, mem: Mem<'_>, at: usize, block: usize) -> [f32; 16] {
        std::array::from_fn(|lane| {
            let channel = (block * self.x.block + lane).min(self.x.chw[0] - 1);
            // SAFETY: nobody writes to parameters while a program runs.
            unsafe { mem.read(at + channel, 1)[0] }
        })
    }

    #[inline(always)]
    fn count(&self) -> f64 {
        (self.batch * self.x.chw[1] * self.x.chw[2]) as f64
    }

    /// Mean, variance and one over the standard deviation of the blocks `tasks`.
    ///
    /// # Safety
    /// Nobody else touches these statistics, and nobody writes to `x`.
    #[inline(always)]
    pub unsafe fn statistics<S: Simd>(&self, mem: Mem<'_>, tasks: Range<usize>) {
        let (lanes, len) = (S::LANES, self.x.chw[2] * S::LANES);
        for block in tasks {
            let (mean, var): ([f32; 16], [f32; 16]);
            if self.training {
                let [sum, _] = self.sum::<S>(block, |row, sum, _| {
                    // SAFETY: the caller's promises.
                    for pixel in unsafe { mem.read(self.x.row_at(row), len) }.chunks_exact(lanes) {
                        for lane in 0..lanes {
                            sum[lane] += pixel[lane];
                        }
                    }
                });
                mean = std::array::from_fn(|lane| (sum[lane] / self.count()) as f32);
                let [squares, _] = self.sum::<S>(block, |row, sum, _| {
                    // SAFETY: as above.
                    for pixel in unsafe { mem.read(self.x.row_at(row), len) }.chunks_exact(lanes) {
                        for lane in 0..lanes {
                            let d = pixel[lane] - mean[lane];
                            sum[lane] += d * d;
                        }
                    }
                });
                var = std::array::from_fn(|lane| (squares[lane] / self.count()) as f32);
            } else {
                mean = self.param(mem, self.params[2], block);
                var = self.param(mem, self.params[3], block);
            }
            // SAFETY: as above.
            unsafe {
                mem.write(self.mean + block * lanes, lanes).copy_from_slice(&mean[..lanes]);
                mem.write(self.var + block * lanes, lanes).copy_from_slice(&var[..lanes]);
                let inv_std = mem.write(self.inv_std + block * lanes, lanes);
                for lane in 0..lanes {
                    inv_std[lane] = (1.0 / (f64::from(var[lane]) + self.eps).sqrt()) as f32;
                }
            }
        }
    }

    /// Mean and one over the standard deviation of a block.
    #[inline(always)]
    unsafe fn known<'a, S: Simd>(&self, mem: Mem<'a>, block: usize) -> (&'a [f32], &'a [f32]) {
        // SAFETY: statistics are written a step before.
        unsafe {
            let at = block * S::LANES;
            (mem.read(self.mean + at, S::LANES), mem.read(self.inv_std + at, S::LANES))
        }
    }

    /// `y = (x - mean) * inv_std * weight + bias` for the rows `tasks`.
    ///
    /// # Safety
    /// Nobody else touches these rows of `y`, and nobody writes to `x` and the statistics.
    #[inline(always)]
    pub unsafe fn normalise<S: Simd>(&self, mem: Mem<'_>, tasks: Range<usize>) {
        let (lanes, len) = (S::LANES, self.x.chw[2] * S::LANES);
        for row in tasks {
            let block = row / self.x.chw[1] % self.x.blocks();
            // SAFETY: the caller's promises.
            let ((mean, inv_std), x, y) = unsafe {
                (self.known::<S>(mem, block), mem.read(self.x.row_at(row), len), mem.write(self.y.row_at(row), len))
            };
            let (weight, bias) = (self.param(mem, self.params[0], block), self.param(mem, self.params[1], block));
            for (x, y) in x.chunks_exact(lanes).zip(y.chunks_exact_mut(lanes)) {
                for lane in 0..lanes {
                    y[lane] = (x[lane] - mean[lane]) * inv_std[lane] * weight[lane] + bias[lane];
                }
            }
        }
    }

    /// The gradients of weight and bias of the blocks `tasks`; `y` is the gradient of the output.
    ///
    /// # Safety
    /// Nobody else touches these results, and nobody writes to what is read.
    #[inline(always)]
    pub unsafe fn param_grad<S: Simd>(&self, mem: Mem<'_>, tasks: Range<usize>) {
        let (lanes, len) = (S::LANES, self.x.chw[2] * S::LANES);
        for block in tasks {
            // SAFETY: the caller's promises.
            let (mean, inv_std) = unsafe { self.known::<S>(mem, block) };
            let [d_weight, d_bias] = self.sum::<S>(block, |row, d_weight, d_bias| {
                // SAFETY: as above.
                let (x, d) = unsafe { (mem.read(self.x.row_at(row), len), mem.read(self.y.row_at(row), len)) };
                for (x, d) in x.chunks_exact(lanes).zip(d.chunks_exact(lanes)) {
                    for lane in 0..lanes {
                        d_weight[lane] += d[lane] * ((x[lane] - mean[lane]) * inv_std[lane]);
                        d_bias[lane] += d[lane];
                    }
                }
            });
            let used = lanes.min(self.x.chw[0] - block * lanes);
            for (at, sums) in self.d_params.into_iter().zip([d_weight, d_bias]) {
                // SAFETY: as above.
                let out = unsafe { mem.write(at + block * lanes, used) };
                for lane in 0..used {
                    out[lane] = sums[lane] as f32;
                }
            }
        }
    }

    /// The gradient of the input for the rows `tasks`, after [`BatchNorm::param_grad`].
    ///
    /// # Safety
    /// Nobody else touches these rows of `d_x`, and nobody writes to what is read.
    #[inline(always)]
    pub unsafe fn input_grad<S: Simd>(&self, mem: Mem<'_>, tasks: Range<usize>) {
        let (lanes, len) = (S::LANES, self.x.chw[2] * S::LANES);
        let per_element = if self.training { (1.0 / self.count()) as f32 } else { 0.0 };
        for row in tasks {
            let block = row / self.x.chw[1] % self.x.blocks();
            // SAFETY: the caller's promises.
            let ((mean, inv_std), x, d_y, d_x) = unsafe {
                (
                    self.known::<S>(mem, block),
                    mem.read(self.x.row_at(row), len),
                    mem.read(self.y.row_at(row), len),
                    mem.write(self.d_x.row_at(row), len),
                )
            };
            let weight = self.param(mem, self.params[0], block);
            let (d_weight, d_bias) =
                (self.param(mem, self.d_params[0], block), self.param(mem, self.d_params[1], block));
            for ((x, d_y), d_x) in x.chunks_exact(lanes).zip(d_y.chunks_exact(lanes)).zip(d_x.chunks_exact_mut(lanes)) {
                for lane in 0..lanes {
                    let normal = (x[lane] - mean[lane]) * inv_std[lane];
                    let centred = d_y[lane] - (d_bias[lane] + normal * d_weight[lane]) * per_element;
                    let d = weight[lane] * inv_std[lane] * centred;
                    d_x[lane] = if self.mode == GradMode::Add { d_x[lane] + d } else { d };
                }
            }
        }
    }
}
