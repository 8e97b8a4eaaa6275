//! The project's random hash: numbers that are functions of a seed and of what they are for, so that nothing random has a
//! state.
//!
//! The masks of `dropout` hash the seed and where an element lies: every executor drops the same ones, whatever the order in
//! which it comes by, and nothing has to be kept for the backward pass.

/// Whether element `index` (in `[N, C, H, W]` order) of the value of node `node` is kept, where a share `p` is dropped.
#[inline]
pub fn keep(seed: u64, node: usize, index: u64, p: f64) -> bool {
    let z = mix(seed ^ (node as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ index.wrapping_mul(0xD1B5_4A32_D192_ED03));
    (z >> 11) as f64 / (1u64 << 53) as f64 >= p
}

/// Spreads each bit over all others: splitmix64's finaliser (Steele, Lea and Flood, 2014).
#[inline]
pub fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
