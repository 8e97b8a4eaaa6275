//! A value whose channels are those of other values in another order: concatenations, slices and shuffles of channels, and any row of
//! them, in one step.
//!
//! Where each channel comes from is known when the plan is made, so all offsets are, and an element costs one load and one store. Copying
//! run by run with whole registers was thought of; after two shuffles no run is longer than two channels.

use super::Simd;
use super::mem::Mem;
use super::share::{Share, StepKernel};
use crate::layout::{Layout, by_lines};
use std::ops::Range;

/// Collects the channels of a batch from where they are. All layouts have blocks of as many channels as a register has lanes.
#[derive(Debug, Clone)]
pub struct Collect {
    /// `[H, W]`
    pixels: [usize; 2],
    /// Images.
    batch: usize,
    /// Channels per block.
    lanes: usize,
    /// What is written.
    blocks: Vec<Block>,
}

/// A block of channels that is written, and where each of them comes from.
#[derive(Debug, Clone)]
struct Block {
    to: Origin,
    from: Vec<Origin>,
    /// Whether it is a block of one of the values, so that rows can be copied.
    whole: bool,
}

/// Where the first pixel of the first image lies, and how far apart rows and images are.
#[derive(Debug, Clone, Copy)]
struct Origin {
    at: usize,
    row: usize,
    image: usize,
}

impl Origin {
    fn new(layout: &Layout, channel: usize) -> Self {
        Origin { at: layout.element(0, channel, 0, 0), row: layout.row(), image: layout.image() }
    }

    #[inline(always)]
    fn line(self, n: usize, y: usize) -> usize {
        self.at + n * self.image + y * self.row
    }
}

impl Collect {
    /// Each channel of `to` from a value and a channel of it; blocks that are there already are left alone. Nothing if all are.
    pub fn new(to: &Layout, from: &[(Layout, usize)], batch: usize) -> Option<Self> {
        let lanes = to.block;
        let block = |(index, from): (usize, &[(Layout, usize)])| {
            let (to, first) = (Origin::new(to, index * lanes), from[0]);
            let whole = first.1.is_multiple_of(lanes)
                && from.iter().enumerate().all(|(lane, from)| *from == (first.0, first.1 + lane));
            let from: Vec<Origin> = from.iter().map(|(layout, channel)| Origin::new(layout, *channel)).collect();
            // What is joined of single images lies in the memory of the whole.
            (!whole || from[0].at != to.at).then_some(Block { to, from, whole })
        };
        let blocks: Vec<Block> = from.chunks(lanes).enumerate().filter_map(block).collect();
        let [_, height, width] = to.chw;
        (!blocks.is_empty()).then_some(Collect { pixels: [height, width], batch, lanes, blocks })
    }

    /// Writes line `y` of a block of image `n`.
    ///
    /// # Safety
    /// [`check`](StepKernel::check) has passed, nobody else touches this line, and nobody writes to what it comes from.
    #[inline(always)]
    unsafe fn line<S: Simd>(&self, mem: Mem<'_>, block: &Block, [n, y]: [usize; 2]) {
        let len = self.pixels[1] * self.lanes;
        // SAFETY: the caller's promises.
        let to = unsafe { mem.write(block.to.line(n, y), len) };
        if block.whole {
            // SAFETY: the caller's promises; a whole block is another place than what is written.
            return to.copy_from_slice(unsafe { mem.read(block.from[0].line(n, y), len) });
        }
        let mut from = [std::ptr::null::<f32>(); 16];
        from.iter_mut().zip(&block.from).for_each(|(from, origin)| *from = mem.address(origin.line(n, y)).cast_const());
        for (x, pixel) in to.chunks_exact_mut(S::LANES).enumerate() {
            for (number, from) in pixel.iter_mut().zip(&from).take(block.from.len()) {
                // SAFETY: `check` has bounded the row of each of the channels that there are.
                *number = unsafe { from.add(x * S::LANES).read() };
            }
        }
    }

    /// Writes the lines `tasks`: with all blocks of each where they are shared out so.
    ///
    /// # Safety
    /// As for [`Collect::line`].
    #[inline(always)]
    unsafe fn lines<S: Simd>(&self, mem: Mem<'_>, tasks: Range<usize>) {
        let height = self.pixels[0];
        if by_lines(self.batch, height) {
            for block in &self.blocks {
                // SAFETY: passed on from the caller.
                tasks.clone().for_each(|y| unsafe { self.line::<S>(mem, block, [0, y]) });
            }
            return;
        }
        for task in tasks {
            let (plane, y) = (task / height, task % height);
            let (n, block) = (plane / self.blocks.len(), &self.blocks[plane % self.blocks.len()]);
            // SAFETY: passed on from the caller.
            unsafe { self.line::<S>(mem, block, [n, y]) };
        }
    }
}

impl StepKernel for Collect {
    const NAME: &'static str = "collect";

    /// Number of tasks: lines of blocks, or of all blocks.
    fn tasks(&self, _lanes: usize) -> usize {
        let height = self.pixels[0];
        if by_lines(self.batch, height) { height } else { self.batch * self.blocks.len() * height }
    }

    fn check(&self, len: usize, lanes: usize) {
        assert!(self.lanes == lanes, "engine: channels are collected by {}, not {lanes}", self.lanes);
        let [height, width] = self.pixels;
        for origin in self.blocks.iter().flat_map(|block| &block.from) {
            let end = origin.line(self.batch - 1, height - 1) + (width - 1) * lanes + 1;
            Mem::contains(len, origin.at as isize..end as isize, "what channels are collected from");
        }
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, share: Share<'_, '_>) {
        // SAFETY: passed on from the caller.
        unsafe { self.lines::<S>(share.mem, share.tasks) }
    }
}
