//! Where the elements of a batch lie in the arena.
//!
//! Channels are stored in blocks of as many as a vector register has lanes, innermost: `[N][C / block][H][W][block]`, so
//! that a kernel loads and stores one pixel of a block at once and never shuffles. A `block` of 1 is the plain
//! `[N, C, H, W]` of the outside world. Rows carry a *halo* of zero pixels at both ends, as wide as the padding of the
//! convolutions that read them; rows above and below the map need none, since kernels skip the taps that fall there.

use std::ops::Range;

/// The layout of a batch of `[C, H, W]` maps at an offset in the arena. All strides are in elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Offset of the first element.
    pub at: usize,
    /// `[C, H, W]`
    pub chw: [usize; 3],
    /// Channels per block.
    pub block: usize,
    /// Zero pixels before and after each row.
    pub halo: [usize; 2],
}

/// Whether work on maps of `height` lines is shared out line by line, with all channels of each. So it is for one image with lines enough: then
/// a thread has the same lines from step to step, and finds in its own cache what it has written; of channels, each step reads those of all
/// threads.
pub fn by_lines(batch: usize, height: usize) -> bool {
    const LINES: usize = 14;
    batch == 1 && height >= LINES
}

impl Layout {
    /// `[N, C, H, W]` row-major, as dfdx and PyTorch store it.
    pub fn planar(chw: [usize; 3]) -> Self {
        Layout { at: 0, chw, block: 1, halo: [0, 0] }
    }

    /// Channels in blocks of `block`, without a halo.
    pub fn blocked(chw: [usize; 3], block: usize) -> Self {
        Layout { at: 0, chw, block, halo: [0, 0] }
    }

    /// The same at another offset.
    pub fn at(self, at: usize) -> Self {
        Layout { at, ..self }
    }

    /// Number of channel blocks.
    pub fn blocks(&self) -> usize {
        self.chw[0].div_ceil(self.block)
    }

    /// Stride between rows.
    pub fn row(&self) -> usize {
        (self.chw[2] + self.halo[0] + self.halo[1]) * self.block
    }

    /// Stride between blocks of channels.
    pub fn plane(&self) -> usize {
        self.chw[1] * self.row()
    }

    /// Stride between images.
    pub fn image(&self) -> usize {
        self.blocks() * self.plane()
    }

    /// Number of rows in `batch` images: the unit in which work is shared out.
    pub fn rows(&self, batch: usize) -> usize {
        batch * self.blocks() * self.chw[1]
    }

    /// The rows of a share of tasks, where each row is a task. Where [`by_lines`] says so, tasks are counted line by line, and the rows of a share
    /// come block by block, as they lie in memory.
    pub fn rows_of(self, tasks: Range<usize>, batch: usize) -> impl Iterator<Item = usize> {
        let (blocks, height) = (self.blocks(), self.chw[1]);
        let is_by_lines = by_lines(batch, height);
        let blocks_of_lines = if is_by_lines { 0..blocks } else { 0..1 };
        blocks_of_lines.flat_map(move |block| {
            // The first line whose task for this block is not before `task`.
            let line = |task: usize| (task + blocks - 1 - block) / blocks;
            match is_by_lines {
                true => block * height + line(tasks.start)..block * height + line(tasks.end),
                false => tasks.clone(),
            }
        })
    }

    /// Offset of the first pixel of the `i`-th row, counted over images, blocks and lines; the halo comes before it.
    pub fn row_at(&self, i: usize) -> usize {
        self.at + i * self.row() + self.halo[0] * self.block
    }

    /// Offset of one element.
    pub fn element(&self, n: usize, c: usize, y: usize, x: usize) -> usize {
        let plane = n * self.blocks() + c / self.block;
        self.row_at(plane * self.chw[1] + y) + x * self.block + c % self.block
    }
}
