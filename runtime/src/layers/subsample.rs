//! `subsample`: LeNet's trainable pooling (LeCun et al., 1998, section II-B).

use super::begin;
use crate::backend::Real;
use crate::graph::Init;
use dfdx::prelude::*;

/// A coefficient and a bias for each of `C` channels; with `K x K` windows it starts as the average.
#[derive(Debug, Clone)]
pub struct Subsample<const C: usize, const K: usize, E: Dtype = f32, D: Storage<E> = Cpu> {
    /// Coefficient of the window's sum, `[C]`
    pub weight: Tensor<Rank1<C>, E, D>,
    /// `[C]`
    pub bias: Tensor<Rank1<C>, E, D>,
}

impl<const C: usize, const K: usize, E: Real, D: Device<E>> TensorCollection<E, D> for Subsample<C, K, E, D> {
    type To<E2: Dtype, D2: Device<E2>> = Subsample<C, K, E2, D2>;

    fn iter_tensors<V: ModuleVisitor<Self, E, D>>(visitor: &mut V) -> Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
        visitor.visit_fields(
            (
                Self::tensor(
                    "weight",
                    |s| &s.weight,
                    |s| &mut s.weight,
                    TensorOptions::reset_with(|t| begin(t, Init::Constant(1.0 / (K * K) as f64))),
                ),
                Self::tensor("bias", |s| &s.bias, |s| &mut s.bias, TensorOptions::reset_to_zeros()),
            ),
            |(weight, bias)| Subsample { weight, bias },
        )
    }
}
