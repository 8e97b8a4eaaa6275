//! Group normalisation, forward and backward; with one group it is layer normalisation, with as many as channels instance
//! normalisation.
//!
//! An image is one task of the statistics. Sums are taken channel by channel, rows in single and their sums in double
//! precision, and then over the channels of a group, so that a group may start in the middle of a register.

use super::Simd;
use super::mem::Mem;
use super::pointwise::GradMode;
use super::share::{Share, StepKernel};
use crate::layout::Layout;
use convnet_graph::Affine;
use std::ops::Range;

/// Where the numbers of a group normalisation lie. `mean` and `inv_std` are `[N, groups]`.
#[derive(Debug, Clone, Copy)]
pub struct GroupNorm {
    /// The input.
    pub x: Layout,
    /// The output, or the gradient of the output.
    pub y: Layout,
    /// The gradient of the input.
    pub d_x: Layout,
    /// Images.
    pub batch: usize,
    /// Groups of channels.
    pub groups: usize,
    /// Added to the variance.
    pub eps: f64,
    /// What has a weight and a bias.
    pub affine: Affine,
    /// Offset of weight and bias.
    pub params: [usize; 2],
    /// Offset of their gradients.
    pub d_params: [usize; 2],
    /// Offset of the mean that is subtracted.
    pub mean: usize,
    /// Offset of one over the standard deviation.
    pub inv_std: usize,
    /// What happens to the gradient of the input.
    pub mode: GradMode,
}

/// Numbers of the lanes of a register.
type Lanes = [f32; 16];

impl GroupNorm {
    /// Number of tasks of the normalisation: rows.
    fn row_tasks(&self) -> usize {
        self.x.rows(self.batch)
    }

    /// Number of tasks of the parameters' gradients: blocks of channels, or rows of an image.
    fn param_tasks(&self) -> usize {
        if self.affine == Affine::Element { self.x.rows(1) } else { self.x.blocks() }
    }

    fn channel(&self, block: usize, lane: usize) -> usize {
        (block * self.x.block + lane).min(self.x.chw[0] - 1)
    }

    /// Elements of a group.
    fn count(&self) -> f64 {
        let [channels, height, width] = self.x.chw;
        (channels / self.groups * height * width) as f64
    }

    /// A number of each lane's group, of image `n`.
    #[inline(always)]
    unsafe fn of_group(&self, mem: Mem<'_>, at: usize, n: usize, block: usize) -> Lanes {
        let per_group = self.x.chw[0] / self.groups;
        std::array::from_fn(|lane| {
            let group = self.channel(block, lane) / per_group;
            // SAFETY: statistics are written a step before, or by this very task.
            unsafe { mem.read(at + n * self.groups + group, 1)[0] }
        })
    }

    /// A parameter of each lane at pixel `[y, x]`.
    #[inline(always)]
    fn param(&self, mem: Mem<'_>, which: usize, block: usize, y: usize, x: usize) -> Lanes {
        let [_, height, width] = self.x.chw;
        std::array::from_fn(|lane| {
            let channel = self.channel(block, lane);
            let at = match self.affine {
                Affine::None => return [1.0, 0.0][which],
                Affine::Channel => channel,
                Affine::Element => (channel * height + y) * width + x,
            };
            // SAFETY: nobody writes to parameters while a program runs.
            unsafe { mem.read(self.params[which] + at, 1)[0] }
        })
    }

    /// Sums over the groups of image `n` of what `f(row, y, sums)` adds up for each lane in a row.
    #[inline(always)]
    fn sums<S: Simd>(&self, n: usize, f: impl Fn(usize, usize, usize, &mut [Lanes; 2])) -> Vec<[f64; 2]> {
        let [channels, height, _] = self.x.chw;
        let mut groups = vec![[0.0_f64; 2]; self.groups];
        for block in 0..self.x.blocks() {
            let mut total = [[0.0_f64; 16]; 2];
            for y in 0..height {
                let mut sums = [[0.0_f32; 16]; 2];
                f((n * self.x.blocks() + block) * height + y, block, y, &mut sums);
                for which in 0..2 {
                    for lane in 0..S::LANES {
                        total[which][lane] += f64::from(sums[which][lane]);
                    }
                }
            }
            for lane in 0..S::LANES.min(channels - block * self.x.block) {
                let group = (block * self.x.block + lane) / (channels / self.groups);
                for which in 0..2 {
                    groups[group][which] += total[which][lane];
                }
            }
        }
        groups
    }

    /// Mean and one over the standard deviation of the groups of the images `tasks`.
    ///
    /// # Safety
    /// Nobody else touches these statistics, and nobody writes to `x`.
    #[inline(always)]
    unsafe fn statistics<S: Simd>(&self, mem: Mem<'_>, tasks: Range<usize>) {
        let (lanes, len) = (S::LANES, self.x.chw[2] * S::LANES);
        for n in tasks {
            let sums = self.sums::<S>(n, |row, _, _, sums| {
                // SAFETY: the caller's promises.
                for pixel in unsafe { mem.read(self.x.row_at(row), len) }.chunks_exact(lanes) {
                    for lane in 0..lanes {
                        sums[0][lane] += pixel[lane];
                    }
                }
            });
            // SAFETY: as above.
            let means = unsafe { mem.write(self.mean + n * self.groups, self.groups) };
            means.iter_mut().zip(&sums).for_each(|(mean, sum)| *mean = (sum[0] / self.count()) as f32);
            let squares = self.sums::<S>(n, |row, block, _, sums| {
                // SAFETY: the means of this image are this task's own.
                let mean = unsafe { self.of_group(mem, self.mean, n, block) };
                // SAFETY: the caller's promises.
                for pixel in unsafe { mem.read(self.x.row_at(row), len) }.chunks_exact(lanes) {
                    for lane in 0..lanes {
                        let d = pixel[lane] - mean[lane];
                        sums[0][lane] += d * d;
                    }
                }
            });
            // SAFETY: as above.
            let inv_stds = unsafe { mem.write(self.inv_std + n * self.groups, self.groups) };
            for (inv_std, sum) in inv_stds.iter_mut().zip(&squares) {
                *inv_std = (1.0 / (sum[0] / self.count() + self.eps).sqrt()) as f32;
            }
        }
    }

    /// `y = (x - mean) * inv_std * weight + bias` for the rows `tasks`.
    ///
    /// # Safety
    /// Nobody else touches these rows of `y`, and nobody writes to `x` and the statistics.
    #[inline(always)]
    unsafe fn normalise<S: Simd>(&self, mem: Mem<'_>, tasks: Range<usize>) {
        let (lanes, len) = (S::LANES, self.x.chw[2] * S::LANES);
        for row in tasks {
            let (plane, line) = (row / self.x.chw[1], row % self.x.chw[1]);
            let (n, block) = (plane / self.x.blocks(), plane % self.x.blocks());
            // SAFETY: the caller's promises.
            let (mean, inv_std, x, y) = unsafe {
                (
                    self.of_group(mem, self.mean, n, block),
                    self.of_group(mem, self.inv_std, n, block),
                    mem.read(self.x.row_at(row), len),
                    mem.write(self.y.row_at(row), len),
                )
            };
            let mut params = [0, 1].map(|which| self.param(mem, which, block, line, 0));
            for (col, (x, y)) in x.chunks_exact(lanes).zip(y.chunks_exact_mut(lanes)).enumerate() {
                if self.affine == Affine::Element {
                    params = [0, 1].map(|which| self.param(mem, which, block, line, col));
                }
                let [weight, bias] = &params;
                for lane in 0..lanes {
                    y[lane] = (x[lane] - mean[lane]) * inv_std[lane] * weight[lane] + bias[lane];
                }
            }
        }
    }

    /// The gradients of weight and bias of the tasks `tasks`; `y` is the gradient of the output.
    ///
    /// # Safety
    /// Nobody else touches these results, and nobody writes to what is read.
    #[inline(always)]
    unsafe fn param_grad<S: Simd>(&self, mem: Mem<'_>, tasks: Range<usize>) {
        let [channels, height, width] = self.x.chw;
        let by_element = self.affine == Affine::Element;
        for task in tasks {
            let (block, lines) =
                if by_element { (task / height, task % height..task % height + 1) } else { (task, 0..height) };
            let used = S::LANES.min(channels - block * self.x.block);
            let pixels = if by_element { width } else { 1 };
            let mut total = vec![[[0.0_f64; 16]; 2]; pixels];
            for n in 0..self.batch {
                // SAFETY: the caller's promises.
                let (mean, inv_std) =
                    unsafe { (self.of_group(mem, self.mean, n, block), self.of_group(mem, self.inv_std, n, block)) };
                for line in lines.clone() {
                    let row = (n * self.x.blocks() + block) * height + line;
                    for col in 0..width {
                        // SAFETY: as above.
                        let (x, d) = unsafe {
                            let at = col * S::LANES;
                            (mem.read(self.x.row_at(row) + at, S::LANES), mem.read(self.y.row_at(row) + at, S::LANES))
                        };
                        let sums = &mut total[if by_element { col } else { 0 }];
                        for lane in 0..used {
                            sums[0][lane] += f64::from(d[lane] * ((x[lane] - mean[lane]) * inv_std[lane]));
                            sums[1][lane] += f64::from(d[lane]);
                        }
                    }
                }
            }
            for (col, sums) in total.iter().enumerate() {
                for lane in 0..used {
                    let channel = block * self.x.block + lane;
                    let at = if by_element { (channel * height + lines.start) * width + col } else { channel };
                    for (d_param, sums) in self.d_params.into_iter().zip(sums) {
                        // SAFETY: as above.
                        unsafe { mem.write(d_param + at, 1)[0] = sums[lane] as f32 };
                    }
                }
            }
        }
    }

    /// The gradient of the input for the images `tasks`; `y` is the gradient of the output.
    ///
    /// # Safety
    /// Nobody else touches these images of `d_x`, and nobody writes to what is read.
    #[inline(always)]
    unsafe fn input_grad<S: Simd>(&self, mem: Mem<'_>, tasks: Range<usize>) {
        let (lanes, len) = (S::LANES, self.x.chw[2] * S::LANES);
        let [channels, height, _] = self.x.chw;
        for n in tasks {
            // SAFETY: the caller's promises.
            let known = |block: usize| unsafe {
                (self.of_group(mem, self.mean, n, block), self.of_group(mem, self.inv_std, n, block))
            };
            // SAFETY: as above.
            let rows = |row: usize| unsafe { (mem.read(self.x.row_at(row), len), mem.read(self.y.row_at(row), len)) };
            let sums = self.sums::<S>(n, |row, block, line, sums| {
                let (mean, inv_std) = known(block);
                let (x, d) = rows(row);
                for (col, (x, d)) in x.chunks_exact(lanes).zip(d.chunks_exact(lanes)).enumerate() {
                    let weight = self.param(mem, 0, block, line, col);
                    for lane in 0..lanes {
                        let scaled = d[lane] * weight[lane];
                        sums[0][lane] += scaled;
                        sums[1][lane] += scaled * ((x[lane] - mean[lane]) * inv_std[lane]);
                    }
                }
            });
            for block in 0..self.x.blocks() {
                let (mean, inv_std) = known(block);
                let of = |which: usize| -> Lanes {
                    std::array::from_fn(|lane| {
                        let group = self.channel(block, lane) / (channels / self.groups);
                        (sums[group][which] / self.count()) as f32
                    })
                };
                let (first, second) = (of(0), of(1));
                for line in 0..height {
                    let row = (n * self.x.blocks() + block) * height + line;
                    let (x, d) = rows(row);
                    // SAFETY: as above.
                    let d_x = unsafe { mem.write(self.d_x.row_at(row), len) };
                    let pixels = x.chunks_exact(lanes).zip(d.chunks_exact(lanes)).zip(d_x.chunks_exact_mut(lanes));
                    for (col, ((x, d), d_x)) in pixels.enumerate() {
                        let weight = self.param(mem, 0, block, line, col);
                        for lane in 0..lanes {
                            let normal = (x[lane] - mean[lane]) * inv_std[lane];
                            let g = inv_std[lane] * (d[lane] * weight[lane] - first[lane] - normal * second[lane]);
                            d_x[lane] = if self.mode == GradMode::Add { d_x[lane] + g } else { g };
                        }
                    }
                }
            }
        }
    }
}

/// Mean and one over the standard deviation of each group of each image.
#[derive(Debug, Clone, Copy)]
pub struct GroupStatistics(pub GroupNorm);

impl StepKernel for GroupStatistics {
    const NAME: &'static str = "group statistics";

    fn tasks(&self, _lanes: usize) -> usize {
        self.0.batch
    }

    fn check(&self, _len: usize, _lanes: usize) {}

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, share: Share<'_, '_>) {
        // SAFETY: passed on from the caller.
        unsafe { self.0.statistics::<S>(share.mem, share.tasks) }
    }
}

/// The normalised values.
#[derive(Debug, Clone, Copy)]
pub struct GroupNormalise(pub GroupNorm);

impl StepKernel for GroupNormalise {
    const NAME: &'static str = "group normalise";

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

/// The gradients of weight and bias.
#[derive(Debug, Clone, Copy)]
pub struct GroupParamGrad(pub GroupNorm);

impl StepKernel for GroupParamGrad {
    const NAME: &'static str = "group param grad";

    fn tasks(&self, _lanes: usize) -> usize {
        self.0.param_tasks()
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
pub struct GroupInputGrad(pub GroupNorm);

impl StepKernel for GroupInputGrad {
    const NAME: &'static str = "group input grad";

    fn tasks(&self, _lanes: usize) -> usize {
        self.0.batch
    }

    fn check(&self, _len: usize, _lanes: usize) {}

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, share: Share<'_, '_>) {
        // SAFETY: passed on from the caller.
        unsafe { self.0.input_grad::<S>(share.mem, share.tasks) }
    }
}
