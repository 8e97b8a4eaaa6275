//! The gradient of packed weights and of a bias.
//!
//! ```text
//! d_weights[k][lane] = sum over pixels: d_out[pixel][lane] * source[pixel * step + offset[k]]
//! ```
//!
//! over the same taps as the forward [`Correlate`]. A tile keeps some taps of some blocks in registers and walks over the
//! pixels. Where the taps are neighbouring channels of one pixel, one address serves all of them. The sum over images is
//! split into chunks by the shapes alone, and the chunks are added in order when the gradient is unpacked, so the result
//! has the same bits for any number of threads.

use super::Simd;
use super::correlate::Correlate;
use super::mem::Mem;
use std::ops::Range;

/// Most taps of a tile whose taps lie anywhere: one accumulator and one address register each.
const FAR_TAPS: usize = 10;
/// Pixels that all tiles walk over before the next ones, so that these stay in the second cache.
const PIXELS: usize = 800;

/// The weight gradient of a correlation. `correlate.out` describes the gradient of the output.
#[derive(Debug, Clone)]
pub struct WeightGrad {
    /// The forward correlation, with the output's gradient for its output.
    pub correlate: Correlate,
    /// For each block, the offset of its gradient relative to `out`.
    pub block_out: Vec<usize>,
    /// Offset of the first chunk's packed gradients.
    pub out: usize,
    /// Elements of one chunk.
    pub chunk_len: usize,
    /// Number of chunks of images.
    pub chunks: usize,
    tiles: Vec<WeightTile>,
}

#[derive(Debug, Clone, Copy)]
struct WeightTile {
    block: usize,
    /// Blocks, which have the same taps and lie at equal distances.
    blocks: usize,
    kernel_row: usize,
    first_tap: usize,
    taps: usize,
    /// Whether the taps are neighbours.
    near: bool,
    /// Taps come in runs of so many, each a pixel behind the one before; see [`Correlate::tap_run`].
    run: usize,
}

impl WeightGrad {
    /// Splits the work on `correlate` into tiles and chunks. Offsets are set by the planner.
    pub fn new(correlate: Correlate, lanes: usize) -> Self {
        let (mut block_out, mut chunk_len) = (Vec::new(), 0);
        for block in &correlate.blocks {
            block_out.push(chunk_len);
            chunk_len += correlate.kernel_rows.len() * block.row_taps * lanes;
        }
        let mut tiles = Vec::new();
        let run = correlate.tap_run(lanes);
        if let ([block], 2..) = (&correlate.blocks[..], run) {
            tiles_of_runs(&correlate, block.row_taps, run, lanes, &mut tiles);
        }
        let mut first = if tiles.is_empty() { 0 } else { 1 };
        while first < correlate.blocks.len() {
            let run = correlate.run_length(first);
            // Three blocks need more registers than AVX2 has.
            let groups = run.div_ceil(if lanes == 16 { 3 } else { 2 });
            for group in 0..groups {
                let (start, end) = (first + run * group / groups, first + run * (group + 1) / groups);
                tiles_of(&correlate, start..end, lanes, &mut tiles);
            }
            first += run;
        }
        // Enough tasks for several threads, in few chunks: each costs a copy of the weights.
        let chunks = 48_usize.div_ceil(tiles.len().max(1)).clamp(1, correlate.extent[0].max(1));
        WeightGrad { correlate, block_out, out: 0, chunk_len, chunks, tiles }
    }

    /// Number of tasks.
    pub fn tasks(&self) -> usize {
        self.chunks * self.tiles.len()
    }

    /// Panics unless every access lies inside `len` elements.
    pub fn check(&self, len: usize, lanes: usize) {
        self.correlate.check(len, lanes);
        Mem::contains(len, self.out as isize..(self.out + self.chunks * self.chunk_len) as isize, "weight gradient");
    }

    /// Computes the tasks `tasks`.
    ///
    /// # Safety
    /// As for [`Correlate::run`]; the outputs of these tasks are parts of the packed gradient.
    #[inline(always)]
    pub unsafe fn run<S: Simd>(&self, mem: Mem<'_>, tasks: Range<usize>) {
        let [images, rows, cols] = self.correlate.extent;
        // Rows are counted over the images.
        let step = (PIXELS / cols.max(1)).max(1);
        let mut next = tasks.start;
        while next < tasks.end {
            let chunk = next / self.tiles.len();
            let end = tasks.end.min((chunk + 1) * self.tiles.len());
            let tiles = &self.tiles[next - chunk * self.tiles.len()..end - chunk * self.tiles.len()];
            let chunk_rows = images * chunk / self.chunks * rows..images * (chunk + 1) / self.chunks * rows;
            for start in chunk_rows.clone().step_by(step) {
                let part = start..chunk_rows.end.min(start + step);
                for tile in tiles {
                    let place = self.block_out[tile.block] + tile.first_tap * S::LANES;
                    let out = mem.address(self.out + chunk * self.chunk_len + place);
                    // SAFETY: the caller's promises.
                    unsafe { self.tile::<S>(mem, part.clone(), tile, out, start == chunk_rows.start) };
                }
            }
            next = end;
        }
    }

    #[inline(always)]
    unsafe fn tile<S: Simd>(&self, mem: Mem<'_>, rows: Range<usize>, tile: &WeightTile, out: *mut f32, first: bool) {
        // SAFETY: passed on from the caller.
        unsafe {
            match (tile.run, tile.taps) {
                (3, 24) if S::LANES == 16 => return self.runs::<S, 3, 8, 1>(mem, rows, tile, out, first),
                (5, 20) if S::LANES == 16 => return self.runs::<S, 5, 4, 1>(mem, rows, tile, out, first),
                (3, 12) => return self.runs::<S, 3, 4, 1>(mem, rows, tile, out, first),
                (5, 10) => return self.runs::<S, 5, 2, 1>(mem, rows, tile, out, first),
                (3, 3) => return self.runs::<S, 3, 1, 2>(mem, rows, tile, out, first),
                (5, 5) if S::LANES == 16 => return self.runs::<S, 5, 1, 2>(mem, rows, tile, out, first),
                (5, 5) => return self.runs::<S, 5, 1, 1>(mem, rows, tile, out, first),
                _ => {}
            }
            match (tile.near, tile.blocks, tile.taps) {
                (true, 1, 16) if S::LANES == 16 => self.near::<S, 1, 16>(mem, rows, tile, out, first),
                (true, 2, 12) if S::LANES == 16 => self.near::<S, 2, 12>(mem, rows, tile, out, first),
                (true, 3, 8) if S::LANES == 16 => self.near::<S, 3, 8>(mem, rows, tile, out, first),
                (true, 2, 8) if S::LANES == 16 => self.near::<S, 2, 8>(mem, rows, tile, out, first),
                (true, 1, 8) => self.near::<S, 1, 8>(mem, rows, tile, out, first),
                (true, 2, 6) => self.near::<S, 2, 6>(mem, rows, tile, out, first),
                (true, 2, 4) => self.near::<S, 2, 4>(mem, rows, tile, out, first),
                (true, _, 4) => self.near::<S, 1, 4>(mem, rows, tile, out, first),
                (_, _, 1) => self.far_of::<S, 1, 4>(mem, rows, tile, out, first),
                (_, _, 2) => self.far_of::<S, 2, 4>(mem, rows, tile, out, first),
                (_, _, 3) => self.far_of::<S, 3, 3>(mem, rows, tile, out, first),
                (_, _, 4) => self.far_of::<S, 4, 2>(mem, rows, tile, out, first),
                (_, _, 5) => self.far_of::<S, 5, 2>(mem, rows, tile, out, first),
                (_, _, 6) => self.far_of::<S, 6, 1>(mem, rows, tile, out, first),
                (_, _, 7) => self.far_of::<S, 7, 1>(mem, rows, tile, out, first),
                (_, _, 8) => self.far_of::<S, 8, 1>(mem, rows, tile, out, first),
                (_, _, 9) => self.far_of::<S, 9, 1>(mem, rows, tile, out, first),
                _ => self.far_of::<S, 10, 1>(mem, rows, tile, out, first),
            }
        }
    }

    /// Source and gradient of the rows of `rows` that the tile's row of the kernel reaches.
    #[inline(always)]
    fn reached<'a>(&'a self, mem: Mem<'a>, rows: Range<usize>, tile: &WeightTile) -> Reached<'a> {
        let c = &self.correlate;
        let block = &c.blocks[tile.block];
        Reached {
            mem,
            correlate: c,
            image: rows.start / c.extent[1],
            row: rows.start % c.extent[1],
            left: rows.len(),
            kernel_row: c.kernel_rows[tile.kernel_row],
            places: [c.source + block.source, c.out + block.out],
        }
    }

    /// Taps that are neighbours, of several blocks.
    #[inline(always)]
    unsafe fn near<S: Simd, const BLOCKS: usize, const TAPS: usize>(
        &self,
        mem: Mem<'_>,
        rows: Range<usize>,
        tile: &WeightTile,
        out: *mut f32,
        first: bool,
    ) {
        let c = &self.correlate;
        let offset = c.taps[c.blocks[tile.block].first_tap + tile.first_tap] as isize;
        let (x_step, d_step) = (c.source_stride[2], c.out_stride[2]);
        let last = tile.block + BLOCKS.min(2) - 1;
        let d_block = c.blocks[last].out - c.blocks[tile.block].out;
        let out_block = self.block_out[last] - self.block_out[tile.block];
        // SAFETY: `check` has bounded every source and gradient address; `out` holds the registers of these taps.
        unsafe {
            let mut sums = [[S::zero(); TAPS]; BLOCKS];
            for [source, grad] in self.reached(mem, rows, tile) {
                let sources = [source.offset(offset), grad];
                products::<S, BLOCKS, TAPS>(&mut sums, sources, [x_step, d_step], d_block, c.extent[2]);
            }
            for (block, sums) in sums.into_iter().enumerate() {
                for (tap, sum) in sums.into_iter().enumerate() {
                    let out = out.add(block * out_block + tap * S::LANES);
                    S::store(out, if first { sum } else { S::add(S::load(out), sum) });
                }
            }
        }
    }

    /// `SETS` runs of `RUN` taps of one block, for `ROWS` rows at a time: as many sums in flight as keep the multipliers busy.
    #[inline(always)]
    unsafe fn runs<S: Simd, const RUN: usize, const SETS: usize, const ROWS: usize>(
        &self,
        mem: Mem<'_>,
        rows: Range<usize>,
        tile: &WeightTile,
        out: *mut f32,
        first: bool,
    ) {
        let c = &self.correlate;
        let taps = &c.taps[c.blocks[tile.block].first_tap + tile.first_tap..];
        let mut offsets = [0; SETS];
        for set in 0..SETS {
            offsets[set] = taps[set * RUN] as isize;
        }
        let (steps, cols) = ([c.source_stride[2], c.out_stride[2]], c.extent[2]);
        // SAFETY: `check` has bounded every source and gradient address; `out` holds the registers of these taps.
        unsafe {
            let mut sums = [[[S::zero(); RUN]; SETS]; ROWS];
            let mut reached = self.reached(mem, rows, tile);
            while let Some(row) = reached.next() {
                let mut places = [row; ROWS];
                let mut found = 1;
                while let Some(row) = if found < ROWS { reached.next() } else { None } {
                    places[found] = row;
                    found += 1;
                }
                if found == ROWS {
                    products_of_runs::<S, RUN, SETS, ROWS>(&mut sums, places, offsets, steps, cols);
                } else {
                    let mut one = [sums[0]];
                    products_of_runs::<S, RUN, SETS, 1>(&mut one, [places[0]], offsets, steps, cols);
                    sums[0] = one[0];
                }
            }
            for set in 0..SETS {
                for tap in 0..RUN {
                    let mut sum = sums[0][set][tap];
                    for row in 1..ROWS {
                        sum = S::add(sum, sums[row][set][tap]);
                    }
                    let out = out.add((set * RUN + tap) * S::LANES);
                    S::store(out, if first { sum } else { S::add(S::load(out), sum) });
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn far_of<S: Simd, const TAPS: usize, const PIXELS: usize>(
        &self,
        mem: Mem<'_>,
        rows: Range<usize>,
        tile: &WeightTile,
        out: *mut f32,
        first: bool,
    ) {
        // SAFETY: passed on from the caller; a depthwise layer's taps are registers of channels.
        unsafe {
            match self.correlate.depthwise {
                true => self.far::<S, TAPS, PIXELS>(mem, rows, tile, out, first, |p| S::load(p)),
                false => self.far::<S, TAPS, PIXELS>(mem, rows, tile, out, first, |p| S::splat(p)),
            }
        }
    }

    /// Taps that lie anywhere, of one block, which `read` reads. Several pixels at a time keep enough sums in flight where taps are few.
    #[inline(always)]
    unsafe fn far<S: Simd, const TAPS: usize, const PIXELS: usize>(
        &self,
        mem: Mem<'_>,
        rows: Range<usize>,
        tile: &WeightTile,
        out: *mut f32,
        first: bool,
        read: impl Fn(*const f32) -> S::V,
    ) {
        let c = &self.correlate;
        let offsets = &c.taps[c.blocks[tile.block].first_tap + tile.first_tap..][..TAPS];
        let (x_step, d_step) = (c.source_stride[2], c.out_stride[2]);
        // SAFETY: as for `near`.
        unsafe {
            let mut sums = [[S::zero(); TAPS]; PIXELS];
            for [source, mut grad] in self.reached(mem, rows, tile) {
                let sources: [*const f32; TAPS] = std::array::from_fn(|t| source.offset(offsets[t] as isize));
                let mut at = 0;
                for _ in 0..c.extent[2] / PIXELS {
                    for pixel in 0..PIXELS {
                        let d = S::load(grad);
                        for t in 0..TAPS {
                            sums[pixel][t] = S::fma(d, read(sources[t].add(at)), sums[pixel][t]);
                        }
                        grad = grad.wrapping_add(d_step);
                        at += x_step;
                    }
                }
                for _ in 0..c.extent[2] % PIXELS {
                    let d = S::load(grad);
                    for t in 0..TAPS {
                        sums[0][t] = S::fma(d, read(sources[t].add(at)), sums[0][t]);
                    }
                    grad = grad.wrapping_add(d_step);
                    at += x_step;
                }
            }
            for t in 0..TAPS {
                let mut sum = sums[0][t];
                for more in &sums[1..] {
                    sum = S::add(sum, more[t]);
                }
                let out = out.add(t * S::LANES);
                S::store(out, if first { sum } else { S::add(S::load(out), sum) });
            }
        }
    }
}

/// An iterator by hand, since the closures of a chain are called, not inlined, where the instruction set is switched on.
struct Reached<'a> {
    mem: Mem<'a>,
    correlate: &'a Correlate,
    image: usize,
    row: usize,
    /// Rows to come.
    left: usize,
    /// The source's row for output row 0.
    kernel_row: isize,
    /// The first row of source and gradient.
    places: [usize; 2],
}

impl Iterator for Reached<'_> {
    type Item = [*const f32; 2];

    #[inline(always)]
    fn next(&mut self) -> Option<[*const f32; 2]> {
        let c = self.correlate;
        while self.left > 0 {
            let (n, y) = (self.image, self.row);
            self.left -= 1;
            self.row += 1;
            if self.row == c.extent[1] {
                (self.image, self.row) = (n + 1, 0);
            }
            // A row above the source is a large number, too.
            if ((y * c.row_step) as isize + self.kernel_row) as usize >= c.source_rows {
                continue;
            }
            let source = self.places[0] + n * c.source_stride[0] + y * c.source_stride[1];
            let grad = self.places[1] + n * c.out_stride[0] + y * c.out_stride[1];
            return Some([self.mem.address(source).cast_const(), self.mem.address(grad).cast_const()]);
        }
        None
    }
}

/// Adds to `sums` the products of `len` pixels: of the register at the second address of each block, `d_block` apart, with
/// each of `TAPS` neighbouring numbers at the first. Both addresses move on by `steps` a pixel.
///
/// # Safety
/// The instruction set of `S` is switched on in the caller, and all of that is readable.
#[inline(always)]
pub unsafe fn products<S: Simd, const BLOCKS: usize, const TAPS: usize>(
    sums: &mut [[S::V; TAPS]; BLOCKS],
    [mut source, mut grad]: [*const f32; 2],
    steps: [usize; 2],
    d_block: usize,
    len: usize,
) {
    // SAFETY: the caller's promises.
    unsafe {
        for _ in 0..len {
            let mut d = [S::zero(); BLOCKS];
            for block in 0..BLOCKS {
                d[block] = S::load(grad.add(block * d_block));
            }
            for tap in 0..TAPS {
                let x = S::splat(source.add(tap));
                for block in 0..BLOCKS {
                    sums[block][tap] = S::fma(d[block], x, sums[block][tap]);
                }
            }
            source = source.wrapping_add(steps[0]);
            grad = grad.wrapping_add(steps[1]);
        }
    }
}

/// Adds to `sums` the products of `cols` pixels of some rows, each with a source and a gradient. The gradients of the last
/// `RUN` pixels are in registers, so that a pixel of the source is read once for all taps of a run.
///
/// # Safety
/// The instruction set of `S` is switched on in the caller, and all of that is readable.
#[inline(always)]
unsafe fn products_of_runs<S: Simd, const RUN: usize, const SETS: usize, const ROWS: usize>(
    sums: &mut [[[S::V; RUN]; SETS]; ROWS],
    rows: [[*const f32; 2]; ROWS],
    offsets: [isize; SETS],
    [x_step, d_step]: [usize; 2],
    cols: usize,
) {
    // SAFETY: the caller's promises.
    unsafe {
        // In front of each pixel, the gradient `tap + 1` pixels before it.
        let mut recent = [[S::zero(); RUN]; ROWS];
        let mut x = 0;
        while x + RUN <= cols {
            for ahead in 0..RUN {
                for row in 0..ROWS {
                    let [source, grad] = rows[row];
                    // The oldest one is not needed any more.
                    recent[row][RUN - 1 - ahead] = S::load(grad.wrapping_add((x + ahead) * d_step));
                    for set in 0..SETS {
                        let at = source.wrapping_offset(offsets[set]).wrapping_add((x + ahead) * x_step);
                        let pixel = S::splat(at);
                        for tap in 0..RUN {
                            let place = (2 * RUN - 1 - ahead + tap) % RUN;
                            sums[row][set][tap] = S::fma(recent[row][place], pixel, sums[row][set][tap]);
                        }
                    }
                }
            }
            x += RUN;
        }
        while x < cols + RUN - 1 {
            for row in 0..ROWS {
                let [source, grad] = rows[row];
                for tap in (1..RUN).rev() {
                    recent[row][tap] = recent[row][tap - 1];
                }
                recent[row][0] = if x < cols { S::load(grad.wrapping_add(x * d_step)) } else { S::zero() };
                for set in 0..SETS {
                    let pixel = S::splat(source.wrapping_offset(offsets[set]).wrapping_add(x * x_step));
                    for tap in 0..RUN {
                        sums[row][set][tap] = S::fma(recent[row][tap], pixel, sums[row][set][tap]);
                    }
                }
            }
            x += 1;
        }
    }
}

/// The tiles of a single block whose taps come in runs: as many runs at a time as the registers hold sums.
fn tiles_of_runs(correlate: &Correlate, row_taps: usize, run: usize, lanes: usize, tiles: &mut Vec<WeightTile>) {
    let sets: &[usize] = match (run, lanes) {
        (3, 16) => &[8, 4, 1],
        (3, _) => &[4, 1],
        (_, 16) => &[4, 2, 1],
        _ => &[2, 1],
    };
    for kernel_row in 0..correlate.kernel_rows.len() {
        let mut at = 0;
        while at < row_taps {
            let taps = sets.iter().map(|sets| sets * run).find(|taps| at + taps <= row_taps).unwrap_or(run);
            let first_tap = kernel_row * row_taps + at;
            tiles.push(WeightTile { block: 0, blocks: 1, kernel_row, first_tap, taps, near: false, run });
            at += taps;
        }
    }
}

/// The tiles of some alike blocks: taps that are neighbours by the eight or four for all blocks at once, the others for each
/// block by itself.
fn tiles_of(correlate: &Correlate, blocks: Range<usize>, lanes: usize, tiles: &mut Vec<WeightTile>) {
    let block = &correlate.blocks[blocks.start];
    // As many sums as keep two multipliers busy: up to 24 with AVX-512, 12 with AVX2.
    let (wanted, more) = match (lanes, blocks.len()) {
        (16, 1) => (8, 16),
        (16, 2) => (8, 12),
        (_, 1) | (16, _) => (8, 8),
        _ => (4, 6),
    };
    for kernel_row in 0..correlate.kernel_rows.len() {
        let first = kernel_row * block.row_taps;
        let taps = &correlate.taps[block.first_tap + first..][..block.row_taps];
        let mut at = 0;
        while at < taps.len() {
            let run = 1 + (at + 1..taps.len()).take_while(|i| taps[*i] == taps[i - 1] + 1).count();
            if run >= wanted {
                let taps = if run.is_multiple_of(more) { more } else { wanted };
                let (block, blocks, first_tap) = (blocks.start, blocks.len(), first + at);
                tiles.push(WeightTile { block, blocks, kernel_row, first_tap, taps, near: true, run: 1 });
                at += taps;
                continue;
            }
            // Up to where the next long run starts.
            let starts_run =
                |i: &usize| (1..wanted).all(|j| taps.get(i + j).is_some_and(|tap| *tap == taps[*i] + j as i32));
            let end = (at + 1..taps.len()).find(starts_run).unwrap_or(taps.len());
            let parts = (end - at).div_ceil(FAR_TAPS);
            for part in 0..parts {
                let (from, to) = (at + (end - at) * part / parts, at + (end - at) * (part + 1) / parts);
                for block in blocks.clone() {
                    let (first_tap, taps) = (first + from, to - from);
                    tiles.push(WeightTile { block, blocks: 1, kernel_row, first_tap, taps, near: false, run: 1 });
                }
            }
            at = end;
        }
    }
}

/// The gradient of a bias: the sum of the output's gradient over images and pixels, by block of channels.
#[derive(Debug, Clone)]
pub struct BiasGrad {
    /// Extent of the output's gradient: images, rows, pixels.
    pub extent: [usize; 3],
    /// Offset of each block's first pixel.
    pub blocks: Vec<usize>,
    /// Stride between images, rows and pixels.
    pub stride: [usize; 3],
    /// Channels.
    pub channels: usize,
    /// Offset of the result `[channels]`.
    pub out: usize,
}

impl BiasGrad {
    /// Number of tasks.
    pub fn tasks(&self) -> usize {
        self.blocks.len()
    }

    /// Computes the tasks `tasks`.
    ///
    /// # Safety
    /// Nobody else touches the results of these blocks, and nobody writes to the gradient.
    #[inline(always)]
    pub unsafe fn run<S: Simd>(&self, mem: Mem<'_>, tasks: Range<usize>) {
        for block in tasks {
            let lanes = S::LANES.min(self.channels - block * S::LANES);
            // SAFETY: the caller's promises; `read` and `write` check the bounds.
            let out = unsafe { mem.write(self.out + block * S::LANES, lanes) };
            // Sums of a row in registers, of the rows in double precision: a batch has many small terms.
            let mut total = [0.0_f64; 16];
            for n in 0..self.extent[0] {
                for y in 0..self.extent[1] {
                    let row = self.blocks[block] + n * self.stride[0] + y * self.stride[1];
                    let mut sum = [0.0_f32; 16];
                    for x in 0..self.extent[2] {
                        // SAFETY: as above.
                        let pixel = unsafe { mem.read(row + x * self.stride[2], S::LANES) };
                        for lane in 0..S::LANES {
                            sum[lane] += pixel[lane];
                        }
                    }
                    for lane in 0..S::LANES {
                        total[lane] += f64::from(sum[lane]);
                    }
                }
            }
            for lane in 0..lanes {
                out[lane] = total[lane] as f32;
            }
        }
    }
}
