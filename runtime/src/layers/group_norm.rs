//! `group_norm`, `instance_norm` and `layer_norm` of a vector: a weight and a bias for each channel.

use super::begin;
use crate::backend::{Backend, Real};
use crate::graph::Init;
use crate::walk::{Walk, WalkMut, Walked};
use dfdx::prelude::*;

layer! {
    /// Scale and shift of `C` channels.
    GroupNorm<C> {
        /// Scale, `[C]`; starts at one
        param weight: Rank1<C> = Init::Ones;
        /// Shift, `[C]`; starts at zero
        param bias: Rank1<C> = Init::Zeros;
    }
}
