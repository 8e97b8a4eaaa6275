//! How fast this machine multiplies and adds when nothing else is in its way: what a kernel's speed is a share of.

use super::{Isa, Kernel, Simd};
use crate::engine::threads::Team;
use std::hint::black_box;
use std::time::Instant;

/// Sums in flight: enough for two units with a latency of five cycles, and all fit into registers.
const SUMS: usize = 12;
/// Rounds of a measurement: about ten milliseconds.
const ROUNDS: usize = 3_000_000;

/// Multiplications with addition a second, on all threads of `team` together: the best of a few measurements.
pub fn peak(isa: Isa, team: &Team) -> f64 {
    let measure = || {
        let start = Instant::now();
        team.run(|_| {
            // SAFETY: `isa` is one that this processor has, by the assertion below.
            unsafe { isa.enter(Rounds) }
        });
        let work = ROUNDS * SUMS * isa.lanes() * team.size();
        work as f64 / start.elapsed().as_secs_f64()
    };
    assert!(Isa::available().contains(&isa), "engine: this processor has no {}", isa.name());
    (0..7).map(|_| measure()).fold(0.0, f64::max)
}

struct Rounds;

impl Kernel for Rounds {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (factor, term) = (black_box(0.999_f32), black_box(1e-3_f32));
        // SAFETY: the addresses are those of two numbers, and of `LANES` of them.
        unsafe {
            let (factor, term) = (S::splat(&factor), S::splat(&term));
            let mut sums = [S::zero(); SUMS];
            for _ in 0..ROUNDS {
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
