//! `layer_norm` (Ba et al., 2016) of a map: a weight and a bias for each element, as PyTorch's `LayerNorm([C, H, W])`.

use super::begin;
use crate::backend::{Backend, Real};
use crate::graph::Init;
use crate::walk::{Walk, WalkMut, Walked};
use dfdx::prelude::*;

layer! {
    /// Scale and shift of each element of a `[C, H, W]` map.
    LayerNorm<C, H, W> {
        /// Scale, `[C, H, W]`; starts at one
        param weight: Rank3<C, H, W> = Init::Ones;
        /// Shift, `[C, H, W]`; starts at zero
        param bias: Rank3<C, H, W> = Init::Zeros;
    }
}
