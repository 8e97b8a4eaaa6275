//! How much there is to compute, counted so that no machine's word is too short for it.

/// The product of these numbers, or the largest number where that is less.
pub fn work<const N: usize>(factors: [usize; N]) -> u64 {
    factors.iter().fold(1, |work: u64, factor| work.saturating_mul(*factor as u64))
}
