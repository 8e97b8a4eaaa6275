//! The layers that hold tensors: fields named as PyTorch names them, and how they start.
//!
//! One file a layer word. A layer here is only its parameters; what it computes is in [`crate::portable`] and
//! [`crate::engine`], which read the numbers from the [`crate::graph`].

mod batch_norm;
mod conv;
mod conv_transpose;
mod group_norm;
mod layer_norm;
mod linear;
mod prelu;
mod subsample;

pub use batch_norm::BatchNorm;
pub use conv::{Conv, LinkedConv, UnbiasedConv, UnbiasedLinkedConv};
pub use conv_transpose::ConvTranspose;
pub use group_norm::GroupNorm;
pub use layer_norm::LayerNorm;
pub use linear::{Linear, UnbiasedLinear};
pub use prelu::Prelu;
pub use subsample::Subsample;

use crate::backend::Real;
use dfdx::prelude::*;

/// Stands in a tuple-like sequence for a layer without parameters, so that the others keep their index.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoParams;
impl ZeroSizedModule for NoParams {}

/// PyTorch's default for convolutions and linear layers: uniform in `±1 / sqrt(fan_in)` (He et al., 2015, with
/// `a = sqrt(5)`).
fn reset_uniform<S: dfdx::shapes::Shape, E: Real, D: Device<E>>(
    t: &mut Tensor<S, E, D>,
    fan_in: usize,
) -> Result<(), D::Err> {
    let bound = 1.0 / (fan_in as f64).sqrt();
    let bound = E::from_f64(bound).unwrap_or(E::zero());
    t.try_fill_with_distr(rand_distr::Uniform::new_inclusive(-bound, bound))
}
