//! Channels, rows and columns in another order.

use super::Simd;
use super::share::{Share, StepKernel};
use crate::layout::Layout;

/// Copies a batch with its dimensions in another order.
#[derive(Debug, Clone)]
pub struct Permute {
    from: Layout,
    to: Layout,
    /// For each channel, row and column of the output: how far from the first element of an image of the input it lies.
    places: [Vec<usize>; 3],
    batch: usize,
    /// Adds to what is there.
    pub accumulate: bool,
}

impl Permute {
    /// From `from` to `to`, whose channels, rows and columns are those of `from` that `order` says.
    pub fn new(from: Layout, to: Layout, order: [usize; 3], batch: usize) -> Self {
        let place = |dimension: usize, i: usize| match dimension {
            0 => i / from.block * from.plane() + i % from.block,
            1 => i * from.row(),
            _ => i * from.block,
        };
        let places = [0, 1, 2].map(|i| (0..to.chw[i]).map(|at| place(order[i], at)).collect());
        Permute { from, to, places, batch, accumulate: false }
    }
}

impl StepKernel for Permute {
    const NAME: &'static str = "permute";

    /// Number of tasks: rows of the output.
    fn tasks(&self, _lanes: usize) -> usize {
        self.to.rows(self.batch)
    }

    fn check(&self, _len: usize, _lanes: usize) {}

    /// Copies the rows `tasks`.
    ///
    /// # Safety
    /// Nobody else touches these rows of `to`, and nobody writes to `from`.
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, Share { mem, tasks, .. }: Share<'_, '_>) {
        let ([channels, height, width], block) = (self.to.chw, self.to.block);
        let [of_channel, of_row, of_column] = &self.places;
        for row in self.to.rows_of(tasks, self.batch) {
            let (plane, y) = (row / height, row % height);
            let (n, first) = (plane / self.to.blocks(), plane % self.to.blocks() * block);
            let start = self.from.halo[0] * self.from.block + of_row[y];
            // SAFETY: the caller's promises.
            let (from, to) = unsafe {
                let image = mem.read(self.from.at + n * self.from.image(), self.from.image());
                (image, mem.write(self.to.row_at(row), width * block))
            };
            for (to, column) in to.chunks_exact_mut(block).zip(of_column) {
                for (number, channel) in to.iter_mut().zip(&of_channel[first..channels.min(first + block)]) {
                    let value = from[start + column + channel];
                    *number = if self.accumulate { *number + value } else { value };
                }
            }
        }
    }
}
