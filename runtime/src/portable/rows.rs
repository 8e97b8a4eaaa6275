//! Choosing rows of a matrix, the one primitive behind convolution, pooling and channel windows.

use super::Flat;
use crate::net::{NetTape, Real};
use dfdx::prelude::*;

/// The rows `index` of `x`; `None` is a row of zeros.
pub fn choose<E: Real, D: Device<E>, T: NetTape<E, D>>(
    x: Flat<E, D, T>,
    index: Vec<Option<usize>>,
) -> Result<Flat<E, D, T>, D::Err> {
    let (rows, batch) = *x.shape();
    let device = x.device().clone();
    let len = index.len();
    let padded = if index.contains(&None) {
        let zeros: Flat<E, D> = device.try_zeros_like(&(1_usize, batch))?;
        (x, zeros).try_concat_along(Axis::<0>)?
    } else {
        x
    };
    let index: Vec<usize> = index.into_iter().map(|row| row.unwrap_or(rows)).collect();
    padded.try_gather(device.try_tensor_from_vec(index, (len,))?)
}

/// The input positions along one dimension that a window at output position `o` covers, in order; outside: `None`.
pub fn window(
    o: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    before: usize,
    input: usize,
) -> Vec<Option<usize>> {
    let position = |tap: usize| (o * stride + tap * dilation).checked_sub(before).filter(|position| *position < input);
    (0..kernel).map(position).collect()
}
