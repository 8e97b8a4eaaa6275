//! `prelu` (He et al., 2015): a rectifier whose negative slope is learned.

use super::begin;
use crate::backend::{Backend, Real};
use crate::graph::Init;
use crate::walk::{Walk, WalkMut, Walked};
use dfdx::prelude::*;

layer! {
    /// `C` slopes: one for all channels (`C = 1`) or one a channel.
    Prelu<C> {
        /// Negative slope, `[C]`; starts at 0.25
        param weight: Rank1<C> = Init::Constant(0.25);
    }
}
