//! Convolution: choose the rows that each tap of the kernel sees, then multiply matrices.

use super::rows::{Choice, Rows, choose, window};
use super::{Context, Flat};
use crate::backend::{NetTape, Real};
use crate::graph::{Connections, Conv, ConvTranspose};
use dfdx::prelude::*;
use std::ops::Range;

impl<E: Real, D: Device<E>> Context<'_, E, D> {
    pub(super) fn conv<T: NetTape<E, D>>(&self, conv: &Conv, x: Flat<E, D, T>) -> Result<Flat<E, D, T>, D::Err> {
        let [outs, height, width] = self.node.shape.chw();
        let batch = x.shape().1;
        let connections = self.graph.connections_of(conv);
        let groups = if connections.is_some() { 1 } else { conv.groups.count(self.input[0]) };
        let (group_ins, group_outs) = (self.input[0] / groups, outs / groups);
        let taps = group_ins * conv.kernel[0] * conv.kernel[1];
        // Of each group the pixels that its taps see, and its kernels; or the places of the table's weights.
        let seen = |group: usize| self.seen(conv, group * group_ins..(group + 1) * group_ins);
        let kernels = |group: usize| (group * group_outs..(group + 1) * group_outs).map(Some).collect();
        let chosen = self.chosen(x.device(), || {
            let mut rows: Vec<_> = (0..groups).map(seen).collect();
            match connections {
                Some(connections) => rows.push(connected(conv, connections, outs, taps)),
                None if groups > 1 => rows.extend((0..groups).map(kernels)),
                None => {}
            }
            Choice { rows, ..Choice::default() }
        })?;
        let (seen, others) = chosen.rows.split_at(groups);
        let places = others.first().filter(|_| connections.is_some());
        let (weight, weight_tape) = self.weight::<T>(places, outs, taps)?.split_tape();
        let (x, tape) = x.split_tape();
        let mut tape = tape.merge(weight_tape);
        let mut parts: Option<Flat<E, D>> = None;
        for group in 0..groups {
            // `[taps * pixels, N]` is `[taps, pixels * N]`.
            let columns = choose(x.clone().put_tape(tape), &seen[group])?;
            let (columns, rest) = columns.try_reshape_like(&(taps, height * width * batch))?.split_tape();
            let weight = weight.clone().put_tape(rest);
            let kernels = if groups == 1 { weight } else { choose(weight, &others[group])? };
            let (part, rest) = kernels.try_matmul(columns)?.split_tape();
            tape = rest;
            parts = Some(match parts {
                None => part,
                Some(before) => {
                    let (joined, rest) = (before.put_tape(tape), part).try_concat_along(Axis::<0>)?.split_tape();
                    tape = rest;
                    joined
                }
            });
        }
        // There is one group at least.
        let Some(y) = parts else { return Ok(x.put_tape(tape)) };
        let mut y = y.put_tape(tape);
        if conv.bias {
            let shape = *y.shape();
            y = y.try_add(self.spread::<T>(1, shape)?)?;
        }
        self.by_channel(y)
    }

    /// The weight as a matrix `[out, taps]` of one group; `places` are those of those that a connection table has.
    fn weight<T: NetTape<E, D>>(
        &self,
        places: Option<&Rows<D>>,
        outs: usize,
        taps: usize,
    ) -> Result<Flat<E, D, T>, D::Err> {
        let weight = self.params[0].retaped::<T>();
        let Some(places) = places else { return weight.try_reshape_like(&(outs, taps)) };
        let len = weight.shape().0 * weight.shape().1 * weight.shape().2 * weight.shape().3;
        choose(weight.try_reshape_like(&(len, 1))?, places)?.try_reshape_like(&(outs, taps))
    }

    /// For each tap (channel, ky, kx) of a group and each output pixel: the row of the input that it reads.
    fn seen(&self, conv: &Conv, channels: Range<usize>) -> Vec<Option<usize>> {
        let [_, in_height, in_width] = self.input;
        let [_, height, width] = self.node.shape.chw();
        let positions = |dimension: usize, output: usize, input: usize, before: usize| -> Vec<Vec<Option<usize>>> {
            let (kernel, stride, dilation) = (conv.kernel[dimension], conv.stride[dimension], conv.dilation[dimension]);
            (0..output).map(|o| window(o, kernel, stride, dilation, before, input)).collect()
        };
        let ys = positions(0, height, in_height, conv.pad.top);
        let xs = positions(1, width, in_width, conv.pad.left);
        let mut seen = Vec::with_capacity(channels.len() * conv.kernel[0] * conv.kernel[1] * height * width);
        for channel in channels {
            for ky in 0..conv.kernel[0] {
                for kx in 0..conv.kernel[1] {
                    for y in &ys {
                        for x in &xs {
                            let pixel = y[ky].zip(x[kx]).map(|(y, x)| (channel * in_height + y) * in_width + x);
                            seen.push(pixel);
                        }
                    }
                }
            }
        }
        seen
    }

    /// Each input pixel times all of the kernel, and what falls onto one output pixel added up.
    pub(super) fn conv_transpose<T: NetTape<E, D>>(
        &self,
        conv: &ConvTranspose,
        x: Flat<E, D, T>,
    ) -> Result<Flat<E, D, T>, D::Err> {
        let [ins, in_height, in_width] = self.input;
        let [outs, height, width] = self.node.shape.chw();
        let (batch, area) = (x.shape().1, in_height * in_width);
        let groups = conv.groups.count(ins);
        let (group_ins, group_outs) = (ins / groups, outs / groups);
        let kernel = conv.kernel[0] * conv.kernel[1];
        let weight = self.params[0].retaped::<T>().try_reshape_like(&(ins, group_outs * kernel))?;
        let (weight, weight_tape) = weight.split_tape();
        let (x, tape) = x.split_tape();
        let mut tape = tape.merge(weight_tape);
        let mut parts: Option<Flat<E, D>> = None;
        // Of each group its pixels and its kernels, and then what falls onto each output pixel, by tap.
        let chosen = self.chosen(x.device(), || {
            let channels = |group: usize| group * group_ins..(group + 1) * group_ins;
            let pixels = |group: usize| channels(group).flat_map(|c| (c * area..(c + 1) * area).map(Some)).collect();
            let pairs = (0..groups).flat_map(|group| [pixels(group), channels(group).map(Some).collect()]);
            let fallen = self.fallen(conv, [group_outs, height, width]);
            Choice { rows: pairs.chain(fallen).collect(), ..Choice::default() }
        })?;
        let (pairs, fallen) = chosen.rows.split_at(2 * groups);
        for group in 0..groups {
            let (pixels, rest) = choose(x.clone().put_tape(tape), &pairs[2 * group])?.split_tape();
            let kernels = choose(weight.clone().put_tape(rest), &pairs[2 * group + 1])?;
            let kernels = kernels.try_permute::<_, Axes2<1, 0>>()?;
            let spread = kernels.try_matmul(pixels.try_reshape_like(&(group_ins, area * batch))?)?;
            let spread = spread.try_reshape_like(&(group_outs * kernel * area, batch))?;
            let (part, rest) = gathered(fallen, group_outs * height * width, spread)?.split_tape();
            tape = rest;
            parts = Some(match parts {
                None => part,
                Some(before) => {
                    let (joined, rest) = (before.put_tape(tape), part).try_concat_along(Axis::<0>)?.split_tape();
                    tape = rest;
                    joined
                }
            });
        }
        let Some(y) = parts else { return Ok(x.put_tape(tape)) };
        let y = y.put_tape(tape);
        if !conv.bias {
            return Ok(y);
        }
        let y = y.try_reshape_like(&(outs, height * width * batch))?;
        let shape = *y.shape();
        let y = y.try_add(self.spread::<T>(1, shape)?)?;
        self.by_channel(y)
    }

    /// For each tap of a transposed convolution, the row that falls onto each output element; rows are (output channel, ky, kx,
    /// input y, input x).
    fn fallen(&self, conv: &ConvTranspose, [outs, height, width]: [usize; 3]) -> Vec<Vec<Option<usize>>> {
        let [_, in_height, in_width] = self.input;
        // The input coordinate that reaches output `o` through tap `k`.
        let source = |dimension: usize, o: usize, k: usize, before: usize, input: usize| {
            let reach = (o + before).checked_sub(k * conv.dilation[dimension])?;
            let i = reach / conv.stride[dimension];
            (reach.is_multiple_of(conv.stride[dimension]) && i < input).then_some(i)
        };
        let mut fallen = Vec::new();
        for ky in 0..conv.kernel[0] {
            for kx in 0..conv.kernel[1] {
                let mut rows = Vec::with_capacity(outs * height * width);
                for c in 0..outs {
                    let plane = ((c * conv.kernel[0] + ky) * conv.kernel[1] + kx) * in_height;
                    for y in 0..height {
                        let y = source(0, y, ky, conv.pad.top, in_height);
                        for x in 0..width {
                            let x = source(1, x, kx, conv.pad.left, in_width);
                            rows.push(y.zip(x).map(|(y, x)| (plane + y) * in_width + x));
                        }
                    }
                }
                fallen.push(rows);
            }
        }
        fallen
    }
}

/// The sum of what falls onto each of `len` output elements.
fn gathered<E: Real, D: Device<E>, T: NetTape<E, D>>(
    fallen: &[Rows<D>],
    len: usize,
    spread: Flat<E, D, T>,
) -> Result<Flat<E, D, T>, D::Err> {
    let (spread, mut tape) = spread.split_tape();
    let mut sum: Flat<E, D> = spread.device().try_zeros_like(&(len, spread.shape().1))?;
    for rows in fallen {
        let (next, rest) = choose(spread.clone().put_tape(tape), rows)?.try_add(sum)?.split_tape();
        (sum, tape) = (next, rest);
    }
    Ok(sum.put_tape(tape))
}

/// The places `[out, taps]` of a connection table's weights, with zeros where it has no link.
fn connected(conv: &Conv, connections: &Connections, outs: usize, taps: usize) -> Vec<Option<usize>> {
    let area = conv.kernel[0] * conv.kernel[1];
    let mut next = 0;
    let mut index = vec![None; outs * taps];
    for (out, ins) in connections.iter().enumerate() {
        for channel in &**ins {
            let start = out * taps + channel * area;
            for (place, entry) in index[start..start + area].iter_mut().enumerate() {
                *entry = Some(next + place);
            }
            next += area;
        }
    }
    index
}
