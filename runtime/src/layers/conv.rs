//! `conv`: 2-d convolution, with and without bias, dense or by LeNet's connection table.
//!
//! Four types rather than one with an optional bias: a field that is there has a tensor in it, so `net.conv1.bias` needs
//! no unwrapping, and one that is not there is a compile error.

use super::begin;
use crate::backend::{Backend, Real};
use crate::graph::Init;
use crate::walk::{Walk, WalkMut, Walked};
use dfdx::prelude::*;

layer! {
    /// A convolution of `OUT` kernels over `IN` channels each (`IN` is per group), `KH x KW`.
    Conv<OUT, IN, KH, KW> {
        /// `[OUT, IN, KH, KW]`
        param weight: Rank4<OUT, IN, KH, KW> = Init::Uniform { fan_in: IN * KH * KW, closed: true };
        /// `[OUT]`
        param bias: Rank1<OUT> = Init::Uniform { fan_in: IN * KH * KW, closed: true };
    }
}

layer! {
    /// [`Conv`] with `bias = false`; also a transposed convolution from `OUT` channels, of which each group makes `IN`.
    UnbiasedConv<OUT, IN, KH, KW> {
        /// `[OUT, IN, KH, KW]`
        param weight: Rank4<OUT, IN, KH, KW> = Init::Uniform { fan_in: IN * KH * KW, closed: true };
    }
}

/// The fan-in of a convolution by a connection table. It differs from channel to channel; this is the mean of the layer.
const fn linked_fan_in(out: usize, connections: usize, window: usize) -> usize {
    connections.div_ceil(out) * window
}

layer! {
    /// A convolution by a connection table (LeCun et al., 1998, table I): `LINKS` pairs of input and output channel, each
    /// with a kernel of its own.
    LinkedConv<OUT, LINKS, KH, KW> {
        /// `[LINKS, KH, KW]`, in the order of the table
        param weight: Rank3<LINKS, KH, KW> = Init::Uniform { fan_in: linked_fan_in(OUT, LINKS, KH * KW), closed: true };
        /// `[OUT]`
        param bias: Rank1<OUT> = Init::Uniform { fan_in: linked_fan_in(OUT, LINKS, KH * KW), closed: true };
    }
}

layer! {
    /// [`LinkedConv`] with `bias = false`.
    UnbiasedLinkedConv<OUT, LINKS, KH, KW> {
        /// `[LINKS, KH, KW]`, in the order of the table
        param weight: Rank3<LINKS, KH, KW> = Init::Uniform { fan_in: linked_fan_in(OUT, LINKS, KH * KW), closed: true };
    }
}
