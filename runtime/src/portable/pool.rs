//! Pooling: over windows of pixels, over adaptive bins, over groups of channels.
//!
//! Each tap of the window becomes a matrix of its own. A maximum is a running comparison of these, so that the first of
//! several equal elements is chosen and takes the whole gradient, as in PyTorch; dfdx's own `max` gives it to all of them.

use super::rows::{Choice, Chosen, choose, window};
use super::{Context, Flat, number};
use crate::backend::{NetTape, Real};
use crate::graph::{AvgDivisor, Pool, PoolKind};
use dfdx::prelude::*;

/// For each output element, the input rows of its window.
type Windows = Vec<Vec<usize>>;

impl<E: Real, D: Device<E>> Context<'_, E, D> {
    pub(super) fn pool<T: NetTape<E, D>>(&self, pool: &Pool, x: Flat<E, D, T>) -> Result<Flat<E, D, T>, D::Err> {
        let chosen = self.chosen(x.device(), || match pool.kind {
            PoolKind::Avg(divisor) => {
                let windows = self.pool_windows(pool);
                let areas = self.pool_areas(pool, divisor, &windows);
                sums(&windows, areas)
            }
            _ => repeated(&self.pool_windows(pool)),
        })?;
        match pool.kind {
            PoolKind::Avg(_) => average(&chosen, x),
            _ => extremum(pool.kind, &chosen, x),
        }
    }

    fn pool_windows(&self, pool: &Pool) -> Windows {
        let before = [pool.pad.top, pool.pad.left];
        self.windows(|dimension, o, input| {
            let (kernel, stride, dilation) = (pool.kernel[dimension], pool.stride[dimension], pool.dilation[dimension]);
            let taps = window(o, kernel, stride, dilation, before[dimension], input);
            taps.into_iter().flatten().collect()
        })
    }

    /// What the sum of each window is divided by.
    fn pool_areas(&self, pool: &Pool, divisor: AvgDivisor, windows: &Windows) -> Vec<f64> {
        let before = [pool.pad.top, pool.pad.left];
        let [_, in_height, in_width] = self.input;
        let [_, height, width] = self.node.shape.chw();
        // How much of a window lies inside the padded input.
        let padded = |dimension: usize, o: usize, input: usize, after: usize| {
            let start = o * pool.stride[dimension];
            let end = start + (pool.kernel[dimension] - 1) * pool.dilation[dimension] + 1;
            end.min(input + before[dimension] + after) - start
        };
        (0..windows.len())
            .map(|i| match divisor {
                AvgDivisor::WithoutPad => windows[i].len() as f64,
                AvgDivisor::WithPad => {
                    let (y, x) = (i / width % height, i % width);
                    (padded(0, y, in_height, pool.pad.bottom) * padded(1, x, in_width, pool.pad.right)) as f64
                }
            })
            .collect()
    }

    pub(super) fn adaptive_avg_pool<T: NetTape<E, D>>(&self, x: Flat<E, D, T>) -> Result<Flat<E, D, T>, D::Err> {
        let [_, height, width] = self.node.shape.chw();
        let outputs = [height, width];
        let count = || {
            let windows = self.windows(|dimension, o, input| {
                let output = outputs[dimension];
                (o * input / output..((o + 1) * input).div_ceil(output)).collect()
            });
            sums(&windows, windows.iter().map(|window| window.len() as f64).collect())
        };
        average(&*self.chosen(x.device(), count)?, x)
    }

    pub(super) fn subsample<T: NetTape<E, D>>(&self, size: usize, x: Flat<E, D, T>) -> Result<Flat<E, D, T>, D::Err> {
        let count = || {
            let windows = self.windows(|_, o, _| (o * size..(o + 1) * size).collect());
            sums(&windows, vec![1.0; windows.len()])
        };
        let sums = self.channels(average(&*self.chosen(x.device(), count)?, x)?)?;
        let shape = *sums.shape();
        let y = sums.try_mul(self.spread::<T>(0, shape)?)?.try_add(self.spread::<T>(1, shape)?)?;
        self.by_channel(y)
    }

    pub(super) fn channel_pool<T: NetTape<E, D>>(
        &self,
        kind: PoolKind,
        size: usize,
        x: Flat<E, D, T>,
    ) -> Result<Flat<E, D, T>, D::Err> {
        let area = self.input[1] * self.input[2];
        let window = |i: usize| (0..size).map(|tap| (i / area * size + tap) * area + i % area).collect();
        let windows = || (0..self.node.shape.len()).map(window).collect::<Windows>();
        match kind {
            PoolKind::Avg(_) => {
                let count = || sums(&windows(), vec![size as f64; self.node.shape.len()]);
                average(&*self.chosen(x.device(), count)?, x)
            }
            _ => extremum(kind, &*self.chosen(x.device(), || repeated(&windows()))?, x),
        }
    }

    /// Windows from the positions that they cover in each dimension.
    fn windows(&self, covered: impl Fn(usize, usize, usize) -> Vec<usize>) -> Windows {
        let [_, in_height, in_width] = self.input;
        let [channels, height, width] = self.node.shape.chw();
        let ys: Vec<Vec<usize>> = (0..height).map(|o| covered(0, o, in_height)).collect();
        let xs: Vec<Vec<usize>> = (0..width).map(|o| covered(1, o, in_width)).collect();
        let mut windows = Vec::with_capacity(channels * height * width);
        for channel in 0..channels {
            for rows in &ys {
                for cols in &xs {
                    let row = |y: &usize| (channel * in_height + y) * in_width;
                    windows.push(rows.iter().flat_map(|y| cols.iter().map(move |x| row(y) + x)).collect());
                }
            }
        }
        windows
    }
}

/// A list for each tap of windows that are to be compared. One that is cut short repeats its first element, which changes nothing.
fn repeated(windows: &Windows) -> Choice {
    let tap = |k: usize| windows.iter().map(|window| window.get(k).or(window.first()).copied()).collect();
    let taps = windows.iter().map(Vec::len).max().unwrap_or(0);
    Choice { rows: (0..taps).map(tap).collect(), factors: Vec::new() }
}

/// A list for each tap of windows that are to be added up, and what the sums are divided by.
fn sums(windows: &Windows, areas: Vec<f64>) -> Choice {
    let tap = |k: usize| windows.iter().map(|window| window.get(k).copied()).collect();
    let taps = windows.iter().map(Vec::len).max().unwrap_or(0);
    Choice { rows: (0..taps).map(tap).collect(), factors: areas }
}

/// The largest or smallest of each window; a NaN wins.
fn extremum<E: Real, D: Device<E>, T: NetTape<E, D>>(
    kind: PoolKind,
    taps: &Chosen<D>,
    x: Flat<E, D, T>,
) -> Result<Flat<E, D, T>, D::Err> {
    let (x, tape) = x.split_tape();
    let mut best = choose(x.clone().put_tape(tape), &taps.rows[0])?;
    for rows in &taps.rows[1..] {
        let (held, tape) = best.split_tape();
        let next = choose(x.clone().put_tape(tape), rows)?;
        let (next, tape) = next.split_tape();
        let beats = match kind {
            PoolKind::Max => next.try_gt(&held)?,
            _ => next.try_lt(&held)?,
        };
        let wins = beats | next.try_ne(&next)?;
        best = wins.try_choose(next.put_tape(tape), held)?;
    }
    Ok(best)
}

/// The sum of each window over its area.
fn average<E: Real, D: Device<E>, T: NetTape<E, D>>(
    taps: &Chosen<D>,
    x: Flat<E, D, T>,
) -> Result<Flat<E, D, T>, D::Err> {
    let (x, tape) = x.split_tape();
    let mut sum = choose(x.clone().put_tape(tape), &taps.rows[0])?;
    for rows in &taps.rows[1..] {
        let (held, tape) = sum.split_tape();
        let next = choose(x.clone().put_tape(tape), rows)?;
        sum = next.try_add(held)?;
    }
    let scales: Vec<E> = taps.factors.iter().map(|area| number(1.0 / area.max(1.0))).collect();
    let shape = *sum.shape();
    let scales = sum.device().try_tensor_from_vec(scales, (shape.0,))?;
    sum.try_mul(scales.try_broadcast_like::<_, Axis<1>>(&shape)?)
}
