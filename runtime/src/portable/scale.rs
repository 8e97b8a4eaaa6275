//! Channels times factors: computed ones, and learned ones.

use super::rows::{Choice, choose};
use super::{Context, Flat};
use crate::backend::{NetTape, Real};
use dfdx::prelude::*;

impl<E: Real, D: Device<E>> Context<'_, E, D> {
    /// Each channel times its factor, `factors` is `[C, N]` then, or each element times another one.
    pub(super) fn scale<T: NetTape<E, D>>(
        &self,
        x: Flat<E, D, T>,
        factors: Flat<E, D>,
    ) -> Result<Flat<E, D, T>, D::Err> {
        if factors.shape() == x.shape() {
            return x.try_mul(factors);
        }
        let area = self.input[1] * self.input[2];
        let (x, tape) = x.split_tape();
        let count = || Choice::one((0..x.shape().0).map(|i| Some(i / area)).collect());
        let chosen = self.chosen(x.device(), count)?;
        choose(factors.put_tape(tape), &chosen.rows[0])?.try_mul(x)
    }

    /// Each channel times the factor that is its parameter.
    pub(super) fn channel_scale<T: NetTape<E, D>>(&self, x: Flat<E, D, T>) -> Result<Flat<E, D, T>, D::Err> {
        let x = self.channels(x)?;
        let factors = self.spread::<T>(0, *x.shape())?;
        self.by_channel(x.try_mul(factors)?)
    }
}
