//! Elements in another order: channels of groups mixed, channels turned into pixels and back.

use super::Simd;
use super::mem::Mem;
use super::share::{Share, StepKernel};
use crate::layout::Layout;
use std::ops::Range;

/// Which element of the input an element of the output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The channels of this many groups take turns.
    Channels(usize),
    /// Channels become squares of this many pixels a side.
    Squares(usize),
    /// Squares of this many pixels a side become channels.
    Unsquare(usize),
}

impl Order {
    /// The order that undoes this one, where the input of this one has `channels`.
    pub fn reversed(self, channels: usize) -> Self {
        match self {
            Order::Channels(groups) => Order::Channels(channels / groups),
            Order::Squares(factor) => Order::Unsquare(factor),
            Order::Unsquare(factor) => Order::Squares(factor),
        }
    }

    /// Which of `channels` the channel `channel` comes from, where those of `groups` take turns.
    pub fn shuffled(groups: usize, channels: usize, channel: usize) -> usize {
        channel % groups * (channels / groups) + channel / groups
    }

    /// How many pieces a line of a channel is made of, each of pixels that lie equally far apart here and where they come from.
    fn pieces(self) -> usize {
        if let Order::Squares(factor) = self { factor } else { 1 }
    }

    /// Where piece `piece` of line `y` of channel `c` comes from, where there are `channels` of them: the element of the first pixel; and how many
    /// pixels its pixels are apart there and here.
    #[inline(always)]
    fn source(self, channels: usize, [c, y, piece]: [usize; 3]) -> ([usize; 3], [usize; 2]) {
        match self {
            Order::Channels(groups) => ([Self::shuffled(groups, channels, c), y, 0], [1, 1]),
            Order::Squares(factor) => ([(c * factor + y % factor) * factor + piece, y / factor, 0], [1, factor]),
            Order::Unsquare(factor) => {
                let (c, place) = (c / (factor * factor), c % (factor * factor));
                ([c, y * factor + place / factor, place % factor], [factor, 1])
            }
        }
    }
}

/// Copies a batch into another order.
#[derive(Debug, Clone, Copy)]
pub struct Shuffle {
    /// Where from.
    pub from: Layout,
    /// Where to.
    pub to: Layout,
    /// The order.
    pub how: Order,
    /// Adds to what is there.
    pub accumulate: bool,
    /// Images.
    pub batch: usize,
}

impl Shuffle {
    /// Copies the rows `tasks`.
    ///
    /// # Safety
    /// Nobody else touches these rows of `to`, and nobody writes to `from`.
    unsafe fn copy(&self, mem: Mem<'_>, tasks: Range<usize>) {
        let [channels, height, width] = self.to.chw;
        let pieces = self.how.pieces();
        for row in self.to.rows_of(tasks, self.batch) {
            let (plane, y) = (row / height, row % height);
            let (n, first) = (plane / self.to.blocks(), plane % self.to.blocks() * self.to.block);
            for lane in 0..self.to.block.min(channels - first) {
                for piece in 0..pieces {
                    let ([c, y, x], apart) = self.how.source(channels, [first + lane, y, piece]);
                    let from = [self.from.element(n, c, y, x), apart[0] * self.from.block];
                    let to = [self.to.row_at(row) + piece * self.to.block + lane, apart[1] * self.to.block];
                    // SAFETY: the caller's promises.
                    unsafe { mem.copy_strided(from, to, (width - piece).div_ceil(pieces), self.accumulate) };
                }
            }
        }
    }
}

impl StepKernel for Shuffle {
    const NAME: &'static str = "shuffle";

    /// Number of tasks: rows of the output.
    fn tasks(&self, _lanes: usize) -> usize {
        self.to.rows(self.batch)
    }

    fn check(&self, _len: usize, _lanes: usize) {}

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, share: Share<'_, '_>) {
        // SAFETY: passed on from the caller.
        unsafe { self.copy(share.mem, share.tasks) }
    }
}
