//! Moving numbers between the layouts of the outside world and those of the kernels.
//!
//! Weights are packed `[block][tap][lane]`, in the order in which [`Correlate`](super::correlate::Correlate) reads them.
//! Where a tap of a block finds its weight follows from two numbers for a dense layer (an offset a tap, a stride a lane);
//! groups and connection tables have a table of their own, with holes that are packed as zeros.

use super::mem::Mem;
use crate::engine::layout::Layout;
use std::ops::Range;

/// Which number of a parameter belongs to each packed place.
#[derive(Debug, Clone, Default)]
pub struct WeightMap {
    /// Blocks, in packed order without gaps.
    pub blocks: Vec<WeightBlock>,
    /// For each tap, the offset of its first lane in the parameter.
    pub taps: Vec<u32>,
    /// Numbers in a register.
    pub lanes: usize,
    /// Instead of `taps` and strides: the place of each packed number, [`WeightMap::HOLE`] for a zero.
    pub table: Option<Vec<u32>>,
}

/// One block of packed weights.
#[derive(Debug, Clone, Copy)]
pub struct WeightBlock {
    /// Offset of its first number among the packed ones.
    pub packed: usize,
    /// Its first tap in [`WeightMap::taps`].
    pub first_tap: usize,
    /// Number of taps.
    pub taps: usize,
    /// Offset of lane 0 in the parameter.
    pub base: usize,
    /// Distance between lanes in the parameter.
    pub stride: usize,
    /// Lanes in use.
    pub used: usize,
}

impl WeightMap {
    /// A packed place that no number of the parameter belongs to.
    pub const HOLE: u32 = u32::MAX;

    /// Number of packed numbers.
    pub fn packed_len(&self) -> usize {
        self.blocks.last().map_or(0, |block| block.packed + block.taps * self.lanes)
    }

    /// The place in the parameter of lane `lane` of tap `tap` of `block`.
    #[inline(always)]
    fn place(&self, block: &WeightBlock, tap: usize, lane: usize) -> Option<usize> {
        match &self.table {
            Some(table) => {
                let place = table[block.packed + tap * self.lanes + lane];
                (place != Self::HOLE).then_some(place as usize)
            }
            None if lane < block.used => {
                Some(self.taps[block.first_tap + tap] as usize + block.base + lane * block.stride)
            }
            None => None,
        }
    }
}

/// Packs a parameter, or unpacks its gradient.
#[derive(Debug, Clone)]
pub struct Pack {
    /// Where each number belongs.
    pub map: WeightMap,
    /// Offset of the parameter (or its gradient) as PyTorch stores it.
    pub param: usize,
    /// Its length.
    pub param_len: usize,
    /// Offset of the packed numbers (of the first chunk, for a gradient).
    pub packed: usize,
    /// Number of chunks that a gradient is the sum of.
    pub chunks: usize,
}

impl Pack {
    /// Number of tasks: blocks.
    pub fn tasks(&self) -> usize {
        self.map.blocks.len()
    }

    /// Packs the blocks `tasks`.
    ///
    /// # Safety
    /// Nobody else touches these packed blocks, and nobody writes to the parameter.
    #[inline(always)]
    pub unsafe fn pack(&self, mem: Mem<'_>, tasks: Range<usize>) {
        let lanes = self.map.lanes;
        // SAFETY: the caller's promises.
        let param = unsafe { mem.read(self.param, self.param_len) };
        for block in &self.map.blocks[tasks] {
            // SAFETY: as above.
            let out = unsafe { mem.write(self.packed + block.packed, block.taps * lanes) };
            for (tap, out) in out.chunks_exact_mut(lanes).enumerate() {
                for (lane, out) in out.iter_mut().enumerate() {
                    *out = self.map.place(block, tap, lane).map_or(0.0, |place| param[place]);
                }
            }
        }
    }

    /// Adds the chunks of the blocks `tasks` up, in order, into the parameter's gradient.
    ///
    /// # Safety
    /// Nobody else touches the gradients of these blocks, and nobody writes to the packed ones.
    #[inline(always)]
    pub unsafe fn unpack(&self, mem: Mem<'_>, tasks: Range<usize>) {
        let (lanes, chunk_len) = (self.map.lanes, self.map.packed_len());
        for block in &self.map.blocks[tasks] {
            for tap in 0..block.taps {
                let at = self.packed + block.packed + tap * lanes;
                let mut sum = [0.0_f32; 16];
                for chunk in 0..self.chunks {
                    // SAFETY: the caller's promises.
                    let part = unsafe { mem.read(at + chunk * chunk_len, lanes) };
                    for lane in 0..lanes {
                        sum[lane] += part[lane];
                    }
                }
                for lane in 0..lanes {
                    if let Some(place) = self.map.place(block, tap, lane) {
                        // SAFETY: as above; a weight has one packed place, so these writes do not meet.
                        unsafe { mem.write(self.param + place, 1)[0] = sum[lane] };
                    }
                }
            }
        }
    }
}

/// Copies a batch from one layout to another with the same elements in `[C, H, W]` order; the shapes may differ, as they
/// do at a flatten. With `starts` it copies part of the elements: a slice of channels.
#[derive(Debug, Clone, Copy)]
pub struct Repack {
    /// Where from.
    pub from: Layout,
    /// Where to.
    pub to: Layout,
    /// `[C, H, W]` of what is copied.
    pub part: [usize; 3],
    /// The first element that is copied, and where it goes, in `[C, H, W]` order.
    pub starts: [usize; 2],
    /// Images.
    pub batch: usize,
    /// Adds to what is there.
    pub accumulate: bool,
}

impl Repack {
    /// Copies everything.
    pub fn whole(from: Layout, to: Layout, batch: usize, accumulate: bool) -> Self {
        Repack { from, to, part: to.chw, starts: [0, 0], batch, accumulate }
    }

    /// Number of tasks: channels of the part in each image.
    pub fn tasks(&self) -> usize {
        self.batch * self.part[0]
    }

    /// Copies the channels `tasks`.
    ///
    /// # Safety
    /// Nobody else touches these channels of `to`, and nobody writes to `from`.
    #[inline(always)]
    pub unsafe fn run(&self, mem: Mem<'_>, tasks: Range<usize>) {
        let [channels, height, width] = self.part;
        for task in tasks {
            let (n, c) = (task / channels, task % channels);
            for y in 0..height {
                let row = (c * height + y) * width;
                let [from, to] = [(self.from, self.starts[0]), (self.to, self.starts[1])].map(|(layout, start)| {
                    // A row of the part is a row of both maps, unless a vector stands for a map.
                    (layout.chw[2] == width).then(|| (place(&layout, n, start + row), layout.block))
                });
                if let (Some((from, 1)), Some((to, 1)), false) = (from, to, self.accumulate) {
                    // SAFETY: the caller's promises.
                    unsafe { mem.write(to, width).copy_from_slice(mem.read(from, width)) };
                    continue;
                }
                for x in 0..width {
                    let i = row + x;
                    let from =
                        from.map_or_else(|| place(&self.from, n, self.starts[0] + i), |(at, step)| at + x * step);
                    let to = to.map_or_else(|| place(&self.to, n, self.starts[1] + i), |(at, step)| at + x * step);
                    // SAFETY: the caller's promises.
                    unsafe {
                        let from = mem.read(from, 1)[0];
                        let to = mem.write(to, 1);
                        to[0] = if self.accumulate { to[0] + from } else { from };
                    }
                }
            }
        }
    }
}

/// Where element `i`, in `[C, H, W]` order, of image `n` lies.
#[inline(always)]
fn place(layout: &Layout, n: usize, i: usize) -> usize {
    let [_, height, width] = layout.chw;
    let (pixel, x) = (i / width, i % width);
    layout.element(n, pixel / height, pixel % height, x)
}

/// Zeroes the halo of a batch, or all of it.
#[derive(Debug, Clone, Copy)]
pub struct Clear {
    /// What is cleared.
    pub layout: Layout,
    /// Images.
    pub batch: usize,
    /// The pixels too.
    pub whole: bool,
}

impl Clear {
    /// Number of tasks: rows.
    pub fn tasks(&self) -> usize {
        self.layout.rows(self.batch)
    }

    /// Clears the rows `tasks`.
    ///
    /// # Safety
    /// Nobody else touches what is cleared.
    pub unsafe fn run(&self, mem: Mem<'_>, tasks: Range<usize>) {
        let Layout { block, halo: [before, after], chw: [_, _, width], .. } = self.layout;
        for row in tasks {
            let at = self.layout.row_at(row);
            // SAFETY: the caller's promises.
            unsafe {
                if self.whole {
                    mem.write(at - before * block, self.layout.row()).fill(0.0);
                } else {
                    mem.write(at - before * block, before * block).fill(0.0);
                    mem.write(at + width * block, after * block).fill(0.0);
                }
            }
        }
    }
}

/// Copies a vector and pads it with zeros, as a bias needs it.
#[derive(Debug, Clone, Copy)]
pub struct Pad {
    /// Offset of the vector.
    pub from: usize,
    /// Its length.
    pub len: usize,
    /// Offset of the copy.
    pub to: usize,
    /// The copy's length.
    pub padded: usize,
}

impl Pad {
    /// Copies.
    ///
    /// # Safety
    /// Nobody else touches the copy, and nobody writes to the vector.
    pub unsafe fn run(&self, mem: Mem<'_>) {
        // SAFETY: the caller's promises.
        let (from, to) = unsafe { (mem.read(self.from, self.len), mem.write(self.to, self.padded)) };
        to[..self.len].copy_from_slice(from);
        to[self.len..].fill(0.0);
    }
}
