//! `group_norm`, `instance_norm` and `layer_norm` of a vector: a weight and a bias for each channel.

use crate::backend::Real;
use dfdx::prelude::*;

/// Scale and shift of `C` channels.
#[derive(Debug, Clone)]
pub struct GroupNorm<const C: usize, E: Dtype = f32, D: Storage<E> = Cpu> {
    /// Scale, `[C]`; starts at one
    pub weight: Tensor<Rank1<C>, E, D>,
    /// Shift, `[C]`; starts at zero
    pub bias: Tensor<Rank1<C>, E, D>,
}

impl<const C: usize, E: Real, D: Device<E>> TensorCollection<E, D> for GroupNorm<C, E, D> {
    type To<E2: Dtype, D2: Device<E2>> = GroupNorm<C, E2, D2>;

    fn iter_tensors<V: ModuleVisitor<Self, E, D>>(visitor: &mut V) -> Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
        visitor.visit_fields(
            (
                Self::tensor("weight", |s| &s.weight, |s| &mut s.weight, TensorOptions::reset_to_ones()),
                Self::tensor("bias", |s| &s.bias, |s| &mut s.bias, TensorOptions::reset_to_zeros()),
            ),
            |(weight, bias)| GroupNorm { weight, bias },
        )
    }
}
