//! Pooling over windows: max, min, average, adaptive average and LeNet's trainable subsampling; forward and backward.
//!
//! One pixel of a block of channels is handled at once; windows are clipped to the map first, so the inner loops carry
//! no tests. A max or min keeps the number of the tap that won, as a float beside the output, for its backward pass.

use super::mem::Mem;
use super::share::{Share, StepKernel};
use super::{Isa, Simd};
use crate::layout::Layout;
use convnet_graph::{AvgDivisor, Pad, Pool, PoolKind};
use std::ops::Range;

/// Which pixels a window covers and what happens to them.
#[derive(Debug, Clone, Copy)]
pub enum Windows {
    /// A fixed window that moves by a stride.
    Pool(Pool),
    /// PyTorch's adaptive bins: from `floor(i * in / out)` to `ceil((i + 1) * in / out)`.
    Adaptive,
    /// LeNet's subsampling: window and stride `size`, offset of the coefficients and of the biases.
    Subsample {
        /// Window and stride.
        size: usize,
        /// Offset of the coefficients `[C]`.
        weight: usize,
        /// Offset of the biases `[C]`.
        bias: usize,
    },
}

/// One dimension of one window, clipped to the map: from the first pixel to behind the last one.
struct Span {
    range: Range<usize>,
    /// Distance between the pixels.
    step: usize,
    /// Where the range starts within the window.
    skipped: usize,
    /// The extent that an average with padding divides by.
    padded: usize,
}

impl Windows {
    /// The window of output position `o` along a dimension (0: rows, 1: columns) of extent `input`.
    #[inline(always)]
    fn span(&self, dimension: usize, o: usize, input: usize, output: usize) -> Span {
        let plain = |range: Range<usize>| Span { padded: range.len(), range, step: 1, skipped: 0 };
        match self {
            Windows::Pool(pool) => {
                let (before, after) = match dimension {
                    0 => (pool.pad.top, pool.pad.bottom),
                    _ => (pool.pad.left, pool.pad.right),
                };
                let (start, step) = (o * pool.stride[dimension], pool.dilation[dimension]);
                let end = start + (pool.kernel[dimension] - 1) * step + 1;
                let skipped = before.saturating_sub(start).div_ceil(step);
                let clip = |p: usize| p.saturating_sub(before).min(input);
                Span {
                    range: clip(start + skipped * step)..clip(end),
                    step,
                    skipped,
                    padded: end.min(input + before + after) - start,
                }
            }
            Windows::Adaptive => plain(o * input / output..((o + 1) * input).div_ceil(output)),
            Windows::Subsample { size, .. } => plain(o * size..(o + 1) * size),
        }
    }

    /// The factor of the window's sum, for everything but a max or min.
    #[inline(always)]
    fn scale(&self, rows: &Span, cols: &Span) -> f32 {
        let area = match self {
            Windows::Pool(Pool { kind: PoolKind::Avg(AvgDivisor::WithPad), .. }) => rows.padded * cols.padded,
            Windows::Subsample { .. } => 1,
            Windows::Pool(_) | Windows::Adaptive => rows.range.len() * cols.range.len(),
        };
        1.0 / area.max(1) as f32
    }

    fn extremum(&self) -> Option<PoolKind> {
        match self {
            Windows::Pool(Pool { kind: kind @ (PoolKind::Max | PoolKind::Min), .. }) => Some(*kind),
            _ => None,
        }
    }

    /// The kernel, if the windows lie side by side without padding.
    fn tiles(&self) -> Option<[usize; 2]> {
        match self {
            Windows::Pool(pool) if pool.stride == pool.kernel && pool.pad == Pad::ZERO && pool.dilation == [1, 1] => {
                Some(pool.kernel)
            }
            _ => None,
        }
    }

    fn width(&self) -> usize {
        if let Windows::Pool(pool) = self { pool.kernel[1] } else { 0 }
    }
}

/// A pooling step. Backward, `map` is the input's gradient and `out` the output's.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// What is computed.
    pub windows: Windows,
    /// The input.
    pub map: Layout,
    /// The output.
    pub out: Layout,
    /// Where the winning taps are kept, in the layout of the output.
    pub winners: Option<Layout>,
    /// Images.
    pub batch: usize,
    /// Backward, for a maximum of rectified values: the output. Where it is zero, so was what won, and no gradient passes;
    /// the rectifier in front then needs no pass of its own.
    pub rectified: Option<Layout>,
    /// Backward: adds to the input's gradient instead of replacing it.
    pub accumulate: bool,
}

impl Window {
    /// Numbers that a thread needs for itself: a row of the map.
    fn scratch(&self, lanes: usize) -> usize {
        self.map.chw[2] * lanes
    }

    /// A maximum whose winners nobody asks for: of columns first, whose results all windows of a row share.
    #[inline(always)]
    unsafe fn maximum<'a, S: Simd>(
        &self,
        rows: &Span,
        row: impl Fn(usize) -> &'a [f32],
        columns: &mut [f32],
        out: &mut [f32],
    ) {
        let lanes = S::LANES;
        let (width, out_width) = (self.map.chw[2], self.out.chw[2]);
        // Every window that the macro lets through covers a pixel of the map; it starts with the first.
        columns.copy_from_slice(row(rows.range.start));
        for y in rows.range.clone().step_by(rows.step).skip(1) {
            for (best, pixel) in columns.chunks_exact_mut(lanes).zip(row(y).chunks_exact(lanes)) {
                // SAFETY: slices check the bounds; the caller is compiled for the instruction set.
                unsafe { S::store(best.as_mut_ptr(), S::larger(S::load(best.as_ptr()), S::load(pixel.as_ptr()))) };
            }
        }
        for (ox, out) in out.chunks_exact_mut(lanes).enumerate() {
            let cols = self.windows.span(1, ox, width, out_width);
            let columns = &columns[cols.range.start * lanes..cols.range.end * lanes];
            // SAFETY: as above.
            unsafe {
                let mut best = S::load(columns[..lanes].as_ptr());
                let mut at = cols.step * lanes;
                while at < columns.len() {
                    best = S::larger(best, S::load(columns[at..at + lanes].as_ptr()));
                    at += cols.step * lanes;
                }
                S::store(out.as_mut_ptr(), best);
            }
        }
    }

    #[inline(always)]
    fn extremum<'a, S: Simd>(
        &self,
        kind: PoolKind,
        rows: &Span,
        row: impl Fn(usize) -> &'a [f32],
        out: &mut [f32],
        winners: &mut [f32],
    ) {
        let lanes = S::LANES;
        let (width, kernel_width) = (self.map.chw[2], self.windows.width());
        for ox in 0..self.out.chw[2] {
            let cols = self.windows.span(1, ox, width, self.out.chw[2]);
            // Every window that the macro lets through covers a pixel of the map; it starts with the first.
            let start = &row(rows.range.start)[cols.range.start * lanes..][..lanes];
            let mut best: [f32; 16] = std::array::from_fn(|lane| if lane < lanes { start[lane] } else { 0.0 });
            let mut winner = [(rows.skipped * kernel_width + cols.skipped) as f32; 16];
            for (ky, y) in rows.range.clone().step_by(rows.step).enumerate() {
                let row = row(y);
                for (kx, x) in cols.range.clone().step_by(cols.step).enumerate() {
                    let pixel = &row[x * lanes..][..lanes];
                    let tap = ((rows.skipped + ky) * kernel_width + cols.skipped + kx) as f32;
                    for lane in 0..lanes {
                        let (x, b) = (pixel[lane], best[lane]);
                        let wins = if kind == PoolKind::Max { x > b } else { x < b } | x.is_nan();
                        best[lane] = if wins { x } else { b };
                        winner[lane] = if wins { tap } else { winner[lane] };
                    }
                }
            }
            out[ox * lanes..(ox + 1) * lanes].copy_from_slice(&best[..lanes]);
            if !winners.is_empty() {
                winners[ox * lanes..(ox + 1) * lanes].copy_from_slice(&winner[..lanes]);
            }
        }
    }

    /// Number of tasks backward: planes of the input.
    fn grad_tasks(&self) -> usize {
        self.batch * self.map.blocks()
    }

    /// Spreads the output's gradient over the planes `tasks` of the input's.
    ///
    /// # Safety
    /// Nobody else touches these planes of `map`, and nobody writes to `out`, `winners` or the parameters.
    #[inline(always)]
    unsafe fn run_grad<S: Simd>(&self, mem: Mem<'_>, tasks: Range<usize>) {
        let ([channels, height, width], [_, out_height, out_width]) = (self.map.chw, self.out.chw);
        let (lanes, kernel_width) = (S::LANES, self.windows.width());
        if let (Some(winners), Some(kernel), false) = (self.winners, self.windows.tiles(), self.accumulate) {
            // SAFETY: passed on from the caller.
            return unsafe { self.run_grad_tiled::<S>(mem, tasks, winners, kernel) };
        }
        for plane in tasks {
            if !self.accumulate {
                for y in 0..height {
                    // SAFETY: the caller's promises.
                    unsafe { mem.write(self.map.row_at(plane * height + y), width * lanes) }.fill(0.0);
                }
            }
            let (weight, _) = self.coefficients(mem, plane % self.map.blocks(), channels);
            for oy in 0..out_height {
                let rows = self.windows.span(0, oy, height, out_height);
                let task = plane * out_height + oy;
                // SAFETY: as above.
                let d_out = unsafe { mem.read(self.out.row_at(task), out_width * lanes) };
                // SAFETY: as above.
                let winners = self.winners.map(|w| unsafe { mem.read(w.row_at(task), out_width * lanes) });
                // SAFETY: as above.
                let y_out = self.rectified.map(|y| unsafe { mem.read(y.row_at(task), out_width * lanes) });
                for (ky, y) in rows.range.clone().step_by(rows.step).enumerate() {
                    // SAFETY: as above.
                    let d_row = unsafe { mem.write(self.map.row_at(plane * height + y), width * lanes) };
                    for ox in 0..out_width {
                        let cols = self.windows.span(1, ox, width, out_width);
                        let d_out = &d_out[ox * lanes..(ox + 1) * lanes];
                        let kept: [f32; 16] = match y_out {
                            Some(y_out) => std::array::from_fn(|lane| match y_out.get(ox * lanes + lane % lanes) {
                                Some(y) if *y > 0.0 => d_out[lane % lanes],
                                _ => 0.0,
                            }),
                            None => std::array::from_fn(|lane| d_out[lane % lanes]),
                        };
                        if let Some(winners) = winners {
                            let winner = &winners[ox * lanes..(ox + 1) * lanes];
                            for (kx, x) in cols.range.clone().step_by(cols.step).enumerate() {
                                let d = &mut d_row[x * lanes..][..lanes];
                                let tap = ((rows.skipped + ky) * kernel_width + cols.skipped + kx) as f32;
                                for lane in 0..lanes {
                                    d[lane] += if winner[lane] == tap { kept[lane] } else { 0.0 };
                                }
                            }
                        } else {
                            let scale = self.windows.scale(&rows, &cols);
                            let d_pixels = &mut d_row[cols.range.start * lanes..cols.range.end * lanes];
                            for d in d_pixels.chunks_exact_mut(lanes) {
                                for lane in 0..lanes {
                                    d[lane] += d_out[lane] * scale * weight[lane];
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// [`Window::run_grad`] for windows that do not overlap: every pixel is written once, and none is read.
    #[inline(always)]
    unsafe fn run_grad_tiled<S: Simd>(&self, mem: Mem<'_>, tasks: Range<usize>, winners: Layout, kernel: [usize; 2]) {
        let [_, height, width] = self.map.chw;
        let [_, out_height, out_width] = self.out.chw;
        let lanes = S::LANES;
        for plane in tasks {
            for y in 0..height {
                // SAFETY: the caller's promises, here and below.
                let d_row = unsafe { mem.write(self.map.row_at(plane * height + y), width * lanes) };
                let (oy, ky) = (y / kernel[0], y % kernel[0]);
                if oy >= out_height {
                    d_row.fill(0.0);
                    continue;
                }
                let task = plane * out_height + oy;
                // SAFETY: as above.
                let d_out = unsafe { mem.read(self.out.row_at(task), out_width * lanes) };
                // SAFETY: as above.
                let winners = unsafe { mem.read(winners.row_at(task), out_width * lanes) };
                // SAFETY: as above. Without a rectifier everything passes.
                let y_out = self.rectified.map(|y| unsafe { mem.read(y.row_at(task), out_width * lanes) });
                let (tiled, rest) = d_row.split_at_mut(out_width * kernel[1] * lanes);
                rest.fill(0.0);
                let pixels = tiled.chunks_exact_mut(kernel[1] * lanes);
                for (ox, pixels) in pixels.enumerate() {
                    let at = ox * lanes..(ox + 1) * lanes;
                    let (d_out, winner) = (&d_out[at.clone()], &winners[at.clone()]);
                    let mut kept = [0.0_f32; 16];
                    match y_out.map(|y_out| &y_out[at]) {
                        Some(y_out) => {
                            (0..lanes).for_each(|lane| kept[lane] = if y_out[lane] > 0.0 { d_out[lane] } else { 0.0 });
                        }
                        None => kept[..lanes].copy_from_slice(d_out),
                    }
                    for (kx, d) in pixels.chunks_exact_mut(lanes).enumerate() {
                        let tap = (ky * kernel[1] + kx) as f32;
                        for lane in 0..lanes {
                            d[lane] = if winner[lane] == tap { kept[lane] } else { 0.0 };
                        }
                    }
                }
            }
        }
    }

    /// Coefficient and bias of the channels of a block; ones and zeros unless the layer is trainable.
    #[inline(always)]
    fn coefficients(&self, mem: Mem<'_>, block: usize, channels: usize) -> ([f32; 16], [f32; 16]) {
        let Windows::Subsample { weight, bias, .. } = self.windows else { return ([1.0; 16], [0.0; 16]) };
        let read = |at: usize| {
            std::array::from_fn(|lane| {
                let channel = (block * self.map.block + lane).min(channels - 1);
                // SAFETY: nobody writes to parameters while a program runs.
                unsafe { mem.read(at + channel, 1)[0] }
            })
        };
        (read(weight), read(bias))
    }
}

impl StepKernel for Window {
    const NAME: &'static str = "window";

    /// Number of tasks forward: rows of the output.
    fn tasks(&self, _lanes: usize) -> usize {
        self.out.rows(self.batch)
    }

    fn check(&self, _len: usize, _lanes: usize) {}

    fn arrange(&mut self, isa: Isa, _threads: usize) -> usize {
        self.scratch(isa.lanes())
    }

    /// Computes the output rows `tasks`.
    ///
    /// # Safety
    /// Nobody else touches these rows of `out` and `winners`, and nobody writes to `map` or the parameters; `scratch` is this
    /// thread's own, as long as [`Window::scratch`] says.
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, Share { mem, scratch, tasks, .. }: Share<'_, '_>) {
        let [_, height, width] = self.map.chw;
        let [channels, out_height, out_width] = self.out.chw;
        let lanes = S::LANES;
        for task in self.out.rows_of(tasks, self.batch) {
            let (plane, oy) = (task / out_height, task % out_height);
            let rows = self.windows.span(0, oy, height, out_height);
            // SAFETY: the caller's promises.
            let out = unsafe { mem.write(self.out.row_at(task), out_width * lanes) };
            // SAFETY: as above.
            let winners = self.winners.map(|w| unsafe { mem.write(w.row_at(task), out_width * lanes) });
            let row = |y: usize| {
                // SAFETY: as above.
                unsafe { mem.read(self.map.row_at(plane * height + y), width * lanes) }
            };
            if let (Some(PoolKind::Max), None) = (self.windows.extremum(), &winners) {
                // SAFETY: passed on from the caller.
                unsafe { self.maximum::<S>(&rows, row, scratch.write(0, width * lanes), out) };
                continue;
            }
            if let Some(kind) = self.windows.extremum() {
                let mut none = [];
                let winners = winners.unwrap_or(&mut none);
                self.extremum::<S>(kind, &rows, row, out, winners);
                continue;
            }
            let (weight, bias) = self.coefficients(mem, plane % self.out.blocks(), channels);
            for ox in 0..out_width {
                let cols = self.windows.span(1, ox, width, out_width);
                let mut sum = [0.0_f32; 16];
                for y in rows.range.clone() {
                    let row = &row(y)[cols.range.start * lanes..cols.range.end * lanes];
                    for pixel in row.chunks_exact(lanes) {
                        for lane in 0..lanes {
                            sum[lane] += pixel[lane];
                        }
                    }
                }
                let scale = self.windows.scale(&rows, &cols);
                let out = &mut out[ox * lanes..(ox + 1) * lanes];
                for lane in 0..lanes {
                    out[lane] = sum[lane] * scale * weight[lane] + bias[lane];
                }
            }
        }
    }
}

/// The gradient of subsampling's coefficients and biases.
#[derive(Debug, Clone, Copy)]
pub struct SubsampleGrad {
    /// Window and stride.
    pub size: usize,
    /// The input.
    pub map: Layout,
    /// The gradient of the output.
    pub d_out: Layout,
    /// Offset of the coefficients' gradient.
    pub weight: usize,
    /// Offset of the biases' gradient.
    pub bias: usize,
    /// Images.
    pub batch: usize,
}

impl SubsampleGrad {
    /// Computes the sums of the channels `tasks`.
    ///
    /// # Safety
    /// Nobody else touches these results, and nobody writes to what is read.
    unsafe fn sum(&self, mem: Mem<'_>, tasks: Range<usize>) {
        let [_, out_height, out_width] = self.d_out.chw;
        for c in tasks {
            let (mut d_weight, mut d_bias) = (0.0_f64, 0.0_f64);
            for n in 0..self.batch {
                for oy in 0..out_height {
                    for ox in 0..out_width {
                        let mut sum = 0.0;
                        for y in oy * self.size..(oy + 1) * self.size {
                            for x in ox * self.size..(ox + 1) * self.size {
                                // SAFETY: the caller's promises.
                                sum += unsafe { mem.read(self.map.element(n, c, y, x), 1)[0] };
                            }
                        }
                        // SAFETY: as above.
                        let d = unsafe { mem.read(self.d_out.element(n, c, oy, ox), 1)[0] };
                        d_weight += f64::from(d * sum);
                        d_bias += f64::from(d);
                    }
                }
            }
            // SAFETY: as above.
            unsafe {
                mem.write(self.weight + c, 1)[0] = d_weight as f32;
                mem.write(self.bias + c, 1)[0] = d_bias as f32;
            }
        }
    }
}

impl StepKernel for SubsampleGrad {
    const NAME: &'static str = "subsample grad";

    /// Number of tasks: channels.
    fn tasks(&self, _lanes: usize) -> usize {
        self.map.chw[0]
    }

    fn check(&self, _len: usize, _lanes: usize) {}

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, share: Share<'_, '_>) {
        // SAFETY: passed on from the caller.
        unsafe { self.sum(share.mem, share.tasks) }
    }
}

/// The gradient of the input of a pooling step.
#[derive(Debug, Clone, Copy)]
pub struct WindowGrad(pub Window);

impl StepKernel for WindowGrad {
    const NAME: &'static str = "window grad";

    fn tasks(&self, _lanes: usize) -> usize {
        self.0.grad_tasks()
    }

    fn check(&self, _len: usize, _lanes: usize) {}

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, share: Share<'_, '_>) {
        // SAFETY: passed on from the caller.
        unsafe { self.0.run_grad::<S>(share.mem, share.tasks) }
    }
}
