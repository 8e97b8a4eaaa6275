//! Batch, group and local response normalisation.

use super::rows::{Choice, choose};
use super::{Context, Flat, number};
use crate::backend::{Map, NetTape, Real};
use crate::graph::Affine;
use dfdx::prelude::*;

impl<E: Real, D: Device<E>> Context<'_, E, D> {
    pub(super) fn batch_norm<T: NetTape<E, D>>(
        &self,
        eps: f64,
        momentum: f64,
        x: Flat<E, D, T>,
        running: &mut Vec<(usize, Vec<E>)>,
    ) -> Result<Flat<E, D, T>, D::Err> {
        let x = self.channels(x)?;
        let shape = *x.shape();
        let (centred, var) = if self.takes_statistics {
            let mean = x.with_empty_tape().try_mean::<_, Axis<1>>()?;
            let batch_mean = mean.as_vec();
            let centred = x.try_sub(mean.try_broadcast_like::<_, Axis<1>>(&shape)?)?;
            let var = centred.with_empty_tape().try_square()?.try_mean::<_, Axis<1>>()?;
            self.fold(momentum, batch_mean, var.as_vec(), shape.1, running);
            (centred, var)
        } else {
            let mean = self.spread::<T>(2, shape)?;
            let var = self.params[3].retaped::<T>().try_reshape_like(&(shape.0,))?;
            (x.try_sub(mean)?, var)
        };
        let std = var.try_add(number::<E>(eps))?.try_sqrt()?.try_broadcast_like::<_, Axis<1>>(&shape)?;
        let scaled = centred.try_div(std)?.try_mul(self.spread::<T>(0, shape)?)?;
        self.by_channel(scaled.try_add(self.spread::<T>(1, shape)?)?)
    }

    /// PyTorch's rule for running statistics, with the unbiased variance of `count` elements. They stay as they are where that
    /// is one, which says nothing about a variance.
    fn fold(&self, momentum: f64, mean: Vec<E>, var: Vec<E>, count: usize, running: &mut Vec<(usize, Vec<E>)>) {
        let momentum = if count > 1 { momentum } else { 0.0 };
        let unbiased = number(count as f64 / count.saturating_sub(1).max(1) as f64);
        for (which, batch, factor) in [(2, mean, E::one()), (3, var, unbiased)] {
            let old = self.params[which].as_vec();
            let pairs = old.into_iter().zip(batch);
            let new = pairs.map(|(old, new)| number::<E>(1.0 - momentum) * old + number::<E>(momentum) * factor * new);
            running.push((self.node.first_param + which, new.collect()));
        }
    }

    pub(super) fn group_norm<T: NetTape<E, D>>(
        &self,
        groups: usize,
        eps: f64,
        affine: Affine,
        x: Flat<E, D, T>,
    ) -> Result<Flat<E, D, T>, D::Err> {
        let (features, batch) = *x.shape();
        let shape = (groups, features / groups, batch);
        let x = x.try_reshape_like(&shape)?;
        let mean = x.with_empty_tape().try_mean::<_, Axis<1>>()?;
        let centred = x.try_sub(mean.try_broadcast_like::<_, Axis<1>>(&shape)?)?;
        let var = centred.with_empty_tape().try_square()?.try_mean::<_, Axis<1>>()?;
        let std = var.try_add(number::<E>(eps))?.try_sqrt()?.try_broadcast_like::<_, Axis<1>>(&shape)?;
        let normal = centred.try_div(std)?;
        // Parameters go along rows: of a channel, or of an element.
        let rows = match affine {
            Affine::None => return normal.try_reshape_like(&(features, batch)),
            Affine::Channel => self.input[0],
            Affine::Element => features,
        };
        let shape = (rows, features / rows * batch);
        let along = |param: &Map<E, D>| -> Result<Flat<E, D, T>, D::Err> {
            param.retaped::<T>().try_reshape_like(&(rows,))?.try_broadcast_like::<_, Axis<1>>(&shape)
        };
        let scaled = normal.try_reshape_like(&shape)?.try_mul(along(&self.params[0])?)?;
        scaled.try_add(along(&self.params[1])?)?.try_reshape_like(&(features, batch))
    }

    /// A row for each channel: each column, a pixel of an image, is normalised by itself.
    pub(super) fn pixel_norm<T: NetTape<E, D>>(
        &self,
        eps: f64,
        affine: bool,
        x: Flat<E, D, T>,
    ) -> Result<Flat<E, D, T>, D::Err> {
        let x = self.channels(x)?;
        let shape = *x.shape();
        let mean = x.with_empty_tape().try_mean::<_, Axis<0>>()?;
        let centred = x.try_sub(mean.try_broadcast_like::<_, Axis<0>>(&shape)?)?;
        let var = centred.with_empty_tape().try_square()?.try_mean::<_, Axis<0>>()?;
        let std = var.try_add(number::<E>(eps))?.try_sqrt()?.try_broadcast_like::<_, Axis<0>>(&shape)?;
        let normal = centred.try_div(std)?;
        if !affine {
            return self.by_channel(normal);
        }
        let scaled = normal.try_mul(self.spread::<T>(0, shape)?)?;
        self.by_channel(scaled.try_add(self.spread::<T>(1, shape)?)?)
    }

    pub(super) fn lrn<T: NetTape<E, D>>(
        &self,
        size: usize,
        alpha: f64,
        beta: f64,
        k: f64,
        x: Flat<E, D, T>,
    ) -> Result<Flat<E, D, T>, D::Err> {
        let [channels, height, width] = self.input;
        let area = height * width;
        // The matrix whose row for channel c is the square of channel c + offset.
        let shifted = |offset: usize| -> Vec<Option<usize>> {
            let channel = |c: usize| (c + offset).checked_sub(size / 2).filter(|channel| *channel < channels);
            (0..channels * area).map(|i| channel(i / area).map(|c| c * area + i % area)).collect()
        };
        let count = || Choice { rows: (0..size).map(shifted).collect(), ..Choice::default() };
        let chosen = self.chosen(x.device(), count)?;
        let (squares, tape) = x.with_empty_tape().try_square()?.split_tape();
        let mut sum = choose(squares.clone().put_tape(tape), &chosen.rows[0])?;
        for rows in &chosen.rows[1..] {
            let (held, tape) = sum.split_tape();
            sum = choose(squares.clone().put_tape(tape), rows)?.try_add(held)?;
        }
        let base = sum.try_mul(number::<E>(alpha / size as f64))?.try_add(number::<E>(k))?;
        x.try_mul(base.try_powf(-beta)?)
    }
}
