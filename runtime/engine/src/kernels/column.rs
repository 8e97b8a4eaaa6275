//! Operations across the channels of one pixel: local response normalisation, softmax, channel pooling.
//!
//! The channels of a pixel are gathered into a column first. These layers are rare and cheap beside convolutions; what
//! counts here is that the code can be compared with the formula.

use super::Simd;
use super::mem::Mem;
use super::share::{Share, StepKernel};
use crate::layout::Layout;
use convnet_graph::PoolKind;
use std::ops::Range;

/// What is computed from a column.
#[derive(Debug, Clone, Copy)]
pub enum Across {
    /// `x / (k + alpha / size * sum of squares)^beta` over a window of `size` channels.
    Lrn {
        /// Channels in the window, `size / 2` of them before.
        size: usize,
        /// Scale of the sum of squares.
        alpha: f32,
        /// Exponent.
        beta: f32,
        /// Constant.
        k: f32,
    },
    /// Softmax.
    Softmax,
    /// Logarithm of the softmax.
    LogSoftmax,
    /// Max, min or mean over groups of neighbouring channels.
    Pool {
        /// Which.
        kind: PoolKind,
        /// Channels in a group.
        size: usize,
    },
}

impl Across {
    /// A local response normalisation, whose numbers a graph has in double precision.
    pub fn lrn(size: usize, alpha: f64, beta: f64, k: f64) -> Self {
        Across::Lrn { size, alpha: alpha as f32, beta: beta as f32, k: k as f32 }
    }
}

/// A step over columns.
#[derive(Debug, Clone, Copy)]
pub struct Columns {
    /// What is computed.
    pub across: Across,
    /// The input (backward, for a softmax: not read).
    pub x: Layout,
    /// The output (backward, for a softmax: read).
    pub y: Layout,
    /// Backward: the gradient of the output.
    pub d_y: Layout,
    /// Backward: the gradient of the input.
    pub d_x: Layout,
    /// Backward: adds to what is there.
    pub accumulate: bool,
    /// Images.
    pub batch: usize,
}

impl Columns {
    /// Computes the outputs of the rows `tasks`.
    ///
    /// # Safety
    /// Nobody else touches these rows of `y`, and nobody writes to `x`.
    unsafe fn forward(&self, mem: Mem<'_>, tasks: Range<usize>) {
        let (mut x, mut y) = (vec![0.0; self.x.chw[0]], vec![0.0; self.y.chw[0]]);
        for (n, row, col) in self.pixels(tasks) {
            // SAFETY: the caller's promises.
            unsafe { gather(mem, &self.x, n, row, col, &mut x) };
            match self.across {
                Across::Lrn { size, alpha, beta, k } => {
                    for c in 0..x.len() {
                        y[c] = x[c] * lrn_base(&x, c, size, alpha, k).powf(-beta);
                    }
                }
                Across::Softmax => {
                    let (max, log_sum) = log_sum_exp(&x);
                    (0..x.len()).for_each(|c| y[c] = (x[c] - max - log_sum).exp());
                }
                Across::LogSoftmax => {
                    let (max, log_sum) = log_sum_exp(&x);
                    (0..x.len()).for_each(|c| y[c] = x[c] - max - log_sum);
                }
                Across::Pool { kind, size } => {
                    for (y, group) in y.iter_mut().zip(x.chunks_exact(size)) {
                        *y = match kind {
                            PoolKind::Avg(_) => group.iter().sum::<f32>() / size as f32,
                            PoolKind::Max | PoolKind::Min => group[winner(kind, group)],
                        };
                    }
                }
            }
            // SAFETY: as above.
            unsafe { scatter(mem, &self.y, n, row, col, &y, false) };
        }
    }

    /// Computes the input's gradient in the rows `tasks`.
    ///
    /// # Safety
    /// Nobody else touches these rows of `d_x`, and nobody writes to what is read.
    unsafe fn backward(&self, mem: Mem<'_>, tasks: Range<usize>) {
        let channels = self.x.chw[0];
        let (mut known, mut d_x) = (vec![0.0; channels], vec![0.0; channels]);
        let mut d_y = vec![0.0; self.y.chw[0]];
        let from_output = matches!(self.across, Across::Softmax | Across::LogSoftmax);
        for (n, row, col) in self.pixels(tasks) {
            let source = if from_output { &self.y } else { &self.x };
            // SAFETY: the caller's promises.
            unsafe {
                gather(mem, source, n, row, col, &mut known);
                gather(mem, &self.d_y, n, row, col, &mut d_y);
            }
            match self.across {
                Across::Lrn { size, alpha, beta, k } => {
                    let base: Vec<f32> = (0..channels).map(|c| lrn_base(&known, c, size, alpha, k)).collect();
                    let pull: Vec<f32> = (0..channels).map(|c| d_y[c] * known[c] * base[c].powf(-beta - 1.0)).collect();
                    for c in 0..channels {
                        // The windows that contain channel `c` are those of the mirrored window around it.
                        let around = c.saturating_sub((size - 1) / 2)..(c + size / 2 + 1).min(channels);
                        let sum: f32 = pull[around].iter().sum();
                        d_x[c] = d_y[c] * base[c].powf(-beta) - 2.0 * alpha * beta / size as f32 * known[c] * sum;
                    }
                }
                Across::Softmax => {
                    let dot: f32 = known.iter().zip(&d_y).map(|(y, d)| y * d).sum();
                    (0..channels).for_each(|c| d_x[c] = known[c] * (d_y[c] - dot));
                }
                Across::LogSoftmax => {
                    let sum: f32 = d_y.iter().sum();
                    (0..channels).for_each(|c| d_x[c] = d_y[c] - known[c].exp() * sum);
                }
                Across::Pool { kind, size } => {
                    for ((d, group), d_y) in d_x.chunks_exact_mut(size).zip(known.chunks_exact(size)).zip(&d_y) {
                        if matches!(kind, PoolKind::Avg(_)) {
                            d.fill(d_y / size as f32);
                        } else {
                            d.fill(0.0);
                            d[winner(kind, group)] = *d_y;
                        }
                    }
                }
            }
            // SAFETY: as above.
            unsafe { scatter(mem, &self.d_x, n, row, col, &d_x, self.accumulate) };
        }
    }

    fn pixels(&self, tasks: Range<usize>) -> impl Iterator<Item = (usize, usize, usize)> {
        let [_, height, width] = self.x.chw;
        tasks.flat_map(move |task| (0..width).map(move |col| (task / height, task % height, col)))
    }
}

impl StepKernel for Columns {
    const NAME: &'static str = "columns";

    /// Number of tasks: rows of pixels.
    fn tasks(&self, _lanes: usize) -> usize {
        self.batch * self.x.chw[1]
    }

    fn check(&self, _len: usize, _lanes: usize) {}

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, share: Share<'_, '_>) {
        // SAFETY: passed on from the caller.
        unsafe { self.forward(share.mem, share.tasks) }
    }
}

unsafe fn gather(mem: Mem<'_>, layout: &Layout, n: usize, row: usize, col: usize, column: &mut [f32]) {
    for (c, value) in column.iter_mut().enumerate() {
        // SAFETY: the caller's promises.
        *value = unsafe { mem.read(layout.element(n, c, row, col), 1)[0] };
    }
}

unsafe fn scatter(mem: Mem<'_>, layout: &Layout, n: usize, row: usize, col: usize, column: &[f32], add: bool) {
    for (c, value) in column.iter().enumerate() {
        // SAFETY: the caller's promises.
        let out = unsafe { mem.write(layout.element(n, c, row, col), 1) };
        out[0] = if add { out[0] + value } else { *value };
    }
}

fn lrn_base(x: &[f32], c: usize, size: usize, alpha: f32, k: f32) -> f32 {
    let window = c.saturating_sub(size / 2)..(c + (size - 1) / 2 + 1).min(x.len());
    let squares: f32 = x[window].iter().map(|x| x * x).sum();
    k + alpha * squares / size as f32
}

/// The logarithm of the sum of exponentials, in two parts to be subtracted one after the other: beside a maximum of 1e4, their
/// sum would have lost the digits of the second.
fn log_sum_exp(x: &[f32]) -> (f32, f32) {
    let max = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    // All minus infinity, or plus infinity among them: subtracting would give NaN where the sum alone is right.
    let max = if max.is_finite() { max } else { 0.0 };
    (max, x.iter().map(|x| (x - max).exp()).sum::<f32>().ln())
}

/// The first largest (or smallest) element; a NaN wins.
fn winner(kind: PoolKind, group: &[f32]) -> usize {
    let mut best = 0;
    for (i, x) in group.iter().enumerate() {
        let beats = if kind == PoolKind::Max { *x > group[best] } else { *x < group[best] };
        if beats || x.is_nan() {
            best = i;
        }
    }
    best
}

/// The gradient of the input of a step over columns.
#[derive(Debug, Clone, Copy)]
pub struct ColumnsGrad(pub Columns);

impl StepKernel for ColumnsGrad {
    const NAME: &'static str = "columns grad";

    fn tasks(&self, lanes: usize) -> usize {
        self.0.tasks(lanes)
    }

    fn check(&self, _len: usize, _lanes: usize) {}

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, share: Share<'_, '_>) {
        // SAFETY: passed on from the caller.
        unsafe { self.0.backward(share.mem, share.tasks) }
    }
}
