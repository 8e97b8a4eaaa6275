//! `conv_transpose`: the transposed map of a convolution. Without bias its tensors are those of
//! [`UnbiasedConv`](super::UnbiasedConv).

use super::begin;
use crate::backend::Real;
use crate::graph::Init;
use dfdx::prelude::*;

/// A transposed convolution from `IN` channels to `OUT`, of which each group of input channels makes `PER_GROUP`.
#[derive(Debug, Clone)]
pub struct ConvTranspose<
    const IN: usize,
    const PER_GROUP: usize,
    const OUT: usize,
    const KH: usize,
    const KW: usize,
    E: Dtype = f32,
    D: Storage<E> = Cpu,
> {
    /// `[IN, PER_GROUP, KH, KW]`
    pub weight: Tensor<Rank4<IN, PER_GROUP, KH, KW>, E, D>,
    /// `[OUT]`
    pub bias: Tensor<Rank1<OUT>, E, D>,
}

impl<const IN: usize, const PER_GROUP: usize, const OUT: usize, const KH: usize, const KW: usize, E: Real, D: Device<E>>
    TensorCollection<E, D> for ConvTranspose<IN, PER_GROUP, OUT, KH, KW, E, D>
{
    type To<E2: Dtype, D2: Device<E2>> = ConvTranspose<IN, PER_GROUP, OUT, KH, KW, E2, D2>;

    fn iter_tensors<V: ModuleVisitor<Self, E, D>>(visitor: &mut V) -> Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
        // PyTorch takes the second dimension of the weight for the fan-in, whichever way the convolution goes.
        visitor.visit_fields(
            (
                Self::tensor(
                    "weight",
                    |s| &s.weight,
                    |s| &mut s.weight,
                    TensorOptions::reset_with(|t| {
                        begin(t, Init::Uniform { fan_in: PER_GROUP * KH * KW, closed: true })
                    }),
                ),
                Self::tensor(
                    "bias",
                    |s| &s.bias,
                    |s| &mut s.bias,
                    TensorOptions::reset_with(|t| {
                        begin(t, Init::Uniform { fan_in: PER_GROUP * KH * KW, closed: true })
                    }),
                ),
            ),
            |(weight, bias)| ConvTranspose { weight, bias },
        )
    }
}
