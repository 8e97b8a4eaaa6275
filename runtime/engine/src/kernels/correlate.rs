//! Convolution, forward and backward to its input, and linear layers: one kernel.
//!
//! Each of them computes, for a block of output channels and one output pixel,
//!
//! ```text
//! out[pixel][lane] = bias[lane] + sum over taps k: weights[k][lane] * source[pixel * step + offset[k]]
//! ```
//!
//! and differs only in the list of taps: a forward tap is an (input channel, ky, kx), a backward one an (output channel,
//! ky, kx), a linear layer's an input feature and its pixels are the images of the batch. Groups and connection tables
//! are lists with holes. So a [`Correlate`] is data, and stride, dilation, padding and layout cost the inner loop
//! nothing: it broadcasts one number for each pixel of the tile and multiplies it with a register of weights.
//!
//! Taps are sorted by the source row they read, so the rows of the kernel that fall outside the map are left out by
//! narrowing the list; left and right, sources carry a halo of zeros.

use super::mem::Mem;
use super::pointwise;
use super::share::{Share, StepKernel};
use super::tile::{Tile, best_group, is_far, widest};
use super::work::work;
use super::{Isa, Kernel, Simd};
use crate::layout::{Layout, by_lines};
use convnet_graph::Activation;
use std::ops::Range;

/// A correlation of a batch with packed weights. Offsets and strides are in elements.
#[derive(Debug, Clone, Default)]
pub struct Correlate {
    /// Output extent: images, rows and pixels per row.
    pub extent: [usize; 3],
    /// Offset of the source's first pixel.
    pub source: usize,
    /// Stride in the source between images, output rows and output pixels.
    pub source_stride: [usize; 3],
    /// Rows that the source has.
    pub source_rows: usize,
    /// Source rows per output row.
    pub row_step: usize,
    /// For each row of the kernel, ascending: its source row for output row 0.
    pub kernel_rows: Vec<isize>,
    /// Offset of each tap from the source pixel of an output pixel.
    pub taps: Vec<i32>,
    /// Blocks of output channels.
    pub blocks: Vec<Block>,
    /// Offset of the output's first pixel.
    pub out: usize,
    /// Stride in the output between images, rows and pixels.
    pub out_stride: [usize; 3],
    /// Whether each channel reads its own channel only: taps are then those of a block of channels.
    pub depthwise: bool,
    /// Adds to what the output holds instead of replacing it.
    pub accumulate: bool,
    /// What the weights of each tap are multiplied by, one number for each channel of an image; tap `i` is then channel `i`.
    pub factors: Option<Layout>,
    /// Added to the result; its blocks, rows and pixels are those of the output.
    pub residual: Option<Layout>,
    /// Applied to the result.
    pub activation: Option<Activation>,
    /// How the work is shared out; [`Correlate::arrange`] decides.
    pub tasks: Tasks,
}

/// One register of output channels.
#[derive(Debug, Clone, Copy)]
pub struct Block {
    /// Offset of its pixels from [`Correlate::out`].
    pub out: usize,
    /// Offset of what it reads from [`Correlate::source`].
    pub source: usize,
    /// Offset of its packed weights `[taps][lanes]`.
    pub weights: usize,
    /// Offset of its bias `[lanes]`.
    pub bias: Option<usize>,
    /// Its first entry in [`Correlate::taps`].
    pub first_tap: usize,
    /// Number of taps in one row of the kernel.
    pub row_taps: usize,
}

/// Blocks of a [`Correlate`] that are computed at once, since they read the same taps.
#[derive(Debug, Clone, Copy)]
struct Group {
    first: usize,
    len: usize,
    /// Distance of their outputs, weights and biases.
    steps: [usize; 3],
}

/// Weights of the taps that a task goes through at once.
#[derive(Clone, Copy)]
struct Panel {
    /// The first tap.
    first: usize,
    /// Its weights for the first block.
    weights: *const f32,
    /// Distance of the blocks' weights.
    step: usize,
}

/// What a task computes, but for its rows.
struct Piece {
    group: Group,
    /// The image.
    n: usize,
    /// Pixels of each row.
    cols: Range<usize>,
    /// Tiles that they are cut into.
    tiles: usize,
}

/// How the work of a [`Correlate`] is cut into tasks. Results do not depend on it.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    groups: Vec<Group>,
    /// Rows of a task.
    rows: usize,
    /// Pixels of each row in a task.
    cols: usize,
    /// Taps that are gone through for all pixels of a task before the next ones: their weights stay in the first cache.
    panel: usize,
    /// Taps that read pixels one behind the other; see [`Tile::run`].
    run: usize,
    /// Whether weights are asked for before they are needed.
    ahead: bool,
    /// Whether tasks are counted line by line, all groups of each; see [`by_lines`].
    by_lines: bool,
}

/// Weights that a second cache keeps from one call to the next.
const NEAR: usize = 1 << 17;
/// Pixels of a task: long enough to be worth reading the weights into the first cache.
const PIXELS: usize = 224;
/// Elements of weights that stay in the first cache.
const PANEL: usize = 4096;

impl Correlate {
    /// Cuts the work into tasks for the registers of `isa`.
    fn cut(&mut self, isa: Isa, threads: usize) {
        let [images, rows, cols] = self.extent;
        let mut groups = Vec::new();
        let mut first = 0;
        while first < self.blocks.len() {
            let run = self.run_length(first);
            let n = best_group(isa, run, cols, is_far(self.source_stride[2], isa.lanes()));
            let parts = run.div_ceil(n);
            for part in 0..parts {
                let (start, end) = (first + run * part / parts, first + run * (part + 1) / parts);
                groups.push(Group { first: start, len: end - start, steps: self.steps(start).unwrap_or_default() });
            }
            first += run;
        }
        let cols = cols.div_ceil(cols.div_ceil(PIXELS).max(1)).max(1);
        let together = groups.iter().map(|group| group.len).max().unwrap_or(1);
        let run = self.tap_run(isa.lanes());
        let panel = (PANEL / (together * isa.lanes())).max(16).next_multiple_of(run);
        let mut task_rows = (PIXELS / cols).clamp(1, rows.max(1));
        let weights = self.blocks.iter().map(|block| block.row_taps * self.kernel_rows.len()).sum::<usize>();
        let weights = weights * isa.lanes();
        // Each thread then reads all weights, and not all of the map.
        let by_lines =
            by_lines(images, rows) && weights < self.source_stride[0] + rows * cols * self.blocks.len() * isa.lanes();
        if by_lines {
            task_rows = rows.div_ceil(rows.div_ceil(task_rows).next_multiple_of(threads.max(1)));
        }
        let ahead = images == 1 && weights > NEAR && !by_lines;
        self.tasks = Tasks { groups, rows: task_rows, cols, panel, run, ahead, by_lines };
    }

    /// 3 or 5, or 7 of a depthwise layer, if all taps come in such runs, each tap a pixel behind the one before; else 1.
    pub fn tap_run(&self, lanes: usize) -> usize {
        let step = self.source_stride[2];
        let in_runs = |run: &usize| {
            let behind = |taps: &[i32]| taps.windows(2).all(|pair| pair[1] - pair[0] == step as i32);
            let whole = |block: &Block| block.row_taps.is_multiple_of(*run) && block.first_tap.is_multiple_of(*run);
            self.blocks.iter().all(whole) && self.taps.chunks(*run).all(behind)
        };
        if is_far(step, lanes) {
            return 1;
        }
        let runs: &[usize] = if self.depthwise { &[7, 5, 3] } else { &[5, 3] };
        runs.iter().copied().find(in_runs).unwrap_or(1)
    }

    /// Distances from block `i` to the next, if that lies behind it.
    fn steps(&self, i: usize) -> Option<[usize; 3]> {
        let (a, b) = (&self.blocks[i], self.blocks.get(i + 1)?);
        let bias = b.bias.unwrap_or(0).checked_sub(a.bias.unwrap_or(0))?;
        Some([b.out.checked_sub(a.out)?, b.weights.checked_sub(a.weights)?, bias])
    }

    /// How many blocks from `first` on have the same taps and lie at equal distances.
    pub fn run_length(&self, first: usize) -> usize {
        if self.depthwise {
            return 1;
        }
        let (block, steps) = (&self.blocks[first], self.steps(first));
        let alike = |i: &usize| {
            let other = &self.blocks[*i];
            other.first_tap == block.first_tap
                && other.row_taps == block.row_taps
                && other.bias.is_some() == block.bias.is_some()
                && steps.is_some()
                && self.steps(i - 1) == steps
        };
        1 + (first + 1..self.blocks.len()).take_while(alike).count()
    }

    fn row_chunks(&self) -> usize {
        self.extent[1].div_ceil(self.tasks.rows)
    }

    /// The image, group, rows and segment of a task.
    #[inline(always)]
    fn place(&self, task: usize) -> [usize; 4] {
        let [groups, chunks, segments] = [self.tasks.groups.len(), self.row_chunks(), self.segments()];
        if self.tasks.by_lines {
            let (task, index) = (task / groups, task % groups);
            let (task, segment) = (task / segments, task % segments);
            return [task / chunks, index, task % chunks, segment];
        }
        let (task, segment) = (task / segments, task % segments);
        let (task, chunk) = (task / chunks, task % chunks);
        [task / groups, task % groups, chunk, segment]
    }

    fn segments(&self) -> usize {
        self.extent[2].div_ceil(self.tasks.cols)
    }

    /// Rows of the kernel that lie inside the source for output row `y`.
    #[inline(always)]
    pub fn kernel_range(&self, y: usize) -> Range<usize> {
        let base = (y * self.row_step) as isize;
        let start = self.kernel_rows.partition_point(|row| base + row < 0);
        let end = self.kernel_rows.partition_point(|row| base + row < self.source_rows as isize);
        start..end.max(start)
    }

    /// Computes the tasks `tasks`.
    ///
    /// # Safety
    /// The instruction set of `S` is there, [`Correlate::check`] has passed for the memory's length, nobody else touches
    /// the outputs of these tasks, and nobody writes to source, weights and bias.
    #[inline(always)]
    unsafe fn compute<S: Simd>(&self, mem: Mem<'_>, scratch: Mem<'_>, tasks: Range<usize>) {
        let far = is_far(self.source_stride[2], S::LANES);
        for task in tasks {
            let [n, index, chunk, segment] = self.place(task);
            let group = self.tasks.groups[index];
            let rows = chunk * self.tasks.rows..self.extent[1].min((chunk + 1) * self.tasks.rows);
            let cols = segment * self.tasks.cols..self.extent[2].min((segment + 1) * self.tasks.cols);
            let block = &self.blocks[group.first];
            let all_taps = &self.taps[block.first_tap..][..self.kernel_rows.len() * block.row_taps];
            // Tiles of nearly equal width: two of seven keep the units busier than one of twelve and one of two.
            let tiles = match self.depthwise {
                true => 1,
                false => cols.len().div_ceil(widest(S::WIDEST, group.len, far, self.tasks.run)),
            };
            let piece = Piece { group, n, cols, tiles };
            // While one panel is in use, the weights of the next one are on their way, be it the next group's first. With more
            // images than one they come from a cache anyway, and so do few of them.
            let is_last = chunk + 1 == self.row_chunks() && segment + 1 == self.segments();
            let following = self.tasks.groups.get(index + 1).filter(|_| is_last);
            let ahead = if self.tasks.ahead { self.tasks.panel } else { 0 };
            for start in (0..all_taps.len().max(1)).step_by(self.tasks.panel) {
                let panel = start..all_taps.len().min(start + self.tasks.panel);
                // SAFETY: passed on from the caller.
                let weights = unsafe { self.panel::<S>(mem, scratch, &piece, panel.clone()) };
                let (coming, next) = match following {
                    Some(group) if panel.end == all_taps.len() => (group, 0..all_taps.len().min(ahead)),
                    _ => (&group, panel.end..all_taps.len().min(panel.end + ahead)),
                };
                for (i, y) in rows.clone().enumerate() {
                    let part = next.len() * i / rows.len()..next.len() * (i + 1) / rows.len();
                    for tap in next.start + part.start..next.start + part.end {
                        for index in 0..coming.len {
                            let at = self.blocks[coming.first].weights + index * coming.steps[1] + tap * S::LANES;
                            S::prefetch(mem.address(at));
                        }
                    }
                    let kernel = self.kernel_range(y);
                    let inside = (kernel.start * block.row_taps).max(panel.start)
                        ..(kernel.end * block.row_taps).clamp(panel.start, panel.end);
                    if inside.is_empty() && start > 0 {
                        continue;
                    }
                    let (inside, add) = (inside.start.min(inside.end)..inside.end, self.accumulate || start > 0);
                    // SAFETY: passed on from the caller.
                    unsafe { self.row::<S>(mem, &piece, weights, y, inside, add) };
                }
            }
            // SAFETY: passed on from the caller; these are the outputs just written, still in the first cache.
            unsafe { self.complete::<S>(mem, &piece, rows) };
        }
    }

    /// The weights of the taps `panel`: where they are, or multiplied by the image's factors in memory of the thread's own.
    ///
    /// # Safety
    /// As for [`Correlate::compute`].
    #[inline(always)]
    unsafe fn panel<S: Simd>(&self, mem: Mem<'_>, scratch: Mem<'_>, piece: &Piece, panel: Range<usize>) -> Panel {
        let (first, group) = (panel.start, piece.group);
        let weights = mem.address(self.blocks[group.first].weights + first * S::LANES).cast_const();
        let Some(factors) = &self.factors else { return Panel { first, weights, step: group.steps[1] } };
        let (step, own) = (panel.len() * S::LANES, scratch.address(0));
        let at = factors.row_at(0) + piece.n * factors.image();
        for (i, tap) in panel.enumerate() {
            // SAFETY: `check` has bounded weights and factors, and `arrange` asked for a panel of each block.
            unsafe {
                let factor = S::splat(mem.address(at + tap / S::LANES * factors.plane() + tap % S::LANES));
                for block in 0..group.len {
                    let weight = S::load(weights.add(block * group.steps[1] + i * S::LANES));
                    S::store(own.add(block * step + i * S::LANES), S::mul(weight, factor));
                }
            }
        }
        Panel { first, weights: own, step }
    }

    /// Sums the taps `inside` for the row `y` of a piece.
    ///
    /// # Safety
    /// As for [`Correlate::compute`].
    #[inline(always)]
    unsafe fn row<S: Simd>(
        &self,
        mem: Mem<'_>,
        piece: &Piece,
        panel: Panel,
        y: usize,
        inside: Range<usize>,
        add: bool,
    ) {
        let Piece { group, n, ref cols, tiles } = *piece;
        let block = &self.blocks[group.first];
        let taps = &self.taps[block.first_tap..][inside.clone()];
        let source = self.source + block.source + n * self.source_stride[0] + y * self.source_stride[1];
        let out = self.out + block.out + n * self.out_stride[0] + y * self.out_stride[1];
        let [out_step, _, bias_step] = group.steps;
        for tile in 0..tiles {
            let x = cols.start + cols.len() * tile / tiles;
            let width = cols.start + cols.len() * (tile + 1) / tiles - x;
            let tile = Tile {
                source: mem.address(source + x * self.source_stride[2]),
                taps,
                weights: panel.weights.wrapping_add((inside.start - panel.first) * S::LANES),
                bias: block.bias.map(|bias| mem.address(bias).cast_const()),
                out: mem.address(out + x * self.out_stride[2]),
                out_step: self.out_stride[2],
                steps: [out_step, panel.step, bias_step],
                add,
                depthwise: self.depthwise,
                run: self.tasks.run,
            };
            // SAFETY: the caller's promises; `check` has bounded every address of the tile.
            unsafe { tile.run::<S>(group.len, width, self.source_stride[2]) }
        }
    }

    /// Adds the residual to the rows of a piece and applies the activation.
    ///
    /// # Safety
    /// As for [`Correlate::compute`].
    #[inline(always)]
    unsafe fn complete<S: Simd>(&self, mem: Mem<'_>, piece: &Piece, rows: Range<usize>) {
        let Piece { group, n, ref cols, .. } = *piece;
        for (block, y) in (0..group.len).flat_map(|block| rows.clone().map(move |y| (group.first + block, y))) {
            let (row, step) = (n * self.out_stride[0] + y * self.out_stride[1], self.out_stride[2]);
            let out = self.out + self.blocks[block].out + row;
            // SAFETY: these are the outputs just written, ours by the caller's promise; a residual is only read.
            unsafe {
                if let Some(residual) = &self.residual {
                    let row = residual.row_at((n * residual.blocks() + block) * self.extent[1] + y);
                    let (at, len) = (cols.start * step, cols.len() * step);
                    for (sum, more) in mem.write(out + at, len).iter_mut().zip(mem.read(row + at, len)) {
                        *sum += more;
                    }
                }
                match self.activation {
                    Some(activation) if step == S::LANES => {
                        pointwise::activate::<S>(activation, mem.write(out + cols.start * step, cols.len() * step));
                    }
                    Some(activation) => {
                        for x in cols.clone() {
                            pointwise::activate::<S>(activation, mem.write(out + x * step, S::LANES));
                        }
                    }
                    None => {}
                }
            }
        }
    }
}

impl StepKernel for Correlate {
    const NAME: &'static str = "correlate";

    /// Number of tasks.
    fn tasks(&self, _lanes: usize) -> usize {
        self.extent[0] * self.tasks.groups.len() * self.row_chunks() * self.segments()
    }

    /// Panics unless every access lies inside `len` elements.
    fn check(&self, len: usize, lanes: usize) {
        let [images, rows, cols] = self.extent;
        if images * rows * cols == 0 {
            return;
        }
        let last = |stride: [usize; 3], row: usize| (images - 1) * stride[0] + row * stride[1] + (cols - 1) * stride[2];
        for block in &self.blocks {
            let n_taps = self.kernel_rows.len() * block.row_taps;
            let out = self.out + block.out;
            Mem::contains(len, out as isize..(out + last(self.out_stride, rows - 1) + lanes) as isize, "output");
            Mem::contains(len, block.weights as isize..(block.weights + n_taps * lanes) as isize, "weights");
            if let Some(factors) = &self.factors {
                let end = factors.at + (images - 1) * factors.image() + factors.blocks() * factors.plane();
                assert!(n_taps <= factors.chw[0], "engine: a factor for each tap");
                Mem::contains(len, factors.at as isize..end as isize, "factors");
            }
            if let Some(bias) = block.bias {
                Mem::contains(len, bias as isize..(bias + lanes) as isize, "bias");
            }
            assert!(block.first_tap + n_taps <= self.taps.len(), "engine: taps of a block");
            for row in 0..self.kernel_rows.len() {
                let inside: Vec<usize> = (0..rows).filter(|y| self.kernel_range(*y).contains(&row)).collect();
                let taps = &self.taps[block.first_tap + row * block.row_taps..][..block.row_taps];
                if let (Some(first), Some(end)) = (inside.first(), inside.last())
                    && let (Some(low), Some(high)) = (taps.iter().min(), taps.iter().max())
                {
                    let source = self.source + block.source;
                    let low = (source + first * self.source_stride[1]) as isize + *low as isize;
                    let high = (source + last(self.source_stride, *end)) as isize + *high as isize;
                    let width = if self.depthwise { lanes } else { 1 };
                    Mem::contains(len, low..high + width as isize, "source");
                }
            }
        }
    }

    /// Multiplications with addition, by blocks of lanes: rows outside of the source are counted too.
    fn multiply_adds(&self, lanes: usize) -> u64 {
        let taps: usize = self.blocks.iter().map(|block| block.row_taps * self.kernel_rows.len()).sum();
        let [images, rows, cols] = self.extent;
        work([images, rows, cols, taps, lanes])
    }

    /// Its sizes, for a profile.
    fn sizes(&self) -> String {
        let [images, rows, cols] = self.extent;
        let taps = self.blocks.first().map_or(0, |block| block.row_taps);
        format!("{images}x{rows}x{cols} {} blocks {}x{taps} taps", self.blocks.len(), self.kernel_rows.len())
    }

    fn arrange(&mut self, isa: Isa, threads: usize) -> usize {
        self.cut(isa, threads);
        let together = self.tasks.groups.iter().map(|group| group.len).max().unwrap_or(0);
        self.factors.map_or(0, |_| self.tasks.panel * together * isa.lanes())
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, Share { mem, scratch, tasks, .. }: Share<'_, '_>) {
        // SAFETY: passed on from the caller.
        unsafe { S::enter(Alone(self, [mem, scratch], tasks)) }
    }
}

/// The innermost loop of this step is its own function: among all the others in one, it would have to do with the registers and
/// the place that they leave it.
struct Alone<'a>(&'a Correlate, [Mem<'a>; 2], Range<usize>);

impl Kernel for Alone<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: passed on from the caller.
        unsafe { self.0.compute::<S>(self.1[0], self.1[1], self.2) }
    }
}
