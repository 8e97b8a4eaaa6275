//! Winograd's transforms: of patches of a map, and the one-dimensional ones that all are made of.

use crate::kernels::Simd;
use crate::kernels::mem::Mem;
use crate::layout::Layout;
use std::ops::Range;

/// The patches of a map that the tiles of a convolution's output come from.
#[derive(Debug, Clone, Copy)]
pub struct Patches {
    map: Layout,
    pad: [isize; 2],
    tile: usize,
    /// Tiles of an image, by row and column.
    grid: [usize; 2],
}

impl Patches {
    /// For output maps `out` (`[C, H, W]`) in tiles of `tile` pixels.
    pub fn new(tile: usize, map: Layout, out: [usize; 3], pad: [isize; 2]) -> Self {
        Patches { map, pad, tile, grid: [1, 2].map(|i| out[i].div_ceil(tile)) }
    }

    /// Tiles of an image.
    pub fn tiles(&self) -> usize {
        self.grid[0] * self.grid[1]
    }

    /// Image, row and column of a tile's first output pixel.
    #[inline(always)]
    pub fn place(&self, tile: usize) -> [usize; 3] {
        let [rows, cols] = self.grid;
        [tile / (rows * cols), tile / cols % rows * self.tile, tile % cols * self.tile]
    }

    /// Transforms the patches of `tiles`, of all blocks of channels, to `to`, where positions and blocks lie `steps` apart.
    ///
    /// # Safety
    /// The instruction set of `S` is there, the map is in bounds and not written to, and what is written is the caller's.
    #[inline(always)]
    pub unsafe fn transform<S: Simd, const N: usize>(
        &self,
        mem: Mem<'_>,
        to: *mut f32,
        steps: [usize; 2],
        tiles: Range<usize>,
    ) {
        let [_, height, width] = self.map.chw;
        let [before, after] = self.map.halo.map(|pixels| pixels as isize);
        let first = tiles.start;
        let zeros = [[0.0_f32; 16]; N];
        let mut patch = [zeros; N];
        for tile in tiles {
            let [n, y, x] = self.place(tile);
            let (top, left) = (y as isize - self.pad[0], x as isize - self.pad[1]);
            let end = |start: isize, size: usize| (size as isize - start).clamp(0, N as isize) as usize;
            let rows = (-top).clamp(0, N as isize) as usize..end(top, height);
            // The halo is as good as the map: it holds the zeros that are wanted.
            let cols = (-left - before).clamp(0, N as isize) as usize..end(left, width + after as usize);
            let start = self.map.row_at(n * self.map.blocks() * height) as isize
                + top * self.map.row() as isize
                + left * S::LANES as isize;
            let whole = cols == (0..N);
            for block in 0..self.map.blocks() {
                let v = to.wrapping_add(block * steps[1] + (tile - first) * S::LANES);
                let source = (start + (block * self.map.plane()) as isize) as usize;
                let mut lines = [zeros.as_ptr().cast::<f32>(); N];
                // SAFETY: the map is in bounds, and only rows and columns that are there are read; V is the caller's. Zeros
                // have as many numbers as a line of the widest registers.
                unsafe {
                    for i in 0..N {
                        if !rows.contains(&i) {
                            continue;
                        }
                        let line = mem.address(source.wrapping_add(i * self.map.row()));
                        if whole {
                            lines[i] = line;
                            continue;
                        }
                        patch[i] = zeros;
                        let copy = patch[i].as_mut_ptr().cast::<f32>();
                        for j in cols.clone() {
                            S::store(copy.add(j * S::LANES), S::load(line.add(j * S::LANES)));
                        }
                        lines[i] = copy;
                    }
                    transform_patch::<S, N>(lines, v, steps[0]);
                }
            }
        }
    }
}

/// `B^T d B` of a patch, given its rows.
#[inline(always)]
unsafe fn transform_patch<S: Simd, const N: usize>(rows: [*const f32; N], v: *mut f32, step: usize) {
    // SAFETY: passed on from the caller.
    unsafe {
        let mut half = [[S::zero(); N]; N];
        for j in 0..N {
            let mut column = [S::zero(); N];
            for i in 0..N {
                column[i] = S::load(rows[i].add(j * S::LANES));
            }
            let column = input_rows::<S, N>(column);
            for i in 0..N {
                half[i][j] = column[i];
            }
        }
        for i in 0..N {
            let row = input_rows::<S, N>(half[i]);
            for j in 0..N {
                S::store(v.wrapping_add((i * N + j) * step), row[j]);
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
pub unsafe fn output_rows<S: Simd, const N: usize>(x: [S::V; N]) -> [S::V; N] {
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

/// `G x`: one dimension of the weights' transform.
#[inline(always)]
pub unsafe fn weight_rows<S: Simd, const N: usize>(x: [S::V; 3]) -> [S::V; N] {
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

/// `A x`: one dimension of the transform of an output's gradient.
#[inline(always)]
pub unsafe fn grad_rows<S: Simd>(x: [S::V; 4]) -> [S::V; 6] {
    // SAFETY: the caller is compiled for the instruction set.
    unsafe {
        let (four, eight) = (S::set(4.0), S::set(8.0));
        let (even, odd) = (S::add(x[0], x[2]), S::add(x[1], x[3]));
        let (even_2, odd_2) = (S::fma(four, x[2], x[0]), S::fma(eight, x[3], S::add(x[1], x[1])));
        [x[0], S::add(even, odd), S::sub(even, odd), S::add(even_2, odd_2), S::sub(even_2, odd_2), x[3]]
    }
}

/// `G^T x`: one dimension of the way back from transformed weights.
#[inline(always)]
pub unsafe fn kernel_rows<S: Simd>(x: [S::V; 6]) -> [S::V; 3] {
    // SAFETY: the caller is compiled for the instruction set.
    unsafe {
        let (quarter, sixth) = (S::set(0.25), S::set(1.0 / 6.0));
        let (small, twelfth) = (S::set(1.0 / 24.0), S::set(1.0 / 12.0));
        let near = S::mul(sixth, S::add(x[1], x[2]));
        let far = S::add(x[3], x[4]);
        [
            S::sub(S::fma(quarter, x[0], S::mul(small, far)), near),
            S::fma(twelfth, S::sub(x[3], x[4]), S::mul(sixth, S::sub(x[2], x[1]))),
            S::sub(S::fma(sixth, far, x[5]), near),
        ]
    }
}
