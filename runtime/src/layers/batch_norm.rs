//! `batch_norm` (Ioffe and Szegedy, 2015).
//!
//! dfdx has one too, but calls the weight `scale`, refuses a tape in evaluation, and visits `epsilon` and `momentum` as
//! scalars that a PyTorch file does not have.

use super::begin;
use crate::backend::{Backend, Real};
use crate::graph::Init;
use crate::walk::{Walk, WalkMut, Walked};
use dfdx::prelude::*;

layer! {
    /// Scale, shift and running statistics of `C` channels.
    BatchNorm<C> {
        /// Scale, `[C]`; starts at one
        param weight: Rank1<C> = Init::Ones;
        /// Shift, `[C]`; starts at zero
        param bias: Rank1<C> = Init::Zeros;
        /// Running mean, `[C]`; not trained
        buffer running_mean: Rank1<C> = Init::Zeros;
        /// Running (unbiased) variance, `[C]`; not trained
        buffer running_var: Rank1<C> = Init::Ones;
    }
}
