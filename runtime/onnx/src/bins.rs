//! Matrices of what is mixed along one dimension: the bins of an adaptive average pool, a resizing with antialiasing; and what never wins a maximum.

use convnet_graph::Resample;

/// The share of each of `input` rows in each of `output` bins, row-major `[output, input]`.
pub fn shares(input: usize, output: usize) -> Vec<f32> {
    let mut shares = vec![0.0; output * input];
    for bin in 0..output {
        let (start, end) = (bin * input / output, ((bin + 1) * input).div_ceil(output));
        for share in &mut shares[bin * input + start..bin * input + end] {
            *share = 1.0 / (end - start) as f32;
        }
    }
    shares
}

/// The matrix `[to, from]` by which a map is resized with antialiasing along one dimension.
pub fn antialiased(from: usize, to: usize) -> Vec<f32> {
    let taps = Resample::Resize { nearest: false, antialias: true }.taps(0, from, to);
    let mut matrix = vec![0.0; from * to];
    for (row, taps) in matrix.chunks_exact_mut(from.max(1)).zip(taps) {
        taps.into_iter().for_each(|(at, weight)| row[at] = weight as f32);
    }
    matrix
}

/// What padding of a maximum is filled with where it cannot be left out.
pub const LOWEST: f64 = f32::MIN as f64;
