//! `conv`: 2-d convolution, with and without bias, dense or by LeNet's connection table.
//!
//! Four types rather than one with an optional bias: a field that is there has a tensor in it, so `net.conv1.bias` needs
//! no unwrapping, and one that is not there is a compile error.

use super::begin;
use crate::backend::Real;
use crate::graph::Init;
use dfdx::prelude::*;

/// A convolution of `OUT` kernels over `IN` channels each (`IN` is per group), `KH x KW`.
#[derive(Debug, Clone)]
pub struct Conv<
    const OUT: usize,
    const IN: usize,
    const KH: usize,
    const KW: usize,
    E: Dtype = f32,
    D: Storage<E> = Cpu,
> {
    /// `[OUT, IN, KH, KW]`
    pub weight: Tensor<Rank4<OUT, IN, KH, KW>, E, D>,
    /// `[OUT]`
    pub bias: Tensor<Rank1<OUT>, E, D>,
}

impl<const OUT: usize, const IN: usize, const KH: usize, const KW: usize, E: Real, D: Device<E>> TensorCollection<E, D>
    for Conv<OUT, IN, KH, KW, E, D>
{
    type To<E2: Dtype, D2: Device<E2>> = Conv<OUT, IN, KH, KW, E2, D2>;

    fn iter_tensors<V: ModuleVisitor<Self, E, D>>(visitor: &mut V) -> Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
        visitor.visit_fields(
            (
                Self::tensor(
                    "weight",
                    |s| &s.weight,
                    |s| &mut s.weight,
                    TensorOptions::reset_with(|t| begin(t, Init::Uniform { fan_in: IN * KH * KW, closed: true })),
                ),
                Self::tensor(
                    "bias",
                    |s| &s.bias,
                    |s| &mut s.bias,
                    TensorOptions::reset_with(|t| begin(t, Init::Uniform { fan_in: IN * KH * KW, closed: true })),
                ),
            ),
            |(weight, bias)| Conv { weight, bias },
        )
    }
}

/// [`Conv`] with `bias = false`; also a transposed convolution from `OUT` channels, of which each group makes `IN`.
#[derive(Debug, Clone)]
pub struct UnbiasedConv<
    const OUT: usize,
    const IN: usize,
    const KH: usize,
    const KW: usize,
    E: Dtype = f32,
    D: Storage<E> = Cpu,
> {
    /// `[OUT, IN, KH, KW]`
    pub weight: Tensor<Rank4<OUT, IN, KH, KW>, E, D>,
}

impl<const OUT: usize, const IN: usize, const KH: usize, const KW: usize, E: Real, D: Device<E>> TensorCollection<E, D>
    for UnbiasedConv<OUT, IN, KH, KW, E, D>
{
    type To<E2: Dtype, D2: Device<E2>> = UnbiasedConv<OUT, IN, KH, KW, E2, D2>;

    fn iter_tensors<V: ModuleVisitor<Self, E, D>>(visitor: &mut V) -> Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
        visitor.visit_fields(
            Self::tensor(
                "weight",
                |s| &s.weight,
                |s| &mut s.weight,
                TensorOptions::reset_with(|t| begin(t, Init::Uniform { fan_in: IN * KH * KW, closed: true })),
            ),
            |weight| UnbiasedConv { weight },
        )
    }
}

/// A convolution by a connection table (LeCun et al., 1998, table I): `LINKS` pairs of input and output channel, each
/// with a kernel of its own.
#[derive(Debug, Clone)]
pub struct LinkedConv<
    const OUT: usize,
    const LINKS: usize,
    const KH: usize,
    const KW: usize,
    E: Dtype = f32,
    D: Storage<E> = Cpu,
> {
    /// `[LINKS, KH, KW]`, in the order of the table
    pub weight: Tensor<Rank3<LINKS, KH, KW>, E, D>,
    /// `[OUT]`
    pub bias: Tensor<Rank1<OUT>, E, D>,
}

impl<const OUT: usize, const LINKS: usize, const KH: usize, const KW: usize, E: Real, D: Device<E>>
    TensorCollection<E, D> for LinkedConv<OUT, LINKS, KH, KW, E, D>
{
    type To<E2: Dtype, D2: Device<E2>> = LinkedConv<OUT, LINKS, KH, KW, E2, D2>;

    fn iter_tensors<V: ModuleVisitor<Self, E, D>>(visitor: &mut V) -> Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
        visitor.visit_fields(
            (
                // The fan-in differs from channel to channel; the mean is what the whole layer has.
                Self::tensor(
                    "weight",
                    |s| &s.weight,
                    |s| &mut s.weight,
                    TensorOptions::reset_with(|t| {
                        begin(t, Init::Uniform { fan_in: LINKS.div_ceil(OUT) * KH * KW, closed: true })
                    }),
                ),
                Self::tensor(
                    "bias",
                    |s| &s.bias,
                    |s| &mut s.bias,
                    TensorOptions::reset_with(|t| {
                        begin(t, Init::Uniform { fan_in: LINKS.div_ceil(OUT) * KH * KW, closed: true })
                    }),
                ),
            ),
            |(weight, bias)| LinkedConv { weight, bias },
        )
    }
}

/// [`LinkedConv`] with `bias = false`.
#[derive(Debug, Clone)]
pub struct UnbiasedLinkedConv<
    const OUT: usize,
    const LINKS: usize,
    const KH: usize,
    const KW: usize,
    E: Dtype = f32,
    D: Storage<E> = Cpu,
> {
    /// `[LINKS, KH, KW]`, in the order of the table
    pub weight: Tensor<Rank3<LINKS, KH, KW>, E, D>,
}

impl<const OUT: usize, const LINKS: usize, const KH: usize, const KW: usize, E: Real, D: Device<E>>
    TensorCollection<E, D> for UnbiasedLinkedConv<OUT, LINKS, KH, KW, E, D>
{
    type To<E2: Dtype, D2: Device<E2>> = UnbiasedLinkedConv<OUT, LINKS, KH, KW, E2, D2>;

    fn iter_tensors<V: ModuleVisitor<Self, E, D>>(visitor: &mut V) -> Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
        visitor.visit_fields(
            Self::tensor(
                "weight",
                |s| &s.weight,
                |s| &mut s.weight,
                TensorOptions::reset_with(|t| {
                    begin(t, Init::Uniform { fan_in: LINKS.div_ceil(OUT) * KH * KW, closed: true })
                }),
            ),
            |weight| UnbiasedLinkedConv { weight },
        )
    }
}
