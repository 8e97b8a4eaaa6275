//! Convolution with a 3x3 kernel and stride 1 by Winograd's minimal filtering, forward and backward to the input.
//!
//! Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2015): an output tile of `M x M` pixels comes from
//! an input patch of `(M + 2) x (M + 2)`, both transformed so that convolution is a multiplication of each of the
//! `(M + 2)^2` positions by itself. Summed over input channels that is one small matrix product a position, with 4 (for
//! `M` = 4) or 2.25 (`M` = 2) times fewer multiplications than the direct way. Rounding errors are some ten times
//! (`M` = 4) or twice (`M` = 2) those of the direct way.
//!
//! A task takes a block of tiles through all three steps, so that transformed numbers never leave the caches:
//!
//! ```text
//! V[position][channel block][tile][lane]         from the input
//! M[position][output block][tile][lane]          = sum over channels: U[position][output block][channel][lane] * V
//! output                                          from M, with bias, residual and activation
//! ```

mod grad;
mod pack;
#[cfg(test)]
mod tests;
mod transforms;

pub use grad::{WinogradGrad, WinogradTiles};
pub use pack::WinogradPack;
use pack::position_len;

use super::mem::{Bindings, Mem};
use super::pointwise;
use super::share::{Share, StepKernel};
use super::tile::{Tile, best_group, widest};
use super::work::work;
use super::{Isa, Simd};
use crate::layout::Layout;
use convnet_graph::Activation;
use std::ops::Range;
use transforms::{Patches, output_rows};

/// A convolution of a batch. Its output has the extent of `out`.
#[derive(Debug, Clone)]
pub struct Winograd {
    /// Pixels of an output tile in each direction: 2 or 4.
    pub tile: usize,
    /// Images.
    pub batch: usize,
    /// The input, in blocks of channels.
    pub input: Layout,
    /// The output.
    pub out: Layout,
    /// Row and column of the output, less those of the input pixel under the kernel's first tap.
    pub pad: [isize; 2],
    /// Offset of the transformed weights.
    pub weights: usize,
    /// Instead: transforms the weights of some blocks in front of their products. Where there is one task for each, this
    /// saves writing all of them to memory and reading them again.
    pub fresh: Option<WinogradPack>,
    /// Offset of the bias, padded to whole blocks.
    pub bias: Option<usize>,
    /// Adds to what the output holds instead of replacing it.
    pub accumulate: bool,
    /// Added to the result.
    pub residual: Option<Layout>,
    /// Applied to the result.
    pub activation: Option<Activation>,
    /// How the work is shared out; [`Winograd::arrange`] decides.
    pub cut: Cut,
}

/// How the work is cut into tasks. Results do not depend on it.
#[derive(Debug, Clone, Default)]
pub struct Cut {
    /// Tiles of a task.
    tiles: usize,
    /// Parts of the output channels.
    parts: usize,
    /// Output blocks that are computed at once.
    group: usize,
    /// Tiles that are computed at once.
    width: usize,
    /// Offset of each channel from its tile in one position of V.
    taps: Vec<i32>,
}

impl Winograd {
    /// For tiles of `tile` pixels; places are set by the planner.
    pub fn new(tile: usize, batch: usize, input: Layout, out: Layout, pad: [isize; 2]) -> Self {
        let (weights, fresh, bias, accumulate, residual, activation) = (0, None, None, false, None, None);
        let cut = Cut::default();
        Winograd { tile, batch, input, out, pad, weights, fresh, bias, accumulate, residual, activation, cut }
    }

    fn side(&self) -> usize {
        self.tile + 2
    }

    /// Positions of a transformed tile.
    fn positions(&self) -> usize {
        self.side() * self.side()
    }

    fn patches(&self) -> Patches {
        Patches::new(self.tile, self.input, self.out.chw, self.pad)
    }

    fn all_tiles(&self) -> usize {
        self.batch * self.patches().tiles()
    }

    /// Tiles of a task: the farther away the weights are, the more of them have to share a reading.
    fn wanted_tiles(&self) -> usize {
        let weights = self.positions() * self.input.chw[0] * self.out.blocks() * self.out.block * size_of::<f32>();
        match weights >> 20 {
            0 | 1 => 28,
            2..16 => 56,
            _ => 112,
        }
    }

    /// Whether each weight is read in one task only.
    pub fn reads_once(&self) -> bool {
        self.all_tiles() <= self.wanted_tiles()
    }

    /// Cuts the work into tasks for the registers of `isa` and some `threads`.
    fn cut(&mut self, isa: Isa, threads: usize) {
        let (lanes, ins, blocks) = (isa.lanes(), self.input.chw[0], self.out.blocks());
        let all = self.all_tiles();
        let tiles = all.div_ceil(all.div_ceil(self.wanted_tiles()));
        let group = best_group(isa, blocks, tiles, false);
        let width = tiles.div_ceil(tiles.div_ceil(widest(isa.widest(), group, false, 1)));
        let groups = blocks.div_ceil(group);
        let parts = (2 * threads).div_ceil(all.div_ceil(tiles)).clamp(1, groups);
        let taps = (0..ins).map(|c| (c / lanes * tiles * lanes + c % lanes) as i32).collect();
        self.cut = Cut { tiles, parts, group, width, taps };
    }

    /// Distance of two positions in V and in M. Odd numbers of cache lines, since the lines of all positions of a tile are
    /// in use at once and must not meet in a few sets of the cache.
    fn strides(&self, lanes: usize) -> [usize; 2] {
        [self.input.blocks(), self.cut.group].map(|blocks| ((blocks * self.cut.tiles) | 1) * lanes)
    }

    /// Numbers of V and M together.
    fn transformed(&self, lanes: usize) -> usize {
        self.positions() * self.strides(lanes).iter().sum::<usize>()
    }

    /// Numbers of a block's transformed weights.
    fn block_len(&self, lanes: usize) -> usize {
        self.positions() * position_len(self.input.chw[0], lanes)
    }

    /// Numbers that a thread needs for itself.
    fn scratch(&self, lanes: usize) -> usize {
        let weights = if self.fresh.is_some() { self.cut.group * self.block_len(lanes) } else { 0 };
        self.transformed(lanes) + weights
    }

    #[inline(always)]
    unsafe fn tasks_of<S: Simd, const N: usize>(
        &self,
        mem: Mem<'_>,
        bindings: Bindings<'_>,
        scratch: Mem<'_>,
        tasks: Range<usize>,
    ) {
        let Cut { tiles: wanted, parts, group, .. } = self.cut;
        let (all, blocks) = (self.all_tiles(), self.out.blocks());
        let chunks = all.div_ceil(wanted);
        // Task by task of one part, so that its weights stay near.
        let mut transformed = None;
        for task in tasks {
            let (part, chunk) = (task / chunks, task % chunks);
            let tiles = chunk * wanted..all.min((chunk + 1) * wanted);
            // SAFETY: passed on from the caller.
            unsafe {
                if transformed != Some(chunk) {
                    let steps = [self.strides(S::LANES)[0], wanted * S::LANES];
                    self.patches().transform::<S, N>(mem, scratch.address(0), steps, tiles.clone());
                    transformed = Some(chunk);
                }
                let groups = blocks.div_ceil(group);
                for index in groups * part / parts..groups * (part + 1) / parts {
                    let outs = blocks * index / groups..blocks * (index + 1) / groups;
                    let mut weights = mem.address(self.weights + outs.start * self.block_len(S::LANES));
                    if let Some(pack) = &self.fresh {
                        let (len, at) = (self.block_len(S::LANES), self.transformed(S::LANES));
                        for (i, block) in outs.clone().enumerate() {
                            let to = scratch.write(at + i * len, len);
                            let scale = pack.scale.map(|at| mem.read(at + block * S::LANES, S::LANES));
                            pack.block::<S>((bindings.params)(pack.param), block, scale, to);
                        }
                        weights = scratch.address(at);
                    }
                    self.multiply::<S>(weights, scratch, outs.len(), tiles.len());
                    for out in outs.clone() {
                        self.transform_output::<S, N>(mem, scratch, out, out - outs.start, tiles.clone());
                    }
                }
            }
        }
    }

    /// The matrix products of all positions for `outs` output blocks with these weights and `tiles` tiles.
    #[inline(always)]
    unsafe fn multiply<S: Simd>(&self, weights: *const f32, scratch: Mem<'_>, outs: usize, tiles: usize) {
        let Cut { tiles: stride, width, ref taps, .. } = self.cut;
        let len = position_len(self.input.chw[0], S::LANES);
        let [v_stride, m_stride] = self.strides(S::LANES);
        let products = self.positions() * v_stride;
        let chunks = tiles.div_ceil(width);
        for position in 0..self.positions() {
            for chunk in 0..chunks {
                let first = tiles * chunk / chunks;
                let wide = tiles * (chunk + 1) / chunks - first;
                let v = position * v_stride + first * S::LANES;
                let m = products + position * m_stride + first * S::LANES;
                let tile = Tile {
                    source: scratch.address(v),
                    taps,
                    weights: weights.wrapping_add(position * len),
                    bias: None,
                    out: scratch.address(m),
                    out_step: S::LANES,
                    steps: [stride * S::LANES, self.positions() * len, 0],
                    add: false,
                    depthwise: false,
                    run: 1,
                };
                // SAFETY: taps and tiles stay in the position's part of V, results in that of M; `check` has bounded the
                // weights.
                unsafe { tile.run::<S>(outs, wide, S::LANES) }
            }
        }
    }

    #[inline(always)]
    unsafe fn transform_output<S: Simd, const N: usize>(
        &self,
        mem: Mem<'_>,
        scratch: Mem<'_>,
        block: usize,
        index: usize,
        tiles: Range<usize>,
    ) {
        let [_, height, width] = self.out.chw;
        let stride = self.cut.tiles;
        let [v_stride, step] = self.strides(S::LANES);
        let products = self.positions() * v_stride;
        let (first, patches) = (tiles.start, self.patches());
        for tile in tiles {
            let [n, y, x] = patches.place(tile);
            let m = products + (index * stride + tile - first) * S::LANES;
            // SAFETY: M is the caller's, outputs of this block and tile are this task's; `check` has bounded them.
            unsafe {
                let bias = self.bias.map_or(S::zero(), |at| S::load(mem.address(at + block * S::LANES)));
                let mut half = [[S::zero(); N]; N];
                for j in 0..N {
                    let mut column = [S::zero(); N];
                    for i in 0..N {
                        column[i] = S::load(scratch.address(m + (i * N + j) * step));
                    }
                    let column = output_rows::<S, N>(column);
                    for i in 0..N - 2 {
                        half[i][j] = column[i];
                    }
                }
                let cols = (width - x).min(self.tile);
                for i in 0..(height - y).min(self.tile) {
                    let pixels = output_rows::<S, N>(half[i]);
                    let row = (n * self.out.blocks() + block) * height + y + i;
                    let at = self.out.row_at(row) + x * S::LANES;
                    let residual = self.residual.map(|r| r.row_at(row) + x * S::LANES);
                    let out = mem.address(at);
                    // Constant bounds: such a loop is unrolled, and the pixels stay in registers.
                    for j in 0..N - 2 {
                        if j < cols {
                            let out = out.add(j * S::LANES);
                            let mut pixel = S::add(pixels[j], bias);
                            if self.accumulate {
                                pixel = S::add(S::load(out), pixel);
                            }
                            if let Some(residual) = residual {
                                pixel = S::add(S::load(mem.address(residual + j * S::LANES)), pixel);
                            }
                            S::store(out, pixel);
                        }
                    }
                    if let Some(activation) = self.activation {
                        pointwise::activate::<S>(activation, mem.write(at, cols * S::LANES));
                    }
                }
            }
        }
    }
}

impl StepKernel for Winograd {
    const NAME: &'static str = "winograd";

    /// Number of tasks.
    fn tasks(&self, _lanes: usize) -> usize {
        self.cut.parts * self.all_tiles().div_ceil(self.cut.tiles)
    }

    /// Panics unless every access lies inside `len` elements.
    fn check(&self, len: usize, lanes: usize) {
        assert!(self.input.block == lanes && self.out.block == lanes, "engine: a transformed map is in blocks");
        let range = |at: usize, n: usize| at as isize..(at + n) as isize;
        Mem::contains(len, range(self.input.at, self.batch * self.input.image()), "input");
        Mem::contains(len, range(self.out.at, self.batch * self.out.image()), "output");
        let weights = if self.fresh.is_some() { 0 } else { self.out.blocks() * self.block_len(lanes) };
        Mem::contains(len, range(self.weights, weights), "weights");
        if let Some(bias) = self.bias {
            Mem::contains(len, range(bias, self.out.blocks() * lanes), "bias");
        }
    }

    /// Multiplications with addition of the direct way, so that speeds can be compared.
    fn multiply_adds(&self, _lanes: usize) -> u64 {
        let [outs, height, width] = self.out.chw;
        work([self.batch, outs, height, width, self.input.chw[0], 9])
    }

    /// Its sizes, for a profile.
    fn sizes(&self) -> String {
        let ([ins, ..], [outs, height, width]) = (self.input.chw, self.out.chw);
        format!("F({0},3) {1}x{height}x{width} {ins} to {outs} channels", self.tile, self.batch)
    }

    fn arrange(&mut self, isa: Isa, threads: usize) -> usize {
        self.cut(isa, threads);
        self.scratch(isa.lanes())
    }

    /// Computes the tasks `tasks`.
    ///
    /// # Safety
    /// The instruction set of `S` is there, [`Winograd::check`] has passed for the memory's length, `scratch` is this
    /// thread's own and as long as [`Winograd::scratch`] says, nobody else touches the outputs of these tasks, and nobody
    /// writes to input, weights, bias and residual.
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, Share { mem, bindings, scratch, tasks }: Share<'_, '_>) {
        // SAFETY: passed on from the caller.
        unsafe {
            match self.tile {
                2 => self.tasks_of::<S, 4>(mem, bindings, scratch, tasks),
                _ => self.tasks_of::<S, 6>(mem, bindings, scratch, tasks),
            }
        }
    }
}
