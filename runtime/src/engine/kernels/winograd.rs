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

use super::mem::{Mem, Outside};
use super::pointwise;
use super::tile::{Tile, best_group};
use super::{Isa, Simd};
use crate::engine::layout::Layout;
use crate::graph::Activation;
use std::ops::Range;

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
        let (weights, bias, accumulate, residual, activation) = (0, None, false, None, None);
        let cut = Cut::default();
        Winograd { tile, batch, input, out, pad, weights, bias, accumulate, residual, activation, cut }
    }

    fn side(&self) -> usize {
        self.tile + 2
    }

    /// Positions of a transformed tile.
    fn positions(&self) -> usize {
        self.side() * self.side()
    }

    /// Tiles of a map, by row and column.
    fn grid(&self) -> [usize; 2] {
        [1, 2].map(|i| self.out.chw[i].div_ceil(self.tile))
    }

    fn all_tiles(&self) -> usize {
        let [rows, cols] = self.grid();
        self.batch * rows * cols
    }

    /// Multiplications with addition of the direct way, so that speeds can be compared.
    pub fn multiply_adds(&self) -> u64 {
        let [outs, height, width] = self.out.chw;
        (self.batch * outs * height * width * self.input.chw[0] * 9) as u64
    }

    /// Its sizes, for a profile.
    pub fn describe(&self) -> String {
        let ([ins, ..], [outs, height, width]) = (self.input.chw, self.out.chw);
        format!("F({0},3) {1}x{height}x{width} {ins} to {outs} channels", self.tile, self.batch)
    }

    /// Cuts the work into tasks for the registers of `isa` and some `threads`.
    pub fn arrange(&mut self, isa: Isa, threads: usize) {
        let (lanes, ins, blocks) = (isa.lanes(), self.input.chw[0], self.out.blocks());
        let weights = self.positions() * ins * blocks * lanes * size_of::<f32>();
        // The farther away the weights are, the more tiles have to share a reading of them.
        let wanted = match weights >> 20 {
            0 | 1 => 28,
            2..16 => 56,
            _ => 112,
        };
        let all = self.all_tiles();
        let tiles = all.div_ceil(all.div_ceil(wanted));
        let group = best_group(isa, blocks, tiles, false);
        let width = tiles.div_ceil(tiles.div_ceil(isa.widest()[group - 1]));
        let groups = blocks.div_ceil(group);
        let parts = (2 * threads).div_ceil(all.div_ceil(tiles)).clamp(1, groups);
        let taps = (0..ins).map(|c| (c / lanes * tiles * lanes + c % lanes) as i32).collect();
        self.cut = Cut { tiles, parts, group, width, taps };
    }

    /// Number of tasks.
    pub fn tasks(&self) -> usize {
        self.cut.parts * self.all_tiles().div_ceil(self.cut.tiles)
    }

    /// Distance of two positions in V and in M. Odd numbers of cache lines, since the lines of all positions of a tile are
    /// in use at once and must not meet in a few sets of the cache.
    fn strides(&self, lanes: usize) -> [usize; 2] {
        [self.input.blocks(), self.cut.group].map(|blocks| ((blocks * self.cut.tiles) | 1) * lanes)
    }

    /// Numbers of V and M together.
    pub fn scratch(&self, lanes: usize) -> usize {
        self.positions() * self.strides(lanes).iter().sum::<usize>()
    }

    /// Panics unless every access lies inside `len` elements.
    pub fn check(&self, len: usize, lanes: usize) {
        assert!(self.input.block == lanes && self.out.block == lanes, "engine: a transformed map is in blocks");
        let range = |at: usize, n: usize| at as isize..(at + n) as isize;
        Mem::contains(len, range(self.input.at, self.batch * self.input.image()), "input");
        Mem::contains(len, range(self.out.at, self.batch * self.out.image()), "output");
        let weights = self.positions() * self.out.blocks() * self.input.chw[0] * lanes;
        Mem::contains(len, range(self.weights, weights), "weights");
        if let Some(bias) = self.bias {
            Mem::contains(len, range(bias, self.out.blocks() * lanes), "bias");
        }
    }

    /// Computes the tasks `tasks`.
    ///
    /// # Safety
    /// The instruction set of `S` is there, [`Winograd::check`] has passed for the memory's length, `scratch` is this
    /// thread's own and as long as [`Winograd::scratch`] says, nobody else touches the outputs of these tasks, and nobody
    /// writes to input, weights, bias and residual.
    #[inline(always)]
    pub unsafe fn run<S: Simd>(&self, mem: Mem<'_>, scratch: Mem<'_>, tasks: Range<usize>) {
        // SAFETY: passed on from the caller.
        unsafe {
            match self.tile {
                2 => self.tasks_of::<S, 4>(mem, scratch, tasks),
                _ => self.tasks_of::<S, 6>(mem, scratch, tasks),
            }
        }
    }

    #[inline(always)]
    unsafe fn tasks_of<S: Simd, const N: usize>(&self, mem: Mem<'_>, scratch: Mem<'_>, tasks: Range<usize>) {
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
                    self.transform_input::<S, N>(mem, scratch, tiles.clone());
                    transformed = Some(chunk);
                }
                let groups = blocks.div_ceil(group);
                for index in groups * part / parts..groups * (part + 1) / parts {
                    let outs = blocks * index / groups..blocks * (index + 1) / groups;
                    self.multiply::<S>(mem, scratch, outs.clone(), tiles.len());
                    for out in outs.clone() {
                        self.transform_output::<S, N>(mem, scratch, out, out - outs.start, tiles.clone());
                    }
                }
            }
        }
    }

    /// Image, row and column of a tile's first output pixel.
    #[inline(always)]
    fn place(&self, tile: usize) -> [usize; 3] {
        let [rows, cols] = self.grid();
        [tile / (rows * cols), tile / cols % rows * self.tile, tile % cols * self.tile]
    }

    #[inline(always)]
    unsafe fn transform_input<S: Simd, const N: usize>(&self, mem: Mem<'_>, scratch: Mem<'_>, tiles: Range<usize>) {
        let [_, height, width] = self.input.chw;
        let [before, after] = self.input.halo.map(|pixels| pixels as isize);
        let first = tiles.start;
        for tile in tiles {
            let [n, y, x] = self.place(tile);
            let (top, left) = (y as isize - self.pad[0], x as isize - self.pad[1]);
            let end = |start: isize, size: usize| (size as isize - start).clamp(0, N as isize) as usize;
            let rows = (-top).clamp(0, N as isize) as usize..end(top, height);
            // The halo is as good as the map: it holds the zeros that are wanted.
            let cols = (-left - before).clamp(0, N as isize) as usize..end(left, width + after as usize);
            let inside = rows == (0..N) && cols == (0..N);
            let start = self.input.row_at(n * self.input.blocks() * height) as isize
                + top * self.input.row() as isize
                + left * S::LANES as isize;
            let mut patch = [[[0.0_f32; 16]; N]; N];
            for block in 0..self.input.blocks() {
                let v = (block * self.cut.tiles + tile - first) * S::LANES;
                let source = (start + (block * self.input.plane()) as isize) as usize;
                // SAFETY: `check` has bounded the input, of which only rows and columns that are there are read; V is the
                // caller's.
                unsafe {
                    if inside {
                        let pixels = mem.address(source).cast_const();
                        self.transform_patch::<S, N>(pixels, self.input.row(), S::LANES, scratch.address(v));
                        continue;
                    }
                    for i in rows.clone() {
                        for j in cols.clone() {
                            let pixel = mem.address(source.wrapping_add(i * self.input.row() + j * S::LANES));
                            S::store(patch[i][j].as_mut_ptr(), S::load(pixel));
                        }
                    }
                    self.transform_patch::<S, N>(patch.as_ptr().cast(), N * 16, 16, scratch.address(v));
                }
            }
        }
    }

    /// `B^T d B` of a patch whose rows and columns lie `row` and `col` numbers apart.
    #[inline(always)]
    unsafe fn transform_patch<S: Simd, const N: usize>(&self, pixels: *const f32, row: usize, col: usize, v: *mut f32) {
        let stride = self.strides(S::LANES)[0];
        // SAFETY: passed on from the caller.
        unsafe {
            let mut half = [[S::zero(); N]; N];
            for j in 0..N {
                let column = std::array::from_fn(|i| S::load(pixels.add(i * row + j * col)));
                let column = input_rows::<S, N>(column);
                for i in 0..N {
                    half[i][j] = column[i];
                }
            }
            for i in 0..N {
                let row = input_rows::<S, N>(half[i]);
                for j in 0..N {
                    S::store(v.wrapping_add((i * N + j) * stride), row[j]);
                }
            }
        }
    }

    /// The matrix products of all positions for the output blocks `outs` and `tiles` tiles.
    #[inline(always)]
    unsafe fn multiply<S: Simd>(&self, mem: Mem<'_>, scratch: Mem<'_>, outs: Range<usize>, tiles: usize) {
        let Cut { tiles: stride, width, ref taps, .. } = self.cut;
        let (ins, blocks) = (self.input.chw[0], self.out.blocks());
        let [v_stride, m_stride] = self.strides(S::LANES);
        let products = self.positions() * v_stride;
        let chunks = tiles.div_ceil(width);
        for position in 0..self.positions() {
            for chunk in 0..chunks {
                let first = tiles * chunk / chunks;
                let wide = tiles * (chunk + 1) / chunks - first;
                let v = position * v_stride + first * S::LANES;
                let m = products + position * m_stride + first * S::LANES;
                let weights = self.weights + (position * blocks + outs.start) * ins * S::LANES;
                let tile = Tile {
                    source: scratch.address(v),
                    taps,
                    weights: mem.address(weights),
                    bias: None,
                    out: scratch.address(m),
                    out_step: S::LANES,
                    steps: [stride * S::LANES, ins * S::LANES, 0],
                    add: false,
                    depthwise: false,
                    run: 1,
                };
                // SAFETY: taps and tiles stay in the position's part of V, results in that of M; `check` has bounded the
                // weights.
                unsafe { S::tile(&tile, outs.len(), wide, S::LANES) }
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
        let first = tiles.start;
        for tile in tiles {
            let [n, y, x] = self.place(tile);
            let m = products + (index * stride + tile - first) * S::LANES;
            // SAFETY: M is the caller's, outputs of this block and tile are this task's; `check` has bounded them.
            unsafe {
                let bias = self.bias.map_or(S::zero(), |at| S::load(mem.address(at + block * S::LANES)));
                let mut half = [[S::zero(); N]; N];
                for j in 0..N {
                    let column = std::array::from_fn(|i| S::load(scratch.address(m + (i * N + j) * step).cast_const()));
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
                    let mut out = mem.address(at);
                    for j in 0..N - 2 {
                        if j >= cols {
                            break;
                        }
                        let mut pixel = S::add(pixels[j], bias);
                        if self.accumulate {
                            pixel = S::add(S::load(out), pixel);
                        }
                        if let Some(residual) = residual {
                            pixel = S::add(S::load(mem.address(residual + j * S::LANES)), pixel);
                        }
                        S::store(out, pixel);
                        out = out.wrapping_add(S::LANES);
                    }
                    if let Some(activation) = self.activation {
                        pointwise::activate(activation, mem.write(at, cols * S::LANES));
                    }
                }
            }
        }
    }
}

/// `B^T x`: one dimension of the input transform.
#[inline(always)]
unsafe fn input_rows<S: Simd, const N: usize>(x: [S::V; N]) -> [S::V; N] {
    let mut y = x;
    // SAFETY: the caller is compiled for the instruction set.
    unsafe {
        if N == 4 {
            y[0] = S::sub(x[0], x[2]);
            y[1] = S::add(x[1], x[2]);
            y[2] = S::sub(x[2], x[1]);
            y[3] = S::sub(x[1], x[3]);
        } else {
            let (two, four, five) = (S::set(2.0), S::set(4.0), S::set(5.0));
            // 4 x0 - 5 x2 + x4, and the same one further on.
            y[0] = S::fma(four, x[0], S::sub(x[4], S::mul(five, x[2])));
            y[5] = S::fma(four, x[1], S::sub(x[5], S::mul(five, x[3])));
            let (a, b) = (S::sub(x[4], S::mul(four, x[2])), S::sub(x[3], S::mul(four, x[1])));
            y[1] = S::add(a, b);
            y[2] = S::sub(a, b);
            let (c, d) = (S::sub(x[4], x[2]), S::mul(two, S::sub(x[3], x[1])));
            y[3] = S::add(c, d);
            y[4] = S::sub(c, d);
        }
    }
    y
}

/// `A^T x`: one dimension of the output transform; the last two are unused.
#[inline(always)]
unsafe fn output_rows<S: Simd, const N: usize>(x: [S::V; N]) -> [S::V; N] {
    let mut y = x;
    // SAFETY: the caller is compiled for the instruction set.
    unsafe {
        if N == 4 {
            y[0] = S::add(x[0], S::add(x[1], x[2]));
            y[1] = S::sub(S::sub(x[1], x[2]), x[3]);
        } else {
            let (a, b) = (S::add(x[1], x[2]), S::sub(x[1], x[2]));
            let (c, d) = (S::add(x[3], x[4]), S::sub(x[3], x[4]));
            let (two, four, eight) = (S::set(2.0), S::set(4.0), S::set(8.0));
            y[0] = S::add(x[0], S::add(a, c));
            y[1] = S::fma(two, d, b);
            y[2] = S::fma(four, c, a);
            y[3] = S::add(x[5], S::fma(eight, d, b));
        }
    }
    y
}

/// Transforms the weights of a [`Winograd`] step.
#[derive(Debug, Clone, Copy)]
pub struct WinogradPack {
    /// Pixels of an output tile in each direction.
    pub tile: usize,
    /// Index of the parameter, `[O, C, 3, 3]`.
    pub param: usize,
    /// `[O, C]` of the parameter.
    pub channels: [usize; 2],
    /// For the backward pass: from `O` to `C`, with the kernel turned around.
    pub backward: bool,
    /// Offset of the transformed weights.
    pub packed: usize,
    /// Offset of factors for each output channel.
    pub scale: Option<usize>,
}

impl WinogradPack {
    /// Numbers of the transformed weights.
    pub fn packed_len(&self, lanes: usize) -> usize {
        let [ins, outs] = self.ends();
        (self.tile + 2) * (self.tile + 2) * ins * outs.next_multiple_of(lanes)
    }

    /// Channels that are summed over, and those that result.
    fn ends(&self) -> [usize; 2] {
        let [outs, ins] = self.channels;
        if self.backward { [outs, ins] } else { [ins, outs] }
    }

    /// Number of tasks: blocks of output channels.
    pub fn tasks(&self, lanes: usize) -> usize {
        self.ends()[1].div_ceil(lanes)
    }

    /// Transforms the blocks `tasks`.
    ///
    /// # Safety
    /// The instruction set of `S` is there, nobody else touches these blocks, and nobody writes to the factors.
    #[inline(always)]
    pub unsafe fn run<S: Simd>(&self, mem: Mem<'_>, outside: Outside<'_>, tasks: Range<usize>) {
        // SAFETY: passed on from the caller.
        unsafe {
            match self.tile {
                2 => self.blocks::<S, 4>(mem, outside, tasks),
                _ => self.blocks::<S, 6>(mem, outside, tasks),
            }
        }
    }

    #[inline(always)]
    unsafe fn blocks<S: Simd, const N: usize>(&self, mem: Mem<'_>, outside: Outside<'_>, tasks: Range<usize>) {
        let [ins, outs] = self.ends();
        let param = (outside.params)(self.param);
        let blocks = outs.div_ceil(S::LANES);
        for block in tasks {
            let used = S::LANES.min(outs - block * S::LANES);
            for k in 0..ins {
                let mut kernel = [[0.0_f32; 16]; 9];
                for lane in 0..used {
                    let out = block * S::LANES + lane;
                    let [row, col] = if self.backward { [k, out] } else { [out, k] };
                    let weights = &param[(row * self.channels[1] + col) * 9..][..9];
                    for (i, weight) in weights.iter().enumerate() {
                        kernel[if self.backward { 8 - i } else { i }][lane] = *weight;
                    }
                }
                // SAFETY: `write` checks the bounds; the caller keeps others away.
                unsafe {
                    let factor = self.scale.map(|at| S::load(mem.read(at + block * S::LANES, S::LANES).as_ptr()));
                    let mut half = [[S::zero(); 3]; N];
                    for j in 0..3 {
                        let column = std::array::from_fn(|i| {
                            let weight = S::load(kernel[i * 3 + j].as_ptr());
                            factor.map_or(weight, |factor| S::mul(weight, factor))
                        });
                        let column = weight_rows::<S, N>(column);
                        for i in 0..N {
                            half[i][j] = column[i];
                        }
                    }
                    for i in 0..N {
                        let row = weight_rows::<S, N>(half[i]);
                        for j in 0..N {
                            let at = (((i * N + j) * blocks + block) * ins + k) * S::LANES;
                            S::store(mem.write(self.packed + at, S::LANES).as_mut_ptr(), row[j]);
                        }
                    }
                }
            }
        }
    }
}

/// `G x`: one dimension of the weights' transform.
#[inline(always)]
unsafe fn weight_rows<S: Simd, const N: usize>(x: [S::V; 3]) -> [S::V; N] {
    // SAFETY: the caller is compiled for the instruction set.
    unsafe {
        let mut y = [S::zero(); N];
        let ends = S::add(x[0], x[2]);
        if N == 4 {
            let half = S::set(0.5);
            y[0] = x[0];
            y[1] = S::mul(half, S::add(ends, x[1]));
            y[2] = S::mul(half, S::sub(ends, x[1]));
            y[3] = x[2];
        } else {
            let (quarter, sixth, small) = (S::set(0.25), S::set(-1.0 / 6.0), S::set(1.0 / 24.0));
            y[0] = S::mul(quarter, x[0]);
            y[1] = S::mul(sixth, S::add(ends, x[1]));
            y[2] = S::mul(sixth, S::sub(ends, x[1]));
            let (a, b) = (S::fma(S::set(4.0), x[2], x[0]), S::mul(S::set(2.0), x[1]));
            y[3] = S::mul(small, S::add(a, b));
            y[4] = S::mul(small, S::sub(a, b));
            y[5] = x[2];
        }
        y
    }
}
