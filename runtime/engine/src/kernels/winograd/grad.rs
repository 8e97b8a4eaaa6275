//! The gradient of a 3x3 kernel by Winograd's minimal filtering: the transpose of the convolution's.
//!
//! ```text
//! V[position][channel block][tile][lane]          from the input, as for the convolution
//! D[position][output block][tile][lane]           = A d_out A^T, from the output's gradient
//! dU[position][output block][channel][lane]       = sum over tiles: V * D
//! d_weight                                        = G^T dU G
//! ```
//!
//! With tiles of 4 pixels these are 4 times fewer multiplications than the direct way. V and D are made for as many tiles
//! as a shared cache can be expected to hold, a *round*; sums go on from round to round, in order.

use super::transforms::{Patches, grad_rows, kernel_rows};
use crate::kernels::mem::{Bindings, Mem};
use crate::kernels::share::{Share, StepKernel};
use crate::kernels::weight_tile::products;
use crate::kernels::work::work;
use crate::kernels::{Isa, Simd};
use crate::layout::Layout;
use std::ops::Range;

const TILE: usize = 4;
const POSITIONS: usize = 36;
/// Numbers of V and D in a round, roughly. Smaller rounds were slower, though a second cache holds them: the transforms
/// wait for memory, and more of it is asked for at once in long stages.
const ROUND: usize = 1 << 22;
/// Tiles of V and D that stay in the first cache while all sums go over them.
const NEAR_TILES: usize = 128;
/// Channels of a task.
const PART: usize = 32;
/// Tiles of a task that transforms.
const CHUNK: usize = 14;

/// One round of the gradient.
#[derive(Debug, Clone, Copy)]
pub struct WinogradGrad {
    patches: Patches,
    input: Layout,
    d_out: Layout,
    /// Index of the parameter, `[O, C, 3, 3]`.
    param: usize,
    /// Tiles of the whole batch.
    tiles: usize,
    /// Number of rounds.
    pub rounds: usize,
    /// This round.
    pub round: usize,
    /// Offset of V, which D follows, which the sums over rounds follow.
    pub place: usize,
}

impl WinogradGrad {
    /// The first round for a convolution from `input` to the output with gradient `d_out`; its place is set by the planner.
    pub fn new(batch: usize, input: Layout, d_out: Layout, pad: [isize; 2], param: usize) -> Self {
        let patches = Patches::new(TILE, input, d_out.chw, pad);
        let tiles = batch * patches.tiles();
        let numbers = tiles * POSITIONS * (input.blocks() + d_out.blocks()) * d_out.block;
        let sums = POSITIONS * input.chw[0] * d_out.blocks() * d_out.block;
        // Every round but the first reads and writes all sums.
        let wanted = ROUND.max(2 * sums);
        let rounds = ((numbers + wanted / 2) / wanted).max(1);
        WinogradGrad { patches, input, d_out, param, tiles, rounds, round: 0, place: 0 }
    }

    /// The tiles of this round.
    fn range(&self) -> Range<usize> {
        self.tiles * self.round / self.rounds..self.tiles * (self.round + 1) / self.rounds
    }

    /// Distances in V and D of two positions, and of two blocks.
    fn steps(&self, layout: &Layout) -> [usize; 2] {
        let tiles = self.tiles.div_ceil(self.rounds);
        [((layout.blocks() * tiles) | 1) * layout.block, tiles * layout.block]
    }

    /// Channels of the input, in whole parts of a block that is computed at once.
    fn channels(&self) -> usize {
        self.input.blocks() * self.input.block
    }

    fn sums_len(&self) -> usize {
        POSITIONS * self.d_out.blocks() * self.channels() * self.d_out.block
    }

    /// Numbers that the rounds need.
    pub fn len(&self) -> usize {
        let transformed = POSITIONS * (self.steps(&self.input)[0] + self.steps(&self.d_out)[0]);
        transformed + if self.rounds > 1 { self.sums_len() } else { 0 }
    }

    /// Number of tasks that transform.
    fn transform_tasks(&self) -> usize {
        self.range().len().div_ceil(CHUNK)
    }

    /// Transforms input and gradient of the tiles of `tasks`.
    ///
    /// # Safety
    /// The instruction set of `S` is there, [`WinogradGrad::check`] has passed for the memory's length, nobody else touches
    /// the transformed tiles, and nobody writes to input and gradient.
    #[inline(always)]
    unsafe fn transform<S: Simd>(&self, mem: Mem<'_>, tasks: Range<usize>) {
        let all = self.range();
        for task in tasks {
            let tiles = all.start + task * CHUNK..all.end.min(all.start + (task + 1) * CHUNK);
            let at = (tiles.start - all.start) * S::LANES;
            let (v_steps, d_steps) = (self.steps(&self.input), self.steps(&self.d_out));
            // SAFETY: passed on from the caller.
            unsafe {
                self.patches.transform::<S, 6>(mem, mem.address(self.place + at), v_steps, tiles.clone());
                let d = mem.address(self.place + POSITIONS * v_steps[0] + at);
                for block in 0..self.d_out.blocks() {
                    for (i, tile) in tiles.clone().enumerate() {
                        self.transform_grad::<S>(mem, block, tile, d.add(block * d_steps[1] + i * S::LANES));
                    }
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn transform_grad<S: Simd>(&self, mem: Mem<'_>, block: usize, tile: usize, d: *mut f32) {
        let [_, height, width] = self.d_out.chw;
        let [n, y, x] = self.patches.place(tile);
        let step = self.steps(&self.d_out)[0];
        let (rows, cols) = ((height - y).min(TILE), (width - x).min(TILE));
        let row = (n * self.d_out.blocks() + block) * height + y;
        let start = self.d_out.row_at(row) + x * S::LANES;
        // SAFETY: only pixels of the map are read; the caller's promises for D.
        unsafe {
            let mut half = [[S::zero(); TILE]; 6];
            for j in 0..cols {
                let column = std::array::from_fn(|i| match i < rows {
                    true => S::load(mem.address(start + i * self.d_out.row() + j * S::LANES)),
                    false => S::zero(),
                });
                for (half, value) in half.iter_mut().zip(grad_rows::<S>(column)) {
                    half[j] = value;
                }
            }
            for (i, half) in half.into_iter().enumerate() {
                for (j, value) in grad_rows::<S>(half).into_iter().enumerate() {
                    S::store(d.add((i * 6 + j) * step), value);
                }
            }
        }
    }

    /// Output blocks that are computed at once: as many sums as the registers hold.
    fn group(&self) -> usize {
        let most = if self.d_out.block == 16 { 3 } else { 2 };
        self.d_out.blocks().div_ceil(self.d_out.blocks().div_ceil(most))
    }

    fn groups(&self) -> usize {
        self.d_out.blocks().div_ceil(self.group())
    }

    fn parts(&self) -> usize {
        self.channels().div_ceil(PART)
    }

    /// Numbers that a thread needs for itself.
    fn scratch(&self) -> usize {
        POSITIONS * self.group() * PART * self.d_out.block
    }

    #[inline(always)]
    unsafe fn multiply<S: Simd, const BLOCKS: usize, const CHANNELS: usize>(
        &self,
        mem: Mem<'_>,
        sums: *mut f32,
        steps: [usize; 2],
        first: usize,
        channels: Range<usize>,
    ) {
        let (v_steps, d_steps) = (self.steps(&self.input), self.steps(&self.d_out));
        let tiles = self.range().len();
        for position in 0..POSITIONS {
            let v = self.place + position * v_steps[0];
            let d = self.place + POSITIONS * v_steps[0] + position * d_steps[0] + first * d_steps[1];
            for start in (0..tiles).step_by(NEAR_TILES) {
                let len = NEAR_TILES.min(tiles - start);
                for channel in channels.clone().step_by(CHANNELS).take_while(|channel| *channel < self.input.chw[0]) {
                    let v = v + channel / S::LANES * v_steps[1] + channel % S::LANES + start * S::LANES;
                    let place = sums.wrapping_add(position * steps[0] + (channel - channels.start) * S::LANES);
                    // SAFETY: `check` has bounded V, D and sums; the caller vouches for who touches them.
                    unsafe {
                        let at = |block: usize, c: usize| place.wrapping_add(block * steps[1] + c * S::LANES);
                        let mut held = [[S::zero(); CHANNELS]; BLOCKS];
                        if self.round + start > 0 {
                            held = std::array::from_fn(|block| std::array::from_fn(|c| S::load(at(block, c))));
                        }
                        let sources = [mem.address(v).cast_const(), mem.address(d + start * S::LANES).cast_const()];
                        products::<S, BLOCKS, CHANNELS>(&mut held, sources, [S::LANES; 2], d_steps[1], len);
                        for (block, held) in held.into_iter().enumerate() {
                            for (c, sum) in held.into_iter().enumerate() {
                                S::store(at(block, c), sum);
                            }
                        }
                    }
                }
            }
        }
    }

    /// Adds `G^T dU G` to the parameter's gradient.
    #[inline(always)]
    unsafe fn finish<S: Simd>(
        &self,
        bindings: Bindings<'_>,
        sums: *mut f32,
        steps: [usize; 2],
        outs: Range<usize>,
        channels: Range<usize>,
    ) {
        let Some(grad) = bindings.grads[self.param] else { return };
        let ([all_outs, ..], ins) = (self.d_out.chw, self.input.chw[0]);
        let end = channels.end.min(ins);
        for (index, block) in outs.enumerate() {
            // Some channels at a time, so that the parameter is written in runs.
            for start in (channels.start..end).step_by(8) {
                let mut kernels = [[0.0_f32; 16]; 72];
                let count = 8.min(end - start);
                for c in 0..count {
                    let at = sums.wrapping_add(index * steps[1] + (start + c - channels.start) * S::LANES);
                    // SAFETY: the sums of this task.
                    unsafe {
                        let mut half = [[S::zero(); 6]; 3];
                        for j in 0..6 {
                            let column = std::array::from_fn(|i| S::load(at.wrapping_add((i * 6 + j) * steps[0])));
                            for (half, value) in half.iter_mut().zip(kernel_rows::<S>(column)) {
                                half[j] = value;
                            }
                        }
                        for (i, half) in half.into_iter().enumerate() {
                            for (j, value) in kernel_rows::<S>(half).into_iter().enumerate() {
                                S::store(kernels[c * 9 + i * 3 + j].as_mut_ptr(), value);
                            }
                        }
                    }
                }
                for lane in 0..S::LANES.min(all_outs - block * S::LANES) {
                    // SAFETY: `write` checks the bounds; these kernels are this task's.
                    let run = unsafe { grad.write(((block * S::LANES + lane) * ins + start) * 9, count * 9) };
                    run.iter_mut().zip(&kernels).for_each(|(sum, kernel)| *sum += kernel[lane]);
                }
            }
        }
    }
}

impl StepKernel for WinogradGrad {
    const NAME: &'static str = "winograd grad";

    /// Number of tasks that multiply.
    fn tasks(&self, _lanes: usize) -> usize {
        self.groups() * self.parts()
    }

    /// Panics unless every access lies inside `len` elements.
    fn check(&self, len: usize, lanes: usize) {
        assert!(self.input.block == lanes && self.d_out.block == lanes, "engine: a transformed map is in blocks");
        let batch = self.tiles / self.patches.tiles();
        for (at, n, what) in [
            (self.input.at, batch * self.input.image(), "input"),
            (self.d_out.at, batch * self.d_out.image(), "gradient"),
            (self.place, self.len(), "transformed"),
        ] {
            Mem::contains(len, at as isize..(at + n) as isize, what);
        }
    }

    /// Multiplications with addition of the direct way, so that speeds can be compared.
    fn multiply_adds(&self, _lanes: usize) -> u64 {
        let [outs, height, width] = self.d_out.chw;
        let pixels = self.tiles / self.patches.tiles() * height * width;
        work([outs, self.input.chw[0], 9, pixels]) / self.rounds as u64
    }

    /// Its sizes, for a profile.
    fn sizes(&self) -> String {
        let [outs, height, width] = self.d_out.chw;
        format!("{height}x{width} {} to {outs} channels", self.input.chw[0])
    }

    fn arrange(&mut self, _isa: Isa, _threads: usize) -> usize {
        self.scratch()
    }

    /// Multiplies, and in the last round adds the result to the parameter's gradient.
    ///
    /// # Safety
    /// As for [`WinogradGrad::transform`], whose results nobody writes to; the sums and gradients of these tasks are the
    /// caller's, and so is `scratch`, as long as [`WinogradGrad::scratch`] says.
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, Share { mem, bindings, scratch, tasks }: Share<'_, '_>) {
        let blocks = self.d_out.blocks();
        for task in tasks {
            let (group, part) = (task / self.parts(), task % self.parts());
            let outs = blocks * group / self.groups()..blocks * (group + 1) / self.groups();
            let channels = part * PART..self.channels().min((part + 1) * PART);
            // Distances of sums of two positions and of two blocks; channels are a register apart.
            let (sums, steps) = match self.rounds {
                1 => (scratch.address(0), [self.group() * PART * S::LANES, PART * S::LANES]),
                _ => {
                    let [v_step, d_step] = [self.input, self.d_out].map(|layout| self.steps(&layout)[0]);
                    let block = self.channels() * S::LANES;
                    let start = self.place + POSITIONS * (v_step + d_step) + outs.start * block;
                    (mem.address(start + channels.start * S::LANES), [blocks * block, block])
                }
            };
            // SAFETY: passed on from the caller; sums of this task do not meet those of others.
            unsafe {
                // As many sums as the registers hold.
                match (outs.len(), S::LANES) {
                    (1, 16) => self.multiply::<S, 1, 8>(mem, sums, steps, outs.start, channels.clone()),
                    (2, 16) => self.multiply::<S, 2, 8>(mem, sums, steps, outs.start, channels.clone()),
                    (_, 16) => self.multiply::<S, 3, 8>(mem, sums, steps, outs.start, channels.clone()),
                    (1, _) => self.multiply::<S, 1, 4>(mem, sums, steps, outs.start, channels.clone()),
                    _ => self.multiply::<S, 2, 4>(mem, sums, steps, outs.start, channels.clone()),
                }
                if self.round + 1 == self.rounds {
                    self.finish::<S>(bindings, sums, steps, outs, channels);
                }
            }
        }
    }
}

/// Transforms the input and the output's gradient of a round of tiles.
#[derive(Debug, Clone, Copy)]
pub struct WinogradTiles(pub WinogradGrad);

impl StepKernel for WinogradTiles {
    const NAME: &'static str = "winograd tiles";

    fn tasks(&self, _lanes: usize) -> usize {
        self.0.transform_tasks()
    }

    fn check(&self, len: usize, lanes: usize) {
        self.0.check(len, lanes);
    }

    fn sizes(&self) -> String {
        self.0.sizes()
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, share: Share<'_, '_>) {
        // SAFETY: passed on from the caller.
        unsafe { self.0.transform::<S>(share.mem, share.tasks) }
    }
}
