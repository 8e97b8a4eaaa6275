//! The transform of weights, once for each change of them.

use super::transforms::weight_rows;
use crate::kernels::Simd;
use crate::kernels::share::{Share, StepKernel};

/// Numbers of one position of a block of output channels. An odd number of cache lines, since all positions of a kernel are
/// written at once and must not meet in a few sets of the cache.
pub fn position_len(ins: usize, lanes: usize) -> usize {
    (ins | 1) * lanes
}

/// Transforms the weights of a [`Winograd`] step.
#[derive(Debug, Clone, Copy)]
pub struct WinogradPack {
    /// Pixels of an output tile in each direction.
    pub tile: usize,
    /// Index of the parameter, `[O, C, 3, 3]`.
    pub param: usize,
    /// `[O, C]` of the parameter.
    pub channels: [usize; 2],
    /// For the backward pass: from `O` to `C`, with the kernel turned around.
    pub backward: bool,
    /// Offset of the transformed weights.
    pub packed: usize,
    /// Offset of factors for each output channel.
    pub scale: Option<usize>,
}

impl WinogradPack {
    /// Numbers of the transformed weights.
    pub fn packed_len(&self, lanes: usize) -> usize {
        let [ins, outs] = self.ends();
        outs.div_ceil(lanes) * (self.tile + 2).pow(2) * position_len(ins, lanes)
    }

    /// Channels that are summed over, and those that result.
    fn ends(&self) -> [usize; 2] {
        let [outs, ins] = self.channels;
        if self.backward { [outs, ins] } else { [ins, outs] }
    }

    /// Transforms one block of the parameter's `weights` to `to`.
    ///
    /// # Safety
    /// The instruction set of `S` is there.
    #[inline(always)]
    pub unsafe fn block<S: Simd>(&self, weights: &[f32], block: usize, scale: Option<&[f32]>, to: &mut [f32]) {
        // SAFETY: passed on from the caller.
        unsafe {
            match self.tile {
                2 => self.block_of::<S, 4>(weights, block, scale, to),
                _ => self.block_of::<S, 6>(weights, block, scale, to),
            }
        }
    }

    #[inline(always)]
    unsafe fn block_of<S: Simd, const N: usize>(
        &self,
        param: &[f32],
        block: usize,
        scale: Option<&[f32]>,
        to: &mut [f32],
    ) {
        let [ins, outs] = self.ends();
        let len = position_len(ins, S::LANES);
        let used = S::LANES.min(outs - block * S::LANES);
        for k in 0..ins {
            let mut kernel = [[0.0_f32; 16]; 9];
            for lane in 0..used {
                let out = block * S::LANES + lane;
                let [row, col] = if self.backward { [k, out] } else { [out, k] };
                let weights = &param[(row * self.channels[1] + col) * 9..][..9];
                for (i, weight) in weights.iter().enumerate() {
                    kernel[if self.backward { 8 - i } else { i }][lane] = *weight;
                }
            }
            // SAFETY: slices check the bounds; the caller is compiled for the instruction set.
            unsafe {
                let factor = scale.map(|scale| S::load(scale[..S::LANES].as_ptr()));
                let mut half = [[S::zero(); 3]; N];
                for j in 0..3 {
                    let column = std::array::from_fn(|i| {
                        let weight = S::load(kernel[i * 3 + j].as_ptr());
                        factor.map_or(weight, |factor| S::mul(weight, factor))
                    });
                    let column = weight_rows::<S, N>(column);
                    for i in 0..N {
                        half[i][j] = column[i];
                    }
                }
                for i in 0..N {
                    let row = weight_rows::<S, N>(half[i]);
                    for j in 0..N {
                        S::store(to[(i * N + j) * len + k * S::LANES..][..S::LANES].as_mut_ptr(), row[j]);
                    }
                }
            }
        }
    }
}

impl StepKernel for WinogradPack {
    const NAME: &'static str = "winograd pack";

    /// Number of tasks: blocks of output channels.
    fn tasks(&self, lanes: usize) -> usize {
        self.ends()[1].div_ceil(lanes)
    }

    fn check(&self, _len: usize, _lanes: usize) {}

    /// Transforms the blocks `tasks`.
    ///
    /// # Safety
    /// The instruction set of `S` is there, nobody else touches these blocks, and nobody writes to the factors.
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, Share { mem, bindings, tasks, .. }: Share<'_, '_>) {
        let block_len = self.packed_len(S::LANES) / self.tasks(S::LANES);
        for block in tasks {
            // SAFETY: the caller's promises; `write` checks the bounds.
            unsafe {
                let to = mem.write(self.packed + block * block_len, block_len);
                let scale = self.scale.map(|at| mem.read(at + block * S::LANES, S::LANES));
                self.block::<S>((bindings.params)(self.param), block, scale, to);
            }
        }
    }
}
