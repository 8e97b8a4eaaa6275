//! How fast this machine multiplies and adds when nothing else is in its way: what a kernel's speed is a share of.

use super::kernels::{Isa, SUMS, multiply_add};
use super::threads::team;
use std::time::Instant;

/// Rounds of a measurement: about ten milliseconds.
const ROUNDS: usize = 3_000_000;

/// Multiplications with addition that this machine does in a second at best, with the kernels and threads in use: what
/// their speed is a share of. Measuring takes a tenth of a second, on a target with a clock.
pub fn peak() -> f64 {
    let (isa, team) = (Isa::detect(), team());
    let measure = || {
        let start = Instant::now();
        team.run(|_| multiply_add(isa, ROUNDS));
        let work = ROUNDS * SUMS * isa.lanes() * team.size();
        work as f64 / start.elapsed().as_secs_f64()
    };
    (0..7).map(|_| measure()).fold(0.0, f64::max)
}
