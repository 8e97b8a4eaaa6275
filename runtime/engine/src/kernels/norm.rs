//! Batch normalisation, forward and backward, with the sum and the rectifier that may follow it.
//!
//! Sums over a batch are taken by chunks of images, each a task: within a chunk rows are summed in single and their sums in
//! double precision, and the chunks are put together in order, so that the results do not depend on the threads. The
//! variance of a chunk is that of its centred values, which keeps its digits where the mean is large, and chunks are merged
//! by their means (Chan et al., 1979). A chunk stays in the second cache between its two passes.
//!
//! The backward pass of a rectifier needs no pass of its own: whether an output was positive follows from the input.

use super::Simd;
use super::mem::Mem;
use super::pointwise::GradMode;
use super::share::{Share, StepKernel};
use crate::layout::Layout;
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
    /// Added to the result; it lies as the output does, but for its halo.
    pub residual: Option<Layout>,
    /// Whether a rectifier follows: forward it is applied, backward its derivative, unless there is a residual.
    pub rectify: bool,
    /// Offset of weight, bias, running mean and running variance, each `[C]`.
    pub params: [usize; 4],
    /// Offset of the mean that is subtracted.
    pub mean: usize,
    /// Offset of one over the standard deviation.
    pub inv_std: usize,
    /// Offset of the (biased) variance of the batch.
    pub var: usize,
    /// Offset of what the chunks come to: `[chunks][2][C]`.
    pub partial: usize,
    /// Offset of the gradients of weight and bias.
    pub d_params: [usize; 2],
    /// What happens to the gradient of the input.
    pub mode: GradMode,
}

/// Numbers of a chunk: two or three of them fit into the second cache.
const CHUNK: usize = 1 << 15;

impl BatchNorm {
    /// Chunks of images that statistics of a map are taken by.
    pub fn chunks(x: &Layout, batch: usize) -> usize {
        (batch * x.plane()).div_ceil(CHUNK).clamp(1, batch.max(1))
    }

    fn images(&self, chunk: usize) -> Range<usize> {
        let chunks = Self::chunks(&self.x, self.batch);
        self.batch * chunk / chunks..self.batch * (chunk + 1) / chunks
    }

    /// Number of tasks of sums over the batch: chunks of blocks of channels.
    fn sum_tasks(&self) -> usize {
        self.x.blocks() * Self::chunks(&self.x, self.batch)
    }

    /// Number of tasks that merge chunks: blocks of channels.
    fn merge_tasks(&self) -> usize {
        self.x.blocks()
    }

    /// Number of tasks of the rest: rows.
    fn row_tasks(&self) -> usize {
        self.x.rows(self.batch)
    }

    /// Sums `f(row index, sums)` over the rows of a block in some images.
    #[inline(always)]
    fn sum<S: Simd>(
        &self,
        block: usize,
        images: Range<usize>,
        f: impl Fn(usize, [S::V; 2]) -> [S::V; 2],
    ) -> [[f64; 16]; 2] {
        let mut total = [[0.0_f64; 16]; 2];
        for n in images {
            for y in 0..self.x.chw[1] {
                // SAFETY: `S` is switched on where this is inlined; the arrays are as wide as any register.
                unsafe {
                    let sums = f((n * self.x.blocks() + block) * self.x.chw[1] + y, [S::zero(); 2]);
                    let mut row = [[0.0_f32; 16]; 2];
                    for i in 0..2 {
                        S::store(row[i].as_mut_ptr(), sums[i]);
                        for lane in 0..S::LANES {
                            total[i][lane] += f64::from(row[i][lane]);
                        }
                    }
                }
            }
        }
        total
    }

    /// A parameter of a block's channels.
    #[inline(always)]
    fn param(&self, mem: Mem<'_>, at: usize, block: usize) -> [f32; 16] {
        let used = self.x.block.min(self.x.chw[0] - block * self.x.block);
        // SAFETY: nobody writes to parameters while a program runs.
        let values = unsafe { mem.read(at + block * self.x.block, used) };
        // The channels that fill the last block up are like its last one.
        std::array::from_fn(|lane| values[lane.min(used - 1)])
    }

    fn count(&self, images: usize) -> f64 {
        (images * self.x.chw[1] * self.x.chw[2]) as f64
    }

    fn partial(&self, chunk: usize, which: usize, block: usize) -> usize {
        self.partial + ((chunk * 2 + which) * self.x.blocks() + block) * self.x.block
    }

    /// Mean and centred sum of squares of the chunks `tasks`.
    ///
    /// # Safety
    /// Nobody else touches what these chunks come to, and nobody writes to `x`.
    #[inline(always)]
    unsafe fn statistics<S: Simd>(&self, mem: Mem<'_>, tasks: Range<usize>) {
        let chunks = Self::chunks(&self.x, self.batch);
        for task in tasks {
            let (block, chunk) = (task / chunks, task % chunks);
            let count = self.count(self.images(chunk).len());
            // SAFETY: the caller's promises; `row` is in bounds by `read`.
            unsafe {
                let row = |row: usize| mem.read(self.x.row_at(row), self.x.chw[2] * S::LANES).chunks_exact(S::LANES);
                let [sums, _] = self.sum::<S>(block, self.images(chunk), |at, [mut sum, unused]| {
                    for pixel in row(at) {
                        sum = S::add(sum, S::load(pixel.as_ptr()));
                    }
                    [sum, unused]
                });
                let mean: [f32; 16] = std::array::from_fn(|lane| (sums[lane] / count) as f32);
                let [squares, _] = self.sum::<S>(block, self.images(chunk), |at, [mut sum, unused]| {
                    let mean = S::load(mean.as_ptr());
                    for pixel in row(at) {
                        let d = S::sub(S::load(pixel.as_ptr()), mean);
                        sum = S::fma(d, d, sum);
                    }
                    [sum, unused]
                });
                mem.write(self.partial(chunk, 0, block), S::LANES).copy_from_slice(&mean[..S::LANES]);
                let out = mem.write(self.partial(chunk, 1, block), S::LANES);
                out.iter_mut().zip(squares).for_each(|(out, sum)| *out = sum as f32);
            }
        }
    }

    /// Mean, variance and one over the standard deviation of the blocks `tasks`.
    ///
    /// # Safety
    /// Nobody else touches these statistics.
    #[inline(always)]
    unsafe fn merge<S: Simd>(&self, mem: Mem<'_>, tasks: Range<usize>) {
        let lanes = S::LANES;
        for block in tasks {
            let (mut mean, mut var) = (self.param(mem, self.params[2], block), self.param(mem, self.params[3], block));
            if self.training {
                let chunks = Self::chunks(&self.x, self.batch);
                let all = self.count(self.batch);
                for lane in 0..lanes {
                    let part = |which| {
                        // SAFETY: chunks are written a stage before.
                        (0..chunks).map(move |chunk| unsafe {
                            let value = mem.read(self.partial(chunk, which, block) + lane, 1)[0];
                            (self.count(self.images(chunk).len()), f64::from(value))
                        })
                    };
                    let whole = part(0).map(|(count, mean)| count * mean).sum::<f64>() / all;
                    let between: f64 = part(0).map(|(count, mean)| count * (mean - whole) * (mean - whole)).sum();
                    let within: f64 = part(1).map(|(_, squares)| squares).sum();
                    (mean[lane], var[lane]) = (whole as f32, ((within + between) / all) as f32);
                }
            }
            // SAFETY: the caller's promises.
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

    /// Mean, factor and bias of a block's outputs.
    #[inline(always)]
    unsafe fn line<S: Simd>(&self, mem: Mem<'_>, block: usize) -> [S::V; 3] {
        // SAFETY: statistics are written a stage before; the arrays are as wide as any register.
        unsafe {
            let at = block * S::LANES;
            let [mean, inv_std] =
                [self.mean, self.inv_std].map(|place| S::load(mem.read(place + at, S::LANES).as_ptr()));
            let [weight, bias] = [0, 1].map(|i| S::load(self.param(mem, self.params[i], block).as_ptr()));
            [mean, S::mul(inv_std, weight), bias]
        }
    }

    /// Calls `f(block, rows)` for runs of rows of one block.
    #[inline(always)]
    fn by_block(&self, tasks: Range<usize>, mut f: impl FnMut(usize, Range<usize>)) {
        let height = self.x.chw[1];
        let mut row = tasks.start;
        while row < tasks.end {
            let end = tasks.end.min((row / height + 1) * height);
            f(row / height % self.x.blocks(), row..end);
            row = end;
        }
    }

    /// Normalises the rows `tasks`.
    ///
    /// # Safety
    /// Nobody else touches these rows of `y`, and nobody writes to `x`, the residual and the statistics.
    #[inline(always)]
    unsafe fn normalise<S: Simd>(&self, mem: Mem<'_>, tasks: Range<usize>) {
        let (lanes, len) = (S::LANES, self.x.chw[2] * S::LANES);
        // SAFETY: the caller's promises.
        self.by_block(tasks, |block, rows| unsafe {
            let [mean, factor, bias] = self.line::<S>(mem, block);
            for row in rows {
                let (x, y) = (mem.read(self.x.row_at(row), len), mem.write(self.y.row_at(row), len));
                let residual = self.residual.map(|residual| mem.read(residual.row_at(row), len));
                for at in (0..len).step_by(lanes) {
                    let x = S::load(x[at..at + lanes].as_ptr());
                    let mut value = S::fma(S::sub(x, mean), factor, bias);
                    if let Some(residual) = residual {
                        value = S::add(value, S::load(residual[at..at + lanes].as_ptr()));
                    }
                    if self.rectify {
                        value = S::rectify(value);
                    }
                    S::store(y[at..at + lanes].as_mut_ptr(), value);
                }
            }
        });
    }

    /// The gradient of the output where a rectifier that follows lets it through.
    #[inline(always)]
    unsafe fn passed<S: Simd>(&self, line: [S::V; 3], x: S::V, d: S::V) -> S::V {
        // SAFETY: passed on from the caller.
        unsafe {
            // The very operations of the forward pass, so that the signs are its signs.
            let [mean, factor, bias] = line;
            if self.masks() { S::where_positive(S::fma(S::sub(x, mean), factor, bias), d) } else { d }
        }
    }

    /// Whether the derivative of a rectifier is part of the backward pass. With a residual, the sign does not follow from
    /// the input alone.
    fn masks(&self) -> bool {
        self.rectify && self.residual.is_none()
    }

    /// The sums that the gradients of weight and bias are made of, for the chunks `tasks`; `y` is the gradient of the output.
    ///
    /// # Safety
    /// Nobody else touches what these chunks come to, and nobody writes to what is read.
    #[inline(always)]
    unsafe fn grad_sums<S: Simd>(&self, mem: Mem<'_>, tasks: Range<usize>) {
        let (lanes, len) = (S::LANES, self.x.chw[2] * S::LANES);
        let chunks = Self::chunks(&self.x, self.batch);
        for task in tasks {
            let (block, chunk) = (task / chunks, task % chunks);
            // SAFETY: the caller's promises.
            unsafe {
                let line = self.line::<S>(mem, block);
                let sums = self.sum::<S>(block, self.images(chunk), |row, [mut weight, mut bias]| {
                    let (x, d) = (mem.read(self.x.row_at(row), len), mem.read(self.y.row_at(row), len));
                    for (x, d) in x.chunks_exact(lanes).zip(d.chunks_exact(lanes)) {
                        let (x, d) = (S::load(x.as_ptr()), S::load(d.as_ptr()));
                        let d = self.passed::<S>(line, x, d);
                        weight = S::fma(d, S::sub(x, line[0]), weight);
                        bias = S::add(bias, d);
                    }
                    [weight, bias]
                });
                for (which, sums) in sums.iter().enumerate() {
                    let out = mem.write(self.partial(chunk, which, block), lanes);
                    out.iter_mut().zip(sums).for_each(|(out, sum)| *out = *sum as f32);
                }
            }
        }
    }

    /// The gradients of weight and bias of the blocks `tasks`, after [`BatchNorm::grad_sums`].
    ///
    /// # Safety
    /// Nobody else touches these results.
    #[inline(always)]
    unsafe fn param_grad<S: Simd>(&self, mem: Mem<'_>, tasks: Range<usize>) {
        for block in tasks {
            let used = S::LANES.min(self.x.chw[0] - block * S::LANES);
            for lane in 0..used {
                for which in 0..2 {
                    // SAFETY: the caller's promises; chunks are written a stage before.
                    unsafe {
                        let chunk = |chunk| f64::from(mem.read(self.partial(chunk, which, block) + lane, 1)[0]);
                        let sum: f64 = (0..Self::chunks(&self.x, self.batch)).map(chunk).sum();
                        let inv_std = f64::from(mem.read(self.inv_std + block * S::LANES + lane, 1)[0]);
                        let factor = if which == 0 { inv_std } else { 1.0 };
                        mem.write(self.d_params[which] + block * S::LANES + lane, 1)[0] = (sum * factor) as f32;
                    }
                }
            }
        }
    }

    /// The gradient of the input for the rows `tasks`, after [`BatchNorm::param_grad`].
    ///
    /// # Safety
    /// Nobody else touches these rows of `d_x`, and nobody writes to what is read.
    #[inline(always)]
    unsafe fn input_grad<S: Simd>(&self, mem: Mem<'_>, tasks: Range<usize>) {
        let (lanes, len) = (S::LANES, self.x.chw[2] * S::LANES);
        let per_element = if self.training { (1.0 / self.count(self.batch)) as f32 } else { 0.0 };
        // SAFETY: the caller's promises.
        self.by_block(tasks, |block, rows| unsafe {
            let line = self.line::<S>(mem, block);
            let [mean, factor, _] = line;
            // factor * (d - (d_bias + (x - mean) * inv_std * d_weight) / count), as factor * d + slope * (x - mean) + shift
            let inv_std = S::load(mem.read(self.inv_std + block * lanes, lanes).as_ptr());
            let [d_weight, d_bias] =
                self.d_params.map(|at| S::mul(S::load(self.param(mem, at, block).as_ptr()), S::set(-per_element)));
            let (slope, shift) = (S::mul(factor, S::mul(inv_std, d_weight)), S::mul(factor, d_bias));
            for row in rows {
                let (x, d_y) = (mem.read(self.x.row_at(row), len), mem.read(self.y.row_at(row), len));
                let d_x = mem.write(self.d_x.row_at(row), len);
                for at in (0..len).step_by(lanes) {
                    let x = S::load(x[at..at + lanes].as_ptr());
                    let d = self.passed::<S>(line, x, S::load(d_y[at..at + lanes].as_ptr()));
                    let mut d = S::fma(factor, d, S::fma(slope, S::sub(x, mean), shift));
                    let out = d_x[at..at + lanes].as_mut_ptr();
                    if self.mode == GradMode::Add {
                        d = S::add(S::load(out), d);
                    }
                    S::store(out, d);
                }
            }
        });
    }
}

/// Mean and centred sum of squares of each chunk of images.
#[derive(Debug, Clone, Copy)]
pub struct Statistics(pub BatchNorm);

impl StepKernel for Statistics {
    const NAME: &'static str = "statistics";

    fn tasks(&self, _lanes: usize) -> usize {
        self.0.sum_tasks()
    }

    fn check(&self, _len: usize, _lanes: usize) {}

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, share: Share<'_, '_>) {
        // SAFETY: passed on from the caller.
        unsafe { self.0.statistics::<S>(share.mem, share.tasks) }
    }
}

/// Mean, variance and one over the standard deviation, of the chunks or the running ones.
#[derive(Debug, Clone, Copy)]
pub struct MergeStatistics(pub BatchNorm);

impl StepKernel for MergeStatistics {
    const NAME: &'static str = "merge statistics";

    fn tasks(&self, _lanes: usize) -> usize {
        self.0.merge_tasks()
    }

    fn check(&self, _len: usize, _lanes: usize) {}

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, share: Share<'_, '_>) {
        // SAFETY: passed on from the caller.
        unsafe { self.0.merge::<S>(share.mem, share.tasks) }
    }
}

/// The normalised values, with the sum and the rectifier that may follow.
#[derive(Debug, Clone, Copy)]
pub struct Normalise(pub BatchNorm);

impl StepKernel for Normalise {
    const NAME: &'static str = "normalise";

    fn tasks(&self, _lanes: usize) -> usize {
        self.0.row_tasks()
    }

    fn check(&self, _len: usize, _lanes: usize) {}

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, share: Share<'_, '_>) {
        // SAFETY: passed on from the caller.
        unsafe { self.0.normalise::<S>(share.mem, share.tasks) }
    }
}

/// The sums of each chunk that the gradients of weight and bias are made of.
#[derive(Debug, Clone, Copy)]
pub struct NormGradSums(pub BatchNorm);

impl StepKernel for NormGradSums {
    const NAME: &'static str = "norm grad sums";

    fn tasks(&self, _lanes: usize) -> usize {
        self.0.sum_tasks()
    }

    fn check(&self, _len: usize, _lanes: usize) {}

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, share: Share<'_, '_>) {
        // SAFETY: passed on from the caller.
        unsafe { self.0.grad_sums::<S>(share.mem, share.tasks) }
    }
}

/// The gradients of weight and bias.
#[derive(Debug, Clone, Copy)]
pub struct NormParamGrad(pub BatchNorm);

impl StepKernel for NormParamGrad {
    const NAME: &'static str = "norm param grad";

    fn tasks(&self, _lanes: usize) -> usize {
        self.0.merge_tasks()
    }

    fn check(&self, _len: usize, _lanes: usize) {}

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, share: Share<'_, '_>) {
        // SAFETY: passed on from the caller.
        unsafe { self.0.param_grad::<S>(share.mem, share.tasks) }
    }
}

/// The gradient of the input.
#[derive(Debug, Clone, Copy)]
pub struct NormInputGrad(pub BatchNorm);

impl StepKernel for NormInputGrad {
    const NAME: &'static str = "norm input grad";

    fn tasks(&self, _lanes: usize) -> usize {
        self.0.row_tasks()
    }

    fn check(&self, _len: usize, _lanes: usize) {}

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, share: Share<'_, '_>) {
        // SAFETY: passed on from the caller.
        unsafe { self.0.input_grad::<S>(share.mem, share.tasks) }
    }
}
