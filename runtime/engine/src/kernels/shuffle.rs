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

    /// Where element `[c, y, x]` comes from, where there are `channels` of them.
    #[inline(always)]
    fn source(self, channels: usize, [c, y, x]: [usize; 3]) -> [usize; 3] {
        match self {
            Order::Channels(groups) => [c % groups * (channels / groups) + c / groups, y, x],
            Order::Squares(factor) => [(c * factor + y % factor) * factor + x % factor, y / factor, x / factor],
            Order::Unsquare(factor) => {
                let (c, place) = (c / (factor * factor), c % (factor * factor));
                [c, y * factor + place / factor, x * factor + place % factor]
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
        for row in tasks {
            let (plane, y) = (row / height, row % height);
            let (n, first) = (plane / self.to.blocks(), plane % self.to.blocks() * self.to.block);
            // SAFETY: the caller's promises.
            let out = unsafe { mem.write(self.to.row_at(row), width * self.to.block) };
            for (x, out) in out.chunks_exact_mut(self.to.block).enumerate() {
                for (lane, out) in out.iter_mut().enumerate().take(channels - first) {
                    let [c, y, x] = self.how.source(channels, [first + lane, y, x]);
                    // SAFETY: as above.
                    let value = unsafe { mem.read(self.from.element(n, c, y, x), 1)[0] };
                    *out = if self.accumulate { *out + value } else { value };
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
