//! NEON, which every 64-bit ARM processor has: registers of four numbers, used in pairs.
//!
//! A pair makes blocks of eight channels, as on AVX2, for three reasons: both halves of a block's weights come by one load
//! of two registers, a pixel that is broadcast serves two multiplications, and layouts and tiles of kernels that are made
//! for blocks of eight hold here too. That there are twice as many registers as AVX2 has makes up for their width.

use super::{Kernel, Simd};
use std::arch::aarch64::*;

/// 8 lanes in two registers each, 32 registers.
pub struct Neon;

/// The lower and the upper four lanes.
type Pair = [float32x4_t; 2];

// SAFETY of every block below: the instruction set is part of the target, and the caller passes addresses that hold as many
// numbers as the pair.
impl Simd for Neon {
    const LANES: usize = 8;
    // Two registers for each sum and for the weights of each block. Of the others the compiler wants three for pixels, or it
    // moves sums from register to register in the loop. From 16 registers of sums on, four multipliers that take four cycles
    // are busy.
    const WIDEST: [usize; 4] = [13, 6, 3, 2];
    type V = Pair;

    #[inline(always)]
    unsafe fn zero() -> Pair {
        // SAFETY: see above.
        unsafe { [vdupq_n_f32(0.0); 2] }
    }
    #[inline(always)]
    unsafe fn splat(p: *const f32) -> Pair {
        // SAFETY: see above.
        unsafe { [vdupq_n_f32(*p); 2] }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Pair {
        // SAFETY: see above.
        unsafe { [vld1q_f32(p), vld1q_f32(p.add(4))] }
    }
    #[inline(always)]
    unsafe fn load_half(p: *const u16) -> Pair {
        // SAFETY: see above. Conversions from half precision flush no denormals, whatever the control register says.
        unsafe {
            let halves = vreinterpretq_f16_u16(vld1q_u16(p));
            [vcvt_f32_f16(vget_low_f16(halves)), vcvt_high_f32_f16(halves)]
        }
    }
    #[inline(always)]
    fn prefetch(p: *const f32) {
        // SAFETY: a hint that never faults.
        unsafe { std::arch::asm!("prfm pldl2keep, [{}]", in(reg) p, options(nostack, preserves_flags, readonly)) };
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: Pair) {
        // SAFETY: see above.
        unsafe {
            vst1q_f32(p, v[0]);
            vst1q_f32(p.add(4), v[1]);
        }
    }
    #[inline(always)]
    unsafe fn fma(a: Pair, b: Pair, c: Pair) -> Pair {
        // SAFETY: see above. The sum is the first operand.
        unsafe { [vfmaq_f32(c[0], a[0], b[0]), vfmaq_f32(c[1], a[1], b[1])] }
    }
    #[inline(always)]
    unsafe fn add(a: Pair, b: Pair) -> Pair {
        // SAFETY: see above.
        unsafe { [vaddq_f32(a[0], b[0]), vaddq_f32(a[1], b[1])] }
    }
    #[inline(always)]
    unsafe fn sub(a: Pair, b: Pair) -> Pair {
        // SAFETY: see above.
        unsafe { [vsubq_f32(a[0], b[0]), vsubq_f32(a[1], b[1])] }
    }
    #[inline(always)]
    unsafe fn mul(a: Pair, b: Pair) -> Pair {
        // SAFETY: see above.
        unsafe { [vmulq_f32(a[0], b[0]), vmulq_f32(a[1], b[1])] }
    }
    #[inline(always)]
    unsafe fn rectify(x: Pair) -> Pair {
        // SAFETY: see above. Of a NaN and a number, the larger one is the NaN.
        x.map(|x| unsafe { vmaxq_f32(x, vdupq_n_f32(0.0)) })
    }
    #[inline(always)]
    unsafe fn larger(a: Pair, b: Pair) -> Pair {
        // SAFETY: see above. Only a NaN is not equal to itself.
        let larger = |a, b| unsafe { vbslq_f32(vornq_u32(vcgtq_f32(b, a), vceqq_f32(b, b)), b, a) };
        [larger(a[0], b[0]), larger(a[1], b[1])]
    }
    #[inline(always)]
    unsafe fn where_positive(sign: Pair, x: Pair) -> Pair {
        // SAFETY: see above.
        let masked = |sign, x| unsafe { vreinterpretq_f32_u32(vandq_u32(vcgtzq_f32(sign), vreinterpretq_u32_f32(x))) };
        [masked(sign[0], x[0]), masked(sign[1], x[1])]
    }
    #[inline(never)]
    unsafe fn enter<K: Kernel>(kernel: K) {
        // SAFETY: passed on from the caller.
        unsafe { kernel.run::<Self>() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::denormals::FlushDenormals;
    use crate::kernels::simd::Scalar8;

    /// The lanes of a register, one NaN for all of them.
    fn lanes<S: Simd>(v: S::V) -> [u32; 8] {
        let mut out = [0.0_f32; 8];
        // SAFETY: both instruction sets have eight lanes.
        unsafe { S::store(out.as_mut_ptr(), v) };
        out.map(|x| if x.is_nan() { f32::NAN.to_bits() } else { x.to_bits() })
    }

    /// What the operations make of `a` and `b`, lane by lane.
    fn results<S: Simd>(a: &[f32; 8], b: &[f32; 8]) -> Vec<[u32; 8]> {
        // SAFETY: both instruction sets are part of the target, and have eight lanes.
        unsafe {
            let (a, b) = (S::load(a.as_ptr()), S::load(b.as_ptr()));
            // A product by two is exact, so that it does not matter whether it is rounded before the sum.
            let found = [S::add(a, b), S::sub(a, b), S::mul(a, b), S::fma(a, S::set(2.0), b), S::larger(a, b)];
            // The sign of zero is not promised.
            let rectified = S::add(S::rectify(a), S::zero());
            found.into_iter().chain([rectified, S::where_positive(a, b), S::zero()]).map(lanes::<S>).collect()
        }
    }

    #[test]
    fn operations_are_those_of_the_plain_kernels() {
        let numbers = [0.0, -0.0, 1.5, -2.25, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 3e-20];
        for turn in 0..8 {
            let turned = std::array::from_fn(|lane| numbers[(lane + turn) % 8]);
            assert_eq!(results::<Neon>(&numbers, &turned), results::<Scalar8>(&numbers, &turned), "turned by {turn}");
        }
    }

    #[test]
    fn every_number_in_half_precision() {
        let _flush = FlushDenormals::start();
        for first in (0..=u16::MAX).step_by(8) {
            let halves: [u16; 8] = std::array::from_fn(|lane| first + lane as u16);
            let want = halves.map(|bits| half::f16::from_bits(bits).to_f32());
            let want = want.map(|x| if x.is_nan() { f32::NAN.to_bits() } else { x.to_bits() });
            // SAFETY: there are eight numbers.
            assert_eq!(lanes::<Neon>(unsafe { Neon::load_half(halves.as_ptr()) }), want, "from {first:#x} on");
        }
    }
}
