//! Layers that move pixels, each a choice of rows.

use super::rows::choose;
use super::{Context, Flat, number};
use crate::graph::Resample;
use crate::net::{NetTape, Real};
use dfdx::prelude::*;

impl<E: Real, D: Device<E>> Context<'_, E, D> {
    pub(super) fn resample<T: NetTape<E, D>>(&self, how: Resample, x: Flat<E, D, T>) -> Result<Flat<E, D, T>, D::Err> {
        let [_, in_height, in_width] = self.input;
        let [channels, height, width] = self.node.shape.chw();
        let (ys, xs) = (how.taps(0, in_height, height), how.taps(1, in_width, width));
        // The rows that each output element is the weighted sum of.
        let mut sources: Vec<Vec<(usize, f64)>> = Vec::with_capacity(channels * height * width);
        for c in 0..channels {
            for rows in &ys {
                for cols in &xs {
                    let pairs = rows.iter().flat_map(|(y, a)| cols.iter().map(move |(x, b)| ((y, x), a * b)));
                    sources.push(pairs.map(|((y, x), w)| ((c * in_height + y) * in_width + x, w)).collect());
                }
            }
        }
        let (x, mut tape) = x.split_tape();
        let (device, shape) = (x.device().clone(), (sources.len(), x.shape().1));
        let outside = sources.iter().map(|taps| if taps.is_empty() { number(how.outside()) } else { E::zero() });
        let outside = device.try_tensor_from_vec(outside.collect::<Vec<E>>(), (shape.0,))?;
        let mut sum: Flat<E, D> = outside.try_broadcast_like::<_, Axis<1>>(&shape)?;
        for tap in 0..sources.iter().map(Vec::len).max().unwrap_or(0) {
            let chosen = sources.iter().map(|taps| taps.get(tap).map(|(row, _)| *row)).collect();
            let weights = sources.iter().map(|taps| taps.get(tap).map_or(E::zero(), |(_, weight)| number(*weight)));
            let weights = device.try_tensor_from_vec(weights.collect::<Vec<E>>(), (shape.0,))?;
            let term = choose(x.clone().put_tape(tape), chosen)?;
            let term = term.try_mul(weights.try_broadcast_like::<_, Axis<1>>(&shape)?)?;
            let (next, rest) = term.try_add(sum)?.split_tape();
            (sum, tape) = (next, rest);
        }
        Ok(sum.put_tape(tape))
    }

    pub(super) fn channel_pad<T: NetTape<E, D>>(
        &self,
        before: usize,
        x: Flat<E, D, T>,
    ) -> Result<Flat<E, D, T>, D::Err> {
        let (area, features) = (self.input[1] * self.input[2], x.shape().0);
        let source = |i: usize| i.checked_sub(before * area).filter(|row| *row < features);
        choose(x, (0..self.node.shape.len()).map(source).collect())
    }

    pub(super) fn channel_shuffle<T: NetTape<E, D>>(
        &self,
        groups: usize,
        x: Flat<E, D, T>,
    ) -> Result<Flat<E, D, T>, D::Err> {
        let [channels, height, width] = self.input;
        let (area, size) = (height * width, channels / groups);
        let source = |c: usize| c % groups * size + c / groups;
        choose(x, (0..channels * area).map(|i| Some(source(i / area) * area + i % area)).collect())
    }

    pub(super) fn pixel_shuffle<T: NetTape<E, D>>(
        &self,
        factor: usize,
        x: Flat<E, D, T>,
    ) -> Result<Flat<E, D, T>, D::Err> {
        let [_, in_height, in_width] = self.input;
        let [channels, height, width] = self.node.shape.chw();
        let mut index = Vec::with_capacity(channels * height * width);
        for c in 0..channels {
            for y in 0..height {
                for x in 0..width {
                    let channel = (c * factor + y % factor) * factor + x % factor;
                    index.push(Some((channel * in_height + y / factor) * in_width + x / factor));
                }
            }
        }
        choose(x, index)
    }
}
