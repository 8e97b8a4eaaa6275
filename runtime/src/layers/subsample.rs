//! `subsample`: LeNet's trainable pooling (LeCun et al., 1998, section II-B).

use super::begin;
use crate::backend::{Backend, Real};
use crate::graph::Init;
use crate::walk::{Walk, WalkMut, Walked};
use dfdx::prelude::*;

layer! {
    /// A coefficient and a bias for each of `C` channels; with `K x K` windows it starts as the average.
    Subsample<C, K> {
        /// Coefficient of the window's sum, `[C]`
        param weight: Rank1<C> = Init::Constant(1.0 / (K * K) as f64);
        /// `[C]`
        param bias: Rank1<C> = Init::Zeros;
    }
}
