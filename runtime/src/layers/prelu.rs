//! `prelu` (He et al., 2015): a rectifier whose negative slope is learned.

use super::begin;
use crate::backend::Real;
use crate::graph::Init;
use dfdx::prelude::*;

/// `C` slopes: one for all channels (`C = 1`) or one a channel.
#[derive(Debug, Clone)]
pub struct Prelu<const C: usize, E: Dtype = f32, D: Storage<E> = Cpu> {
    /// Negative slope, `[C]`; starts at 0.25
    pub weight: Tensor<Rank1<C>, E, D>,
}

impl<const C: usize, E: Real, D: Device<E>> TensorCollection<E, D> for Prelu<C, E, D> {
    type To<E2: Dtype, D2: Device<E2>> = Prelu<C, E2, D2>;

    fn iter_tensors<V: ModuleVisitor<Self, E, D>>(visitor: &mut V) -> Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
        visitor.visit_fields(
            Self::tensor(
                "weight",
                |s| &s.weight,
                |s| &mut s.weight,
                TensorOptions::reset_with(|t| begin(t, Init::Constant(0.25))),
            ),
            |weight| Prelu { weight },
        )
    }
}
