//! `batch_norm` (Ioffe and Szegedy, 2015).
//!
//! dfdx has one too, but calls the weight `scale`, refuses a tape in evaluation, and visits `epsilon` and `momentum` as
//! scalars that a PyTorch file does not have.

use crate::backend::Real;
use dfdx::prelude::*;

/// Scale, shift and running statistics of `C` channels.
#[derive(Debug, Clone)]
pub struct BatchNorm<const C: usize, E: Dtype = f32, D: Storage<E> = Cpu> {
    /// Scale, `[C]`; starts at one
    pub weight: Tensor<Rank1<C>, E, D>,
    /// Shift, `[C]`; starts at zero
    pub bias: Tensor<Rank1<C>, E, D>,
    /// Running mean, `[C]`; not trained
    pub running_mean: Tensor<Rank1<C>, E, D>,
    /// Running (unbiased) variance, `[C]`; not trained
    pub running_var: Tensor<Rank1<C>, E, D>,
}

impl<const C: usize, E: Real, D: Device<E>> TensorCollection<E, D> for BatchNorm<C, E, D> {
    type To<E2: Dtype, D2: Device<E2>> = BatchNorm<C, E2, D2>;

    fn iter_tensors<V: ModuleVisitor<Self, E, D>>(visitor: &mut V) -> Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
        visitor.visit_fields(
            (
                Self::tensor("weight", |s| &s.weight, |s| &mut s.weight, TensorOptions::reset_to_ones()),
                Self::tensor("bias", |s| &s.bias, |s| &mut s.bias, TensorOptions::reset_to_zeros()),
                Self::tensor(
                    "running_mean",
                    |s| &s.running_mean,
                    |s| &mut s.running_mean,
                    TensorOptions::detached(|t| t.try_fill_with_zeros()),
                ),
                Self::tensor(
                    "running_var",
                    |s| &s.running_var,
                    |s| &mut s.running_var,
                    TensorOptions::detached(|t| t.try_fill_with_ones()),
                ),
            ),
            |(weight, bias, running_mean, running_var)| BatchNorm { weight, bias, running_mean, running_var },
        )
    }
}
