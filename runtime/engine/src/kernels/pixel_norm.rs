//! Layer normalisation over the channels of each pixel, forward and backward.
//!
//! A pixel's channels are a register in each block, so the pixels of a row are taken one after the other, each from all blocks: even of a
//! wide layer they fit into the first cache, where the second and third reading find them. The lanes beyond the last channel count
//! nowhere.

use super::Simd;
use super::mem::Mem;
use super::pointwise::GradMode;
use super::share::{Share, StepKernel};
use crate::layout::Layout;
use std::ops::Range;

/// Where the numbers of a normalisation of pixels lie. `mean` and `inv_std` are `[N, H, W]`.
#[derive(Debug, Clone, Copy)]
pub struct PixelNorm {
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
    /// Offset of weight and bias, if there are any.
    pub params: Option<[usize; 2]>,
    /// Offset of their gradients.
    pub d_params: [usize; 2],
    /// Offset of the mean that is subtracted.
    pub mean: usize,
    /// Offset of one over the standard deviation.
    pub inv_std: usize,
    /// What happens to the gradient of the input.
    pub mode: GradMode,
}

/// Ones, and then zeros: read from `16 - used` on, a one for each lane that is used.
const USED: [f32; 32] = {
    let mut used = [0.0; 32];
    let mut lane = 0;
    while lane < 16 {
        used[lane] = 1.0;
        lane += 1;
    }
    used
};

impl PixelNorm {
    /// Numbers that a thread needs for itself: weight and bias, in whole registers.
    fn scratch(&self) -> usize {
        2 * self.x.blocks() * self.x.block
    }

    /// A register with ones in the lanes of `block` that are channels.
    #[inline(always)]
    unsafe fn used<S: Simd>(&self, block: usize) -> S::V {
        let used = S::LANES.min(self.x.chw[0] - block * S::LANES);
        // SAFETY: a register has at most 16 numbers.
        unsafe { S::load(USED[16 - used..].as_ptr()) }
    }

    /// Copies a parameter to `to`, the lanes beyond the last channel being `rest`.
    #[inline(always)]
    fn spread(&self, mem: Mem<'_>, which: usize, to: &mut [f32], rest: f32) {
        to.fill(rest);
        if let Some(params) = self.params {
            let channels = self.x.chw[0];
            // SAFETY: nobody writes to parameters while a program runs.
            to[..channels].copy_from_slice(unsafe { mem.read(params[which], channels) });
        }
    }

    /// Offset of pixel `[y, x]` of image `n` in the first block of `layout`.
    #[inline(always)]
    fn pixel(layout: &Layout, n: usize, y: usize, x: usize) -> usize {
        layout.row_at(n * layout.blocks() * layout.chw[1] + y) + x * layout.block
    }

    /// `y = (x - mean) / std * weight + bias` for the rows `tasks` of images.
    ///
    /// # Safety
    /// Nobody else touches these rows of `y` and their statistics, and nobody writes to `x`. `numbers` are this thread's own.
    #[inline(always)]
    unsafe fn normalise<S: Simd>(&self, mem: Mem<'_>, numbers: &mut [f32], tasks: Range<usize>) {
        let ([channels, height, width], blocks) = (self.x.chw, self.x.blocks());
        let (weight, bias) = numbers.split_at_mut(blocks * S::LANES);
        self.spread(mem, 0, weight, 1.0);
        self.spread(mem, 1, bias, 0.0);
        for task in tasks {
            let (n, line) = (task / height, task % height);
            // SAFETY: the caller's promises.
            let (means, inv_stds) =
                unsafe { (mem.write(self.mean + task * width, width), mem.write(self.inv_std + task * width, width)) };
            for col in 0..width {
                let (from, to) = (Self::pixel(&self.x, n, line, col), Self::pixel(&self.y, n, line, col));
                // SAFETY: as above; registers are of the instruction set that the caller is compiled for.
                unsafe {
                    let x = |block: usize| S::load(mem.read(from + block * self.x.plane(), S::LANES).as_ptr());
                    let sum = (0..blocks)
                        .fold(S::zero(), |sum, block| S::add(sum, S::where_positive(self.used::<S>(block), x(block))));
                    let mean = total::<S>(sum) / channels as f64;
                    let centre = S::set(mean as f32);
                    let squares = (0..blocks).fold(S::zero(), |sum, block| {
                        let d = S::where_positive(self.used::<S>(block), S::sub(x(block), centre));
                        S::fma(d, d, sum)
                    });
                    let inv_std = (1.0 / (total::<S>(squares) / channels as f64 + self.eps).sqrt()) as f32;
                    (means[col], inv_stds[col]) = (mean as f32, inv_std);
                    let scale = S::set(inv_std);
                    for block in 0..blocks {
                        let at = block * S::LANES;
                        let normal = S::mul(S::sub(x(block), centre), scale);
                        let y = S::fma(normal, S::load(weight[at..].as_ptr()), S::load(bias[at..].as_ptr()));
                        S::store(mem.write(to + block * self.y.plane(), S::LANES).as_mut_ptr(), y);
                    }
                }
            }
        }
    }

    /// The gradient of the input in the rows `tasks` of images; `y` is the gradient of the output.
    ///
    /// # Safety
    /// Nobody else touches these rows of `d_x`, and nobody writes to what is read. `numbers` are this thread's own.
    #[inline(always)]
    unsafe fn input_grad<S: Simd>(&self, mem: Mem<'_>, numbers: &mut [f32], tasks: Range<usize>) {
        let ([channels, height, width], blocks) = (self.x.chw, self.x.blocks());
        let weight = &mut numbers[..blocks * S::LANES];
        self.spread(mem, 0, weight, 1.0);
        for task in tasks {
            let (n, line) = (task / height, task % height);
            // SAFETY: the caller's promises.
            let (means, inv_stds) =
                unsafe { (mem.read(self.mean + task * width, width), mem.read(self.inv_std + task * width, width)) };
            for col in 0..width {
                let [from, d_from, to] = [&self.x, &self.y, &self.d_x].map(|map| Self::pixel(map, n, line, col));
                // SAFETY: as above.
                unsafe {
                    let (centre, scale) = (S::set(means[col]), S::set(inv_stds[col]));
                    let both = |block: usize| {
                        let x = S::load(mem.read(from + block * self.x.plane(), S::LANES).as_ptr());
                        let d = S::load(mem.read(d_from + block * self.y.plane(), S::LANES).as_ptr());
                        let used = self.used::<S>(block);
                        let scaled = S::mul(d, S::load(weight[block * S::LANES..].as_ptr()));
                        let normal = S::mul(S::sub(x, centre), scale);
                        (S::where_positive(used, scaled), S::where_positive(used, normal))
                    };
                    let (mut first, mut second) = (S::zero(), S::zero());
                    for block in 0..blocks {
                        let (scaled, normal) = both(block);
                        (first, second) = (S::add(first, scaled), S::fma(scaled, normal, second));
                    }
                    let share = |sum: S::V| S::set((total::<S>(sum) / channels as f64) as f32);
                    let (first, second) = (share(first), share(second));
                    for block in 0..blocks {
                        let (scaled, normal) = both(block);
                        let rest = S::sub(S::sub(scaled, first), S::mul(normal, second));
                        let d_x = mem.write(to + block * self.d_x.plane(), S::LANES).as_mut_ptr();
                        let before = if self.mode == GradMode::Add { S::load(d_x) } else { S::zero() };
                        S::store(d_x, S::fma(scale, rest, before));
                    }
                }
            }
        }
    }

    /// The gradients of weight and bias of a block of channels; `y` is the gradient of the output. Rows are summed up in single and their
    /// sums in double precision.
    ///
    /// # Safety
    /// Nobody else touches these results, and nobody writes to what is read.
    #[inline(always)]
    unsafe fn param_grad<S: Simd>(&self, mem: Mem<'_>, block: usize) {
        let [channels, height, width] = self.x.chw;
        let mut total = [[0.0_f64; 16]; 2];
        for task in 0..self.batch * height {
            let (n, line) = (task / height, task % height);
            let [from, d_from] = [&self.x, &self.y].map(|map| Self::pixel(map, n, line, 0) + block * map.plane());
            let mut sums = [[0.0_f32; 16]; 2];
            // SAFETY: the caller's promises.
            unsafe {
                let means = mem.read(self.mean + task * width, width);
                let inv_stds = mem.read(self.inv_std + task * width, width);
                let (mut weight, mut bias) = (S::zero(), S::zero());
                for col in 0..width {
                    let x = S::load(mem.read(from + col * S::LANES, S::LANES).as_ptr());
                    let d = S::load(mem.read(d_from + col * S::LANES, S::LANES).as_ptr());
                    let normal = S::mul(S::sub(x, S::set(means[col])), S::set(inv_stds[col]));
                    (weight, bias) = (S::fma(d, normal, weight), S::add(bias, d));
                }
                S::store(sums[0].as_mut_ptr(), weight);
                S::store(sums[1].as_mut_ptr(), bias);
            }
            for (total, sums) in total.iter_mut().zip(sums) {
                total.iter_mut().zip(sums).for_each(|(total, sum)| *total += f64::from(sum));
            }
        }
        let first = block * S::LANES;
        let count = S::LANES.min(channels - first);
        for (at, total) in self.d_params.into_iter().zip(total) {
            // SAFETY: as above.
            let out = unsafe { mem.write(at + first, count) };
            out.iter_mut().zip(total).for_each(|(out, total)| *out = total as f32);
        }
    }
}

/// The sum of a register's numbers.
#[inline(always)]
unsafe fn total<S: Simd>(sum: S::V) -> f64 {
    let mut lanes = [0.0_f32; 16];
    // SAFETY: a register has at most 16 numbers.
    unsafe { S::store(lanes.as_mut_ptr(), sum) };
    lanes.iter().map(|lane| f64::from(*lane)).sum()
}

impl StepKernel for PixelNorm {
    const NAME: &'static str = "pixel norm";

    /// Number of tasks: rows of pixels of an image.
    fn tasks(&self, _lanes: usize) -> usize {
        self.batch * self.x.chw[1]
    }

    fn check(&self, _len: usize, _lanes: usize) {}

    fn arrange(&mut self, _isa: super::Isa, _threads: usize) -> usize {
        self.scratch()
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, Share { mem, scratch, tasks, .. }: Share<'_, '_>) {
        // SAFETY: passed on from the caller.
        unsafe { self.normalise::<S>(mem, scratch.write(0, self.scratch()), tasks) }
    }
}

/// The gradient of the input of a normalisation of pixels.
#[derive(Debug, Clone, Copy)]
pub struct PixelInputGrad(pub PixelNorm);

impl StepKernel for PixelInputGrad {
    const NAME: &'static str = "pixel norm input grad";

    fn tasks(&self, lanes: usize) -> usize {
        self.0.tasks(lanes)
    }

    fn check(&self, _len: usize, _lanes: usize) {}

    fn arrange(&mut self, isa: super::Isa, threads: usize) -> usize {
        self.0.arrange(isa, threads)
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, Share { mem, scratch, tasks, .. }: Share<'_, '_>) {
        // SAFETY: passed on from the caller.
        unsafe { self.0.input_grad::<S>(mem, scratch.write(0, self.0.scratch()), tasks) }
    }
}

/// The gradients of weight and bias of a normalisation of pixels.
#[derive(Debug, Clone, Copy)]
pub struct PixelParamGrad(pub PixelNorm);

impl StepKernel for PixelParamGrad {
    const NAME: &'static str = "pixel norm param grad";

    /// Number of tasks: blocks of channels.
    fn tasks(&self, _lanes: usize) -> usize {
        self.0.x.blocks()
    }

    fn check(&self, _len: usize, _lanes: usize) {}

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, Share { mem, tasks, .. }: Share<'_, '_>) {
        for block in tasks {
            // SAFETY: passed on from the caller.
            unsafe { self.0.param_grad::<S>(mem, block) }
        }
    }
}
