//! Rows and columns of the output as weighted sums of some of the input's: enlarging, padding, cropping, and their
//! backward passes, which are the same with the lists turned around.

use super::Simd;
use super::share::{Share, StepKernel};
use crate::layout::Layout;

/// For each output coordinate, the input coordinates with their weights.
type Taps = Vec<Vec<(usize, f32)>>;

/// One such step.
#[derive(Debug, Clone)]
pub struct Gather {
    from: Layout,
    to: Layout,
    ys: Taps,
    xs: Taps,
    /// What an element is that nothing contributes to.
    outside: f32,
    /// Adds to what is there.
    pub accumulate: bool,
    batch: usize,
}

impl Gather {
    /// From `from` to `to`, by the lists for height and width.
    pub fn new(from: Layout, to: Layout, taps: [Vec<Vec<(usize, f64)>>; 2], outside: f64, batch: usize) -> Self {
        let [ys, xs] = taps.map(|lists| {
            let narrow = |taps: Vec<(usize, f64)>| taps.into_iter().map(|(i, weight)| (i, weight as f32)).collect();
            lists.into_iter().map(narrow).collect::<Taps>()
        });
        Gather { from, to, ys, xs, outside: outside as f32, accumulate: false, batch }
    }

    /// The backward pass: from `to` to `from`.
    pub fn transposed(self) -> Self {
        let turned = |taps: &Taps, len: usize| {
            let mut turned = vec![Vec::new(); len];
            for (o, list) in taps.iter().enumerate() {
                list.iter().for_each(|(i, weight)| turned[*i].push((o, *weight)));
            }
            turned
        };
        let (ys, xs) = (turned(&self.ys, self.from.chw[1]), turned(&self.xs, self.from.chw[2]));
        Gather { from: self.to, to: self.from, ys, xs, ..self }
    }
}

impl StepKernel for Gather {
    const NAME: &'static str = "gather";

    /// Number of tasks: rows of the output.
    fn tasks(&self, _lanes: usize) -> usize {
        self.to.rows(self.batch)
    }

    fn check(&self, _len: usize, _lanes: usize) {}

    /// Computes the rows `tasks`.
    ///
    /// # Safety
    /// Nobody else touches these rows of `to`, and nobody writes to `from`.
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, Share { mem, tasks, .. }: Share<'_, '_>) {
        let lanes = S::LANES;
        for row in tasks {
            let (plane, y) = (row / self.to.chw[1], row % self.to.chw[1]);
            // SAFETY: the caller's promises.
            let out = unsafe { mem.write(self.to.row_at(row), self.to.chw[2] * lanes) };
            for (out, cols) in out.chunks_exact_mut(lanes).zip(&self.xs) {
                let start = if self.ys[y].is_empty() || cols.is_empty() { self.outside } else { 0.0 };
                let mut sum = [start; 16];
                for (source, row_weight) in &self.ys[y] {
                    let at = self.from.row_at(plane * self.from.chw[1] + source);
                    for (col, weight) in cols {
                        let weight = row_weight * weight;
                        // SAFETY: as above.
                        let pixel = unsafe { mem.read(at + col * lanes, lanes) };
                        for lane in 0..lanes {
                            sum[lane] += weight * pixel[lane];
                        }
                    }
                }
                for lane in 0..lanes {
                    out[lane] = if self.accumulate { out[lane] + sum[lane] } else { sum[lane] };
                }
            }
        }
    }
}
