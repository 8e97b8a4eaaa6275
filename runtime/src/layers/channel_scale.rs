//! `channel_scale`: ConvNeXt's layer scale (Touvron et al., 2021).

use super::begin;
use crate::backend::{Backend, Real};
use crate::graph::Init;
use crate::walk::{Walk, WalkMut, Walked};
use dfdx::prelude::*;

layer! {
    /// A factor for each of `C` channels.
    ChannelScale<C> {
        /// Factor, `[C]`; starts at 1e-6
        param weight: Rank1<C> = Init::Constant(1e-6);
    }
}
