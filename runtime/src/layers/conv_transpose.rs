//! `conv_transpose`: the transposed map of a convolution. Without bias its tensors are those of
//! [`UnbiasedConv`](super::UnbiasedConv).
//!
//! PyTorch takes the second dimension of the weight for the fan-in, whichever way the convolution goes.

use super::begin;
use crate::backend::{Backend, Real};
use crate::graph::Init;
use crate::walk::{Walk, WalkMut, Walked};
use dfdx::prelude::*;

layer! {
    /// A transposed convolution from `IN` channels to `OUT`, of which each group of input channels makes `PER_GROUP`.
    ConvTranspose<IN, PER_GROUP, OUT, KH, KW> {
        /// `[IN, PER_GROUP, KH, KW]`
        param weight: Rank4<IN, PER_GROUP, KH, KW> = Init::Uniform { fan_in: PER_GROUP * KH * KW, closed: true };
        /// `[OUT]`
        param bias: Rank1<OUT> = Init::Uniform { fan_in: PER_GROUP * KH * KW, closed: true };
    }
}
