//! Linear layers on few images, straight from the weights as PyTorch stores them.
//!
//! With few images a linear layer takes the time of reading its weights, so they are not packed: that would be another copy
//! of what is most of the network. A row of weights is multiplied with the images lane by lane; the lanes are summed at the
//! end, always in the same order. Weights may also be stored in half precision, which halves the reading.

use super::mem::Mem;
use super::share::{Share, StepKernel};
use super::work::work;
use super::{Simd, pointwise};
use crate::layout::Layout;
use convnet_graph::Activation;

/// A linear layer.
#[derive(Debug, Clone, Copy)]
pub struct Linear {
    /// Index of the weight among the parameters, `[O, K]`.
    pub weight: usize,
    /// Whether it is stored in half precision.
    pub half: bool,
    /// Offset of the bias, padded to whole blocks; nothing without one.
    pub bias: Option<usize>,
    /// Offset of the first image's numbers, `[K]`.
    pub input: usize,
    /// Distance of the images' numbers.
    pub input_stride: usize,
    /// Numbers of an image.
    pub len: usize,
    /// The output, `[O, 1, 1]`.
    pub out: Layout,
    /// Images.
    pub batch: usize,
    /// Applied to the result.
    pub activation: Option<Activation>,
}

/// Most images that the kernel is worth it for.
pub const FEW: usize = 4;
/// Rows of weights that are read at once: streams that the processor's prefetching follows.
const ROWS: usize = 4;
/// Rows of a task.
const TASK: usize = 16;

impl Linear {
    /// `R` rows of weights from `first` on, for all images.
    #[inline(always)]
    unsafe fn rows<S: Simd, const R: usize, W: Weight>(&self, mem: Mem<'_>, weights: &[W], first: usize) {
        let weights: [&[W]; R] = std::array::from_fn(|row| &weights[(first + row) * self.len..][..self.len]);
        // Two sums a row, so that additions need not wait for each other.
        let whole = self.len / (2 * S::LANES) * (2 * S::LANES);
        for n in 0..self.batch {
            // SAFETY: the caller's promises; slices check the bounds.
            unsafe {
                let x = mem.read(self.input + n * self.input_stride, self.len);
                let mut sums = [[S::zero(); 2]; R];
                for k in (0..whole).step_by(2 * S::LANES) {
                    for half in 0..2 {
                        let at = k + half * S::LANES;
                        let pixel = S::load(x.as_ptr().add(at));
                        for row in 0..R {
                            sums[row][half] =
                                S::fma(W::load::<S>(weights[row].as_ptr().add(at)), pixel, sums[row][half]);
                        }
                    }
                }
                for row in 0..R {
                    let mut lanes = [0.0_f32; 16];
                    S::store(lanes.as_mut_ptr(), S::add(sums[row][0], sums[row][1]));
                    let mut sum: f32 = lanes[..S::LANES].iter().sum();
                    for k in whole..self.len {
                        sum += weights[row][k].single() * x[k];
                    }
                    let out = first + row;
                    let bias = self.bias.map_or(0.0, |at| mem.read(at + out, 1)[0]);
                    mem.write(self.out.element(n, out, 0, 0), 1)[0] = sum + bias;
                }
            }
        }
    }
}

impl StepKernel for Linear {
    const NAME: &'static str = "linear";

    /// Number of tasks: some rows of weights.
    fn tasks(&self, _lanes: usize) -> usize {
        self.out.chw[0].div_ceil(TASK)
    }

    fn check(&self, _len: usize, _lanes: usize) {}

    /// Multiplications with addition.
    fn multiply_adds(&self, _lanes: usize) -> u64 {
        work([self.batch, self.len, self.out.chw[0]])
    }

    fn sizes(&self) -> String {
        format!("{}x{} to {}", self.batch, self.len, self.out.chw[0])
    }

    /// Computes the tasks `tasks`.
    ///
    /// # Safety
    /// The instruction set of `S` is there, nobody else touches these outputs, and nobody writes to input and bias.
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, Share { mem, bindings, tasks, .. }: Share<'_, '_>) {
        let outs = self.out.chw[0];
        for task in tasks {
            let rows = task * TASK..outs.min((task + 1) * TASK);
            for first in rows.clone().step_by(ROWS) {
                // Of the last rows, some may be computed twice rather than fewer at once.
                let first = first.min(outs.saturating_sub(ROWS).max(rows.start));
                // SAFETY: passed on from the caller.
                unsafe {
                    match (outs - first >= ROWS, self.half) {
                        (true, false) => self.rows::<S, ROWS, f32>(mem, (bindings.params)(self.weight), first),
                        (true, true) => self.rows::<S, ROWS, u16>(mem, (bindings.halves)(self.weight), first),
                        (false, false) => {
                            for row in first..outs {
                                self.rows::<S, 1, f32>(mem, (bindings.params)(self.weight), row);
                            }
                        }
                        (false, true) => {
                            for row in first..outs {
                                self.rows::<S, 1, u16>(mem, (bindings.halves)(self.weight), row);
                            }
                        }
                    }
                }
            }
            if let Some(activation) = self.activation {
                for n in 0..self.batch {
                    // SAFETY: these are the outputs just written.
                    let out = unsafe { mem.write(self.out.element(n, rows.start, 0, 0), rows.len()) };
                    pointwise::activate::<S>(activation, out);
                }
            }
        }
    }
}

/// A number as weights are stored.
trait Weight: Copy {
    /// A register of numbers from `p`.
    ///
    /// # Safety
    /// There are as many, and the instruction set of `S` is switched on.
    unsafe fn load<S: Simd>(p: *const Self) -> S::V;
    /// In single precision.
    fn single(self) -> f32;
}

impl Weight for f32 {
    #[inline(always)]
    unsafe fn load<S: Simd>(p: *const f32) -> S::V {
        // SAFETY: passed on from the caller.
        unsafe { S::load(p) }
    }
    fn single(self) -> f32 {
        self
    }
}

impl Weight for u16 {
    #[inline(always)]
    unsafe fn load<S: Simd>(p: *const u16) -> S::V {
        // SAFETY: passed on from the caller.
        unsafe { S::load_half(p) }
    }
    fn single(self) -> f32 {
        half::f16::from_bits(self).to_f32()
    }
}
