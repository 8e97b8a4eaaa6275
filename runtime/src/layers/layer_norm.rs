//! `layer_norm` (Ba et al., 2016) of a map: a weight and a bias for each element, as PyTorch's `LayerNorm([C, H, W])`.

use crate::backend::Real;
use dfdx::prelude::*;

/// Scale and shift of each element of a `[C, H, W]` map.
#[derive(Debug, Clone)]
pub struct LayerNorm<const C: usize, const H: usize, const W: usize, E: Dtype = f32, D: Storage<E> = Cpu> {
    /// Scale, `[C, H, W]`; starts at one
    pub weight: Tensor<Rank3<C, H, W>, E, D>,
    /// Shift, `[C, H, W]`; starts at zero
    pub bias: Tensor<Rank3<C, H, W>, E, D>,
}

impl<const C: usize, const H: usize, const W: usize, E: Real, D: Device<E>> TensorCollection<E, D>
    for LayerNorm<C, H, W, E, D>
{
    type To<E2: Dtype, D2: Device<E2>> = LayerNorm<C, H, W, E2, D2>;

    fn iter_tensors<V: ModuleVisitor<Self, E, D>>(visitor: &mut V) -> Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
        visitor.visit_fields(
            (
                Self::tensor("weight", |s| &s.weight, |s| &mut s.weight, TensorOptions::reset_to_ones()),
                Self::tensor("bias", |s| &s.bias, |s| &mut s.bias, TensorOptions::reset_to_zeros()),
            ),
            |(weight, bias)| LayerNorm { weight, bias },
        )
    }
}
