//! The bins of an adaptive average pool as a matrix.

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
