//! Layers that move pixels, each a choice of rows.

use super::rows::{Choice, choose};
use super::{Context, Flat, number};
use crate::backend::{NetTape, Real};
use crate::graph::Resample;
use dfdx::prelude::*;

impl<E: Real, D: Device<E>> Context<'_, E, D> {
    pub(super) fn resample<T: NetTape<E, D>>(&self, how: Resample, x: Flat<E, D, T>) -> Result<Flat<E, D, T>, D::Err> {
        let chosen = self.chosen(x.device(), || self.sources(how))?;
        let (x, mut tape) = x.split_tape();
        let (device, shape) = (x.device().clone(), (self.node.shape.len(), x.shape().1));
        let (outside, weights) = chosen.factors.split_at(shape.0);
        let column = |numbers: &[f64]| {
            let numbers = numbers.iter().map(|x| number(*x)).collect::<Vec<E>>();
            device.try_tensor_from_vec(numbers, (shape.0,))?.try_broadcast_like::<_, Axis<1>>(&shape)
        };
        let mut sum: Flat<E, D> = column(outside)?;
        for (rows, weights) in chosen.rows.iter().zip(weights.chunks_exact(shape.0)) {
            let term = choose(x.clone().put_tape(tape), rows)?.try_mul(column(weights)?)?;
            let (next, rest) = term.try_add(sum)?.split_tape();
            (sum, tape) = (next, rest);
        }
        Ok(sum.put_tape(tape))
    }

    /// For each tap, the row that each output element reads. The factors are what elements without taps are, and then the
    /// weights of each tap.
    fn sources(&self, how: Resample) -> Choice {
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
        let mut choice = Choice::default();
        choice.factors.extend(sources.iter().map(|taps| if taps.is_empty() { how.outside() } else { 0.0 }));
        for tap in 0..sources.iter().map(Vec::len).max().unwrap_or(0) {
            choice.rows.push(sources.iter().map(|taps| taps.get(tap).map(|(row, _)| *row)).collect());
            choice.factors.extend(sources.iter().map(|taps| taps.get(tap).map_or(0.0, |(_, weight)| *weight)));
        }
        choice
    }

    /// One choice of rows, and nothing else.
    fn picked<T: NetTape<E, D>>(
        &self,
        x: Flat<E, D, T>,
        rows: impl FnOnce() -> Vec<Option<usize>>,
    ) -> Result<Flat<E, D, T>, D::Err> {
        let chosen = self.chosen(x.device(), || Choice::one(rows()))?;
        choose(x, &chosen.rows[0])
    }

    pub(super) fn channel_pad<T: NetTape<E, D>>(
        &self,
        before: usize,
        x: Flat<E, D, T>,
    ) -> Result<Flat<E, D, T>, D::Err> {
        let (area, features) = (self.input[1] * self.input[2], x.shape().0);
        let source = |i: usize| i.checked_sub(before * area).filter(|row| *row < features);
        self.picked(x, || (0..self.node.shape.len()).map(source).collect())
    }

    pub(super) fn channel_crop<T: NetTape<E, D>>(
        &self,
        before: usize,
        x: Flat<E, D, T>,
    ) -> Result<Flat<E, D, T>, D::Err> {
        let area = self.input[1] * self.input[2];
        self.picked(x, || (0..self.node.shape.len()).map(|i| Some(before * area + i)).collect())
    }

    pub(super) fn channel_shuffle<T: NetTape<E, D>>(
        &self,
        groups: usize,
        x: Flat<E, D, T>,
    ) -> Result<Flat<E, D, T>, D::Err> {
        let [channels, height, width] = self.input;
        let (area, size) = (height * width, channels / groups);
        let source = |c: usize| c % groups * size + c / groups;
        self.picked(x, || (0..channels * area).map(|i| Some(source(i / area) * area + i % area)).collect())
    }

    pub(super) fn pixel_shuffle<T: NetTape<E, D>>(
        &self,
        factor: usize,
        x: Flat<E, D, T>,
    ) -> Result<Flat<E, D, T>, D::Err> {
        let [_, in_height, in_width] = self.input;
        let [channels, height, width] = self.node.shape.chw();
        self.picked(x, || {
            let mut index = Vec::with_capacity(channels * height * width);
            for c in 0..channels {
                for y in 0..height {
                    for x in 0..width {
                        let channel = (c * factor + y % factor) * factor + x % factor;
                        index.push(Some((channel * in_height + y / factor) * in_width + x / factor));
                    }
                }
            }
            index
        })
    }

    pub(super) fn pixel_unshuffle<T: NetTape<E, D>>(
        &self,
        factor: usize,
        x: Flat<E, D, T>,
    ) -> Result<Flat<E, D, T>, D::Err> {
        let [_, in_height, in_width] = self.input;
        let [_, height, width] = self.node.shape.chw();
        let source = |i: usize| {
            let (c, y, x) = (i / (height * width), i / width % height, i % width);
            let (channel, place) = (c / (factor * factor), c % (factor * factor));
            let row = channel * in_height + y * factor + place / factor;
            row * in_width + x * factor + place % factor
        };
        self.picked(x, || (0..self.node.shape.len()).map(|i| Some(source(i))).collect())
    }

    pub(super) fn permute<T: NetTape<E, D>>(
        &self,
        order: [usize; 3],
        x: Flat<E, D, T>,
    ) -> Result<Flat<E, D, T>, D::Err> {
        let [_, in_height, in_width] = self.input;
        let [_, height, width] = self.node.shape.chw();
        let source = |i: usize| {
            let mut at = [0; 3];
            for (from, place) in order.into_iter().zip([i / (height * width), i / width % height, i % width]) {
                at[from] = place;
            }
            (at[0] * in_height + at[1]) * in_width + at[2]
        };
        self.picked(x, || (0..self.node.shape.len()).map(|i| Some(source(i))).collect())
    }
}
