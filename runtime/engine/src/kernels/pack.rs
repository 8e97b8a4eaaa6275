//! Packing weights, and unpacking their gradients.
//!
//! Weights are packed `[block][tap][lane]`, in the order in which [`Correlate`](super::correlate::Correlate) reads them.
//! Where a tap of a block finds its weight follows from two numbers for a dense layer (an offset a tap, a stride a lane);
//! groups and connection tables have a table of their own, with holes that are packed as zeros.
//!
//! Parameters and their gradients stay where the outside world has them: packing is the only pass over either.

use super::Simd;
use super::mem::{Bindings, Mem};
use super::share::{Share, StepKernel};
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

    /// Calls `f(packed place, place in the parameter)` for each number of `block`, the former relative to the block's start.
    ///
    /// Of a dense layer, some hundred taps at a time in the order of the parameter, and lane by lane: so both sides stay in
    /// the first cache.
    #[inline(always)]
    fn each<S: Simd>(&self, block: &WeightBlock, mut f: impl FnMut(usize, usize)) {
        if let Some(table) = &self.table {
            for (at, place) in table[block.packed..block.packed + block.taps * S::LANES].iter().enumerate() {
                if *place != Self::HOLE {
                    f(at, *place as usize);
                }
            }
            return;
        }
        let taps = &self.taps[block.first_tap..block.first_tap + block.taps];
        for (chunk, taps) in taps.chunks(CHUNK).enumerate() {
            for lane in 0..block.used {
                let base = block.base + lane * block.stride;
                for (i, tap) in taps.iter().enumerate() {
                    f((chunk * CHUNK + i) * S::LANES + lane, base + *tap as usize);
                }
            }
        }
    }
}

/// Taps that are packed at a time: 9 KiB of packed weights, and as much or some times that of the parameter.
const CHUNK: usize = 144;

/// Packs a parameter, or unpacks its gradient.
#[derive(Debug, Clone)]
pub struct Pack {
    /// Where each number belongs.
    pub map: WeightMap,
    /// Index of the parameter.
    pub param: usize,
    /// Offset of the packed numbers (of the first chunk, for a gradient).
    pub packed: usize,
    /// Number of chunks that a gradient is the sum of.
    pub chunks: usize,
    /// Offset of factors, one for each output channel, that the weights are multiplied with.
    pub scale: Option<usize>,
}

impl Pack {
    /// Packs the blocks `tasks`.
    ///
    /// # Safety
    /// Nobody else touches these packed blocks, and nobody writes to the factors.
    #[inline(always)]
    unsafe fn pack<S: Simd>(&self, mem: Mem<'_>, bindings: Bindings<'_>, tasks: Range<usize>) {
        let param = (bindings.params)(self.param);
        for index in tasks {
            let block = &self.map.blocks[index];
            // SAFETY: the caller's promises.
            let out = unsafe { mem.write(self.packed + block.packed, block.taps * S::LANES) };
            if self.map.table.is_some() || block.used < S::LANES {
                out.fill(0.0);
            }
            self.map.each::<S>(block, |at, place| out[at] = param[place]);
            if let Some(scale) = self.scale {
                // SAFETY: as above.
                let scale = unsafe { mem.read(scale + index * S::LANES, S::LANES) };
                for weights in out.chunks_exact_mut(S::LANES) {
                    for lane in 0..S::LANES {
                        weights[lane] *= scale[lane];
                    }
                }
            }
        }
    }

    /// Adds the chunks of the blocks `tasks` up, in order, and their sum to the parameter's gradient.
    ///
    /// # Safety
    /// Nobody else touches the gradients of these blocks, packed or not.
    #[inline(always)]
    unsafe fn unpack<S: Simd>(&self, mem: Mem<'_>, bindings: Bindings<'_>, tasks: Range<usize>) {
        let chunk_len = self.map.packed_len();
        let Some(grad) = bindings.grads[self.param] else { return };
        for block in &self.map.blocks[tasks] {
            let (at, len) = (self.packed + block.packed, block.taps * S::LANES);
            // SAFETY: the caller's promises.
            let sums = unsafe { mem.write(at, len) };
            for chunk in 1..self.chunks {
                // SAFETY: as above.
                let part = unsafe { mem.read(at + chunk * chunk_len, len) };
                sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
            }
            // SAFETY: as above; a weight has one packed place, so these writes do not meet.
            self.map.each::<S>(block, |at, place| unsafe { grad.write(place, 1)[0] += sums[at] });
        }
    }
}

impl StepKernel for Pack {
    const NAME: &'static str = "pack";

    /// Number of tasks: blocks.
    fn tasks(&self, _lanes: usize) -> usize {
        self.map.blocks.len()
    }

    fn check(&self, _len: usize, _lanes: usize) {}

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, share: Share<'_, '_>) {
        // SAFETY: passed on from the caller.
        unsafe { self.pack::<S>(share.mem, share.bindings, share.tasks) }
    }
}

/// Writes the bias of a convolution, padded with zeros to whole blocks; with a batch normalisation behind it, the factors
/// and the bias that do the work of both.
#[derive(Debug, Clone, Copy)]
pub struct Bias {
    /// Index of the bias among the parameters.
    pub bias: Option<usize>,
    /// Index of weight, bias, running mean and running variance of a batch normalisation, and what is added to the variance.
    pub norm: Option<(usize, f64)>,
    /// Channels.
    pub channels: usize,
    /// Offset of the bias.
    pub to: usize,
    /// Offset of the factors.
    pub scale: usize,
    /// Length of both.
    pub padded: usize,
}

impl Bias {
    /// Writes both.
    ///
    /// # Safety
    /// Nobody else touches them.
    unsafe fn write(&self, mem: Mem<'_>, bindings: Bindings<'_>) {
        // SAFETY: the caller's promises.
        let to = unsafe { mem.write(self.to, self.padded) };
        to.fill(0.0);
        if let Some(bias) = self.bias {
            to[..self.channels].copy_from_slice((bindings.params)(bias));
        }
        let Some((first, eps)) = self.norm else { return };
        let [weight, bias, mean, var] = [0, 1, 2, 3].map(|i| (bindings.params)(first + i));
        // SAFETY: as above.
        let scale = unsafe { mem.write(self.scale, self.padded) };
        scale.fill(0.0);
        for c in 0..self.channels {
            let factor = f64::from(weight[c]) / (f64::from(var[c]) + eps).sqrt();
            scale[c] = factor as f32;
            to[c] = (f64::from(bias[c]) + (f64::from(to[c]) - f64::from(mean[c])) * factor) as f32;
        }
    }
}

impl StepKernel for Bias {
    const NAME: &'static str = "bias";

    fn check(&self, _len: usize, _lanes: usize) {}

    fn tasks(&self, _lanes: usize) -> usize {
        1
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, share: Share<'_, '_>) {
        // SAFETY: passed on from the caller.
        unsafe { self.write(share.mem, share.bindings) }
    }
}

/// Adds the packed gradient of a parameter to that parameter's gradient.
#[derive(Debug, Clone)]
pub struct Unpack(pub Pack);

impl StepKernel for Unpack {
    const NAME: &'static str = "unpack";

    fn tasks(&self, _lanes: usize) -> usize {
        self.0.map.blocks.len()
    }

    fn check(&self, _len: usize, _lanes: usize) {}

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, share: Share<'_, '_>) {
        // SAFETY: passed on from the caller.
        unsafe { self.0.unpack::<S>(share.mem, share.bindings, share.tasks) }
    }
}
