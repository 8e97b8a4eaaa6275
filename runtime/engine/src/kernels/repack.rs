//! Moving a batch between layouts: those of the outside world and those of the kernels.

use super::Simd;
use super::mem::Mem;
use super::share::{Share, StepKernel};
use crate::layout::{Layout, by_lines};
use std::ops::Range;

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

    /// Whether what is copied are whole rows of whole blocks, on both sides.
    fn by_row(&self) -> bool {
        let (from, to) = (&self.from, &self.to);
        let area = self.part[1] * self.part[2];
        from.block == to.block
            && from.chw[1..] == self.part[1..]
            && to.chw[1..] == self.part[1..]
            && self.starts.iter().all(|start| start % (area * from.block) == 0)
            // The channels that fill up a last block are nobody's unless they are the map's last.
            && (self.part[0].is_multiple_of(from.block) || self.starts[1] / area + self.part[0] == to.chw[0])
    }

    /// # Safety
    /// As for [`Repack::copy`].
    unsafe fn copy_rows(&self, mem: Mem<'_>, tasks: Range<usize>) {
        let [channels, height, width] = self.part;
        let len = width * self.from.block;
        let blocks = channels.div_ceil(self.from.block);
        for task in tasks {
            let (n, own, lines) = self.piece(task, blocks);
            for (block, y) in own.flat_map(|block| lines.clone().map(move |y| (block, y))) {
                let row = |layout: &Layout, start: usize| {
                    let first = start / (height * width * layout.block) + block;
                    (n * layout.blocks() + first) * height + y
                };
                let (from, to) = (row(&self.from, self.starts[0]), row(&self.to, self.starts[1]));
                // SAFETY: the caller's promises.
                let (from, to) = unsafe { (mem.read(self.from.row_at(from), len), mem.write(self.to.row_at(to), len)) };
                if self.accumulate {
                    to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
                } else {
                    to.copy_from_slice(from);
                }
            }
        }
    }

    /// What a task copies, where an image has so many channels or blocks of them: the image, these, and lines of each.
    fn piece(&self, task: usize, units: usize) -> (usize, Range<usize>, Range<usize>) {
        match by_lines(self.batch, self.part[1]) {
            true => (0, 0..units, task..task + 1),
            false => (task / units, task % units..task % units + 1, 0..self.part[1]),
        }
    }

    /// Copies the tasks `tasks`.
    ///
    /// # Safety
    /// Nobody else touches these channels or lines of `to`, and nobody writes to `from`.
    #[inline(always)]
    unsafe fn copy(&self, mem: Mem<'_>, tasks: Range<usize>) {
        let [channels, height, width] = self.part;
        if self.by_row() {
            // SAFETY: passed on from the caller.
            return unsafe { self.copy_rows(mem, tasks) };
        }
        for task in tasks {
            let (n, own, lines) = self.piece(task, channels);
            for (c, y) in own.flat_map(|c| lines.clone().map(move |y| (c, y))) {
                let row = (c * height + y) * width;
                let [from, to] = [(self.from, self.starts[0]), (self.to, self.starts[1])].map(|(layout, start)| {
                    // A row of the part is a row of both maps, unless a vector stands for a map.
                    (layout.chw[2] == width).then(|| [place(&layout, n, start + row), layout.block])
                });
                match (from, to) {
                    (Some([from, 1]), Some([to, 1])) if !self.accumulate => {
                        // SAFETY: the caller's promises.
                        unsafe { mem.write(to, width).copy_from_slice(mem.read(from, width)) };
                    }
                    (Some(from), Some(to)) => {
                        // SAFETY: the caller's promises.
                        unsafe { mem.copy_strided(from, to, width, self.accumulate) };
                    }
                    _ => {
                        for i in row..row + width {
                            let [from, to] = [(&self.from, self.starts[0]), (&self.to, self.starts[1])]
                                .map(|(layout, start)| [place(layout, n, start + i), 1]);
                            // SAFETY: the caller's promises.
                            unsafe { mem.copy_strided(from, to, 1, self.accumulate) };
                        }
                    }
                }
            }
        }
    }
}

impl StepKernel for Repack {
    const NAME: &'static str = "repack";

    /// Number of tasks: channels of the part in each image, or blocks of them; or lines.
    fn tasks(&self, _lanes: usize) -> usize {
        if by_lines(self.batch, self.part[1]) {
            return self.part[1];
        }
        self.batch * if self.by_row() { self.part[0].div_ceil(self.from.block) } else { self.part[0] }
    }

    fn check(&self, _len: usize, _lanes: usize) {}

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, share: Share<'_, '_>) {
        // SAFETY: passed on from the caller.
        unsafe { self.copy(share.mem, share.tasks) }
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
    /// Clears the rows `tasks`.
    ///
    /// # Safety
    /// Nobody else touches what is cleared.
    unsafe fn clear(&self, mem: Mem<'_>, tasks: Range<usize>) {
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

impl StepKernel for Clear {
    const NAME: &'static str = "clear";

    /// Number of tasks: rows.
    fn tasks(&self, _lanes: usize) -> usize {
        self.layout.rows(self.batch)
    }

    fn check(&self, _len: usize, _lanes: usize) {}

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, share: Share<'_, '_>) {
        // SAFETY: passed on from the caller.
        unsafe { self.clear(share.mem, share.tasks) }
    }
}
