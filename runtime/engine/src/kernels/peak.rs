//! Multiplications with addition and nothing else in their way: what a machine's speed is measured by.

use super::{Isa, Kernel, Simd};
use std::hint::black_box;

/// Sums in flight: enough for two units with a latency of five cycles, and all fit into registers.
pub const SUMS: usize = 12;

/// Multiplies and adds `rounds` times in [`SUMS`] registers.
///
/// # Panics
/// If the processor lacks `isa`.
pub fn multiply_add(isa: Isa, rounds: usize) {
    assert!(Isa::available().contains(&isa), "engine: this processor has no {}", isa.name());
    // SAFETY: `isa` is one that this processor has, by the assertion.
    unsafe { isa.enter(Rounds(rounds)) }
}

struct Rounds(usize);

impl Kernel for Rounds {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (factor, term) = (black_box(0.999_f32), black_box(1e-3_f32));
        // SAFETY: the addresses are those of two numbers, and of `LANES` of them.
        unsafe {
            let (factor, term) = (S::splat(&factor), S::splat(&term));
            let mut sums = [S::zero(); SUMS];
            for _ in 0..self.0 {
                for sum in &mut sums {
                    *sum = S::fma(*sum, factor, term);
                }
            }
            let mut out = [0.0_f32; 16];
            for sum in sums {
                S::store(out.as_mut_ptr(), sum);
                black_box(&out);
            }
        }
    }
}
