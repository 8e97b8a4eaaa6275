//! Images that a small network can learn.

use convnet::data::Images;

/// Three kinds of stripes with noise.
pub fn stripes(n: usize) -> Images {
    let mut pixels = Vec::new();
    let mut noise = 12345_u32;
    for i in 0..n {
        for at in 0..64 {
            noise = noise.wrapping_mul(1664525).wrapping_add(1013904223);
            let stripe = [at % 2, at / 8 % 2, (at + at / 8) % 2][i % 3];
            pixels.push((stripe * 120 + (noise >> 25) as usize) as u8);
        }
    }
    let classes = ["columns", "rows", "chequers"].map(String::from).to_vec();
    Images { shape: [1, 8, 8], pixels, labels: (0..n).map(|i| (i % 3) as u8).collect(), classes }
}
