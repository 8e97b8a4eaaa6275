//! From the numbers of a convolution or linear layer to the tap lists of its three kernels.
//!
//! Which output channel reads which input channel is a [`Wiring`]: dense, grouped or by a connection table. The backward
//! pass to the input of a convolution with stride `s` is `s x s` correlations, one for each residue of the input's
//! coordinates, so that no zero is ever multiplied.

mod taps;

use super::algorithm::{self, Precision, Sizes, Tiles};
use super::kernels::{
    Block, Correlate, Isa, WIDEST_KERNEL, WeightBlock, WeightGrad, WeightMap, Winograd, WinogradGrad, WinogradPack,
};
use super::layout::Layout;
use convnet_graph::{Connections, Conv, ConvTranspose, Groups, Pad};
use std::ops::Range;
use taps::{DenseStrides, KernelShape, KernelTaps};

/// The geometry of one layer: a convolution, a linear layer as a convolution with a kernel of the whole map, or a transposed
/// convolution as the convolution whose backward pass it is.
#[derive(Debug, Clone, Copy)]
pub struct Geometry<'a> {
    /// Kernel, stride, padding and dilation.
    conv: Conv,
    /// Number of groups of channels.
    groups: usize,
    connections: Option<&'a Connections>,
    /// Input `[C, H, W]` of the convolution.
    input: [usize; 3],
    /// Output `[C, H, W]` of the convolution.
    output: [usize; 3],
    /// Whether the layer goes from the convolution's output to its input.
    transposed: bool,
    /// Whether the layer has a bias.
    pub bias: bool,
    /// Images.
    pub batch: usize,
    /// Channels per block.
    pub lanes: usize,
}

impl<'a> Geometry<'a> {
    /// A convolution, with its connection table where it has one.
    pub fn conv(
        conv: Conv,
        connections: Option<&'a Connections>,
        input: [usize; 3],
        output: [usize; 3],
        batch: usize,
        lanes: usize,
    ) -> Self {
        let groups = conv.groups.count(input[0]);
        Geometry { conv, groups, connections, input, output, transposed: false, bias: conv.bias, batch, lanes }
    }

    /// A transposed convolution from `input` to `output`.
    pub fn transposed(conv: ConvTranspose, input: [usize; 3], output: [usize; 3], batch: usize, lanes: usize) -> Self {
        let ConvTranspose { kernel, stride, pad, dilation, groups, bias } = conv;
        let conv = Conv { kernel, stride, pad, dilation, groups, bias: false, connections: None };
        let groups = groups.count(input[0]);
        Geometry { conv, groups, connections: None, input: output, output: input, transposed: true, bias, batch, lanes }
    }

    /// A linear layer on a map: its kernel covers it all.
    pub fn linear(input: [usize; 3], outputs: usize, bias: bool, batch: usize, lanes: usize) -> Self {
        let conv = Conv {
            kernel: [input[1], input[2]],
            stride: [1, 1],
            pad: Pad::default(),
            dilation: [1, 1],
            groups: Groups::One,
            bias,
            connections: None,
        };
        Geometry::conv(conv, None, input, [outputs, 1, 1], batch, lanes)
    }

    fn dense(&self) -> bool {
        self.groups == 1 && self.connections.is_none()
    }

    /// Whether each channel is convolved with a kernel of its own, and `source` lies so that a register holds a block of
    /// channels.
    fn depthwise(&self, source: &Layout) -> bool {
        let channels = self.groups;
        channels > 1
            && self.connections.is_none()
            && self.input[0] == channels
            && self.output[0] == channels
            && source.block == self.lanes
    }

    /// Whether the kernel covers the map exactly, so that the images of the batch can take the place of pixels.
    fn covers(&self) -> bool {
        let [_, height, width] = self.input;
        self.dense()
            && self.conv.kernel == [height, width]
            && self.conv.pad == Pad::default()
            && self.output[1] * self.output[2] == 1
            && (self.conv.dilation == [1, 1] || height * width == 1)
    }

    /// Whether each block of the layer's correlation is one of its output's channels, with a row for each of the output's.
    pub fn by_block(&self) -> bool {
        !self.transposed && !self.covers()
    }

    /// Whether the layer's output channels are so few that registers of neighbouring pixels of `input` are fuller than
    /// registers of channels.
    pub fn few_channels(&self, input: &Layout) -> bool {
        let Conv { kernel, stride, dilation, .. } = self.conv;
        let [outs, _, width] = self.output;
        let plain = input.block == 1 && [stride, dilation] == [[1, 1], [1, 1]] && kernel[1] <= WIDEST_KERNEL;
        // Channels are computed by the three. Registers of channels need one for each pixel; where that is less than half as
        // many again, they are faster.
        let channels = outs.next_multiple_of(3);
        let registers = channels * width.div_ceil(2 * self.lanes) * 2;
        self.by_block() && self.dense() && plain && channels <= self.lanes && registers * 3 < width * 2
    }

    /// What Winograd's algorithm computes of the layer, since it may be used and is fastest.
    pub fn tiles(&self, isa: Isa, precision: Precision) -> Tiles {
        let Conv { kernel, stride, dilation, .. } = self.conv;
        if !self.by_block() || !self.dense() || [kernel, stride, dilation] != [[3, 3], [1, 1], [1, 1]] {
            return Tiles::default();
        }
        let sizes = |ins: usize, out| Sizes { batch: self.batch, ins, out };
        let forward = sizes(self.input[0], self.output);
        Tiles {
            forward: algorithm::tile(forward, isa, precision),
            backward: algorithm::tile(sizes(self.output[0], self.input), isa, precision),
            weights: algorithm::winograd_grad(forward, isa, precision),
        }
    }

    /// Winograd's algorithm for the gradient of the weights (the parameter with index `param`).
    pub fn winograd_grad(&self, input: &Layout, d_out: &Layout, param: usize) -> WinogradGrad {
        let pad = [self.conv.pad.top as isize, self.conv.pad.left as isize];
        WinogradGrad::new(self.batch, *input, *d_out, pad, param)
    }

    /// Winograd's algorithm for the layer, with the transform of its weights (the parameter with index `param`), which a
    /// network that is not `frozen` may do where they are read.
    pub fn winograd(
        &self,
        tile: usize,
        input: &Layout,
        out: &Layout,
        param: usize,
        frozen: bool,
    ) -> (Winograd, WinogradPack) {
        let pad = [self.conv.pad.top as isize, self.conv.pad.left as isize];
        let winograd = Winograd::new(tile, self.batch, *input, *out, pad);
        self.with_transform(winograd, param, false, !frozen)
    }

    /// Winograd's algorithm for the gradient of the layer's input.
    pub fn winograd_backward(
        &self,
        tile: usize,
        d_out: &Layout,
        d_in: &Layout,
        param: usize,
    ) -> (Winograd, WinogradPack) {
        let pad = [2 - self.conv.pad.top as isize, 2 - self.conv.pad.left as isize];
        let winograd = Winograd::new(tile, self.batch, *d_out, *d_in, pad);
        self.with_transform(winograd, param, true, true)
    }

    /// Adds the transform of the weights, which the algorithm does itself if it `may` and each of them is read once.
    fn with_transform(&self, winograd: Winograd, param: usize, backward: bool, may: bool) -> (Winograd, WinogradPack) {
        let channels = [self.output[0], self.input[0]];
        let pack = WinogradPack { tile: winograd.tile, param, channels, backward, packed: 0, scale: None };
        let fresh = (may && winograd.reads_once()).then_some(pack);
        (Winograd { fresh, ..winograd }, pack)
    }

    /// Whether each number of the layer's output is a sum over its whole input, as those of a linear layer are.
    pub fn reads_all(&self) -> bool {
        !self.transposed && self.covers()
    }

    /// Whether each number of the layer's output is a sum over the channels of one pixel, with a weight for each: then its taps are the
    /// channels in order.
    pub fn reads_single_pixels(&self) -> bool {
        !self.transposed && self.dense() && self.conv.kernel == [1, 1] && self.conv.pad == Pad::ZERO
    }

    /// Weights of one kernel.
    fn kernel_len(&self) -> usize {
        self.conv.kernel[0] * self.conv.kernel[1]
    }

    /// For each output channel, the input channels that it reads with the offset of their kernel. A dense layer, where
    /// each reads all, has none.
    fn wiring(&self) -> Vec<Vec<(usize, usize)>> {
        if self.dense() {
            return Vec::new();
        }
        let (outs, len) = (self.output[0], self.kernel_len());
        let mut next = 0;
        (0..outs)
            .map(|out| {
                let ins: Vec<usize> = match self.connections {
                    Some(connections) => connections[out].to_vec(),
                    None => {
                        let per_group = self.input[0] / self.groups;
                        let group = out / (outs / self.groups);
                        (group * per_group..(group + 1) * per_group).collect()
                    }
                };
                ins.into_iter()
                    .map(|channel| {
                        next += len;
                        (channel, next - len)
                    })
                    .collect()
            })
            .collect()
    }

    /// For each input channel, the output channels that read it with the offset of their kernel; nothing for a dense layer.
    fn readers(&self) -> Vec<Vec<(usize, usize)>> {
        let mut readers = vec![Vec::new(); self.input[0]];
        for (out, ins) in self.wiring().into_iter().enumerate() {
            for (channel, kernel) in ins {
                readers[channel].push((out, kernel));
            }
        }
        readers
    }

    /// Output channels of the layer.
    pub fn outs(&self) -> usize {
        if self.transposed { self.input[0] } else { self.output[0] }
    }

    /// Zero pixels that rows of the layer's input, and of its output's gradient, need before and after them.
    pub fn halos(&self) -> [[usize; 2]; 2] {
        let halos = [self.input_halo(), self.output_halo()];
        if self.transposed { [halos[1], halos[0]] } else { halos }
    }

    /// The correlations from the layer's input to its output, with where their packed weights come from. Offsets of
    /// weights are relative to the start of each map, those of the bias to 0.
    pub fn forward(&self, input: &Layout, out: &Layout) -> Vec<(Correlate, WeightMap)> {
        if !self.transposed {
            return vec![self.towards_output(input, out, self.narrow(self.output[0]))];
        }
        let mut pieces = self.towards_input(input, out);
        for block in pieces.iter_mut().flat_map(|(correlate, _)| &mut correlate.blocks) {
            block.bias = self.bias.then_some(block.out / out.plane() * self.lanes);
        }
        pieces
    }

    /// The correlations from the gradient of the layer's output to that of its input.
    pub fn backward(&self, d_out: &Layout, d_in: &Layout) -> Vec<(Correlate, WeightMap)> {
        if self.transposed { vec![self.towards_output(d_out, d_in, false)] } else { self.towards_input(d_out, d_in) }
    }

    /// The gradient of the weight, from the layer's input and the gradient of its output; its place is relative to 0.
    pub fn weight_grad(&self, input: &Layout, d_out: &Layout) -> (WeightGrad, WeightMap) {
        let (correlate, map) = match self.transposed {
            true => self.towards_output(d_out, input, false),
            false => self.towards_output(input, d_out, self.narrow(self.output[0])),
        };
        (WeightGrad::new(correlate, self.lanes), map)
    }

    /// Zero pixels that rows of the input need before and after them.
    fn input_halo(&self) -> [usize; 2] {
        let Conv { kernel: [_, kernel], stride: [_, stride], dilation: [_, dilation], pad, .. } = self.conv;
        let last = (self.output[2] - 1) * stride + (kernel - 1) * dilation;
        [pad.left, (last + 1).saturating_sub(pad.left + self.input[2])]
    }

    /// Zero pixels that rows of the output's gradient need before and after them.
    fn output_halo(&self) -> [usize; 2] {
        if self.covers() {
            return [0, 0];
        }
        let mut halo = [0, 0];
        for residue in 0..self.conv.stride[1].min(self.input[2]) {
            let cols = (self.input[2] - residue).div_ceil(self.conv.stride[1]) as isize;
            for (_, shift) in self.back_taps(1, residue) {
                halo[0] = halo[0].max(-shift);
                halo[1] = halo[1].max(cols + shift - self.output[2] as isize);
            }
        }
        halo.map(|pixels| pixels.max(0) as usize)
    }

    /// For the input coordinates with this residue: the kernel's taps that reach them, with the output coordinate that
    /// tap comes from relative to the input's coordinate over the stride; ascending.
    fn back_taps(&self, dimension: usize, residue: usize) -> Vec<(usize, isize)> {
        let before = if dimension == 0 { self.conv.pad.top } else { self.conv.pad.left };
        let stride = self.conv.stride[dimension] as isize;
        (0..self.conv.kernel[dimension])
            .rev()
            .map(|tap| (tap, (residue + before) as isize - (tap * self.conv.dilation[dimension]) as isize))
            .filter(|(_, distance)| distance.rem_euclid(stride) == 0)
            .map(|(tap, distance)| (tap, distance.div_euclid(stride)))
            .collect()
    }

    /// Whether a correlation to so many channels has one block, whose kernel is better for taps in runs of a kernel's row.
    fn narrow(&self, channels: usize) -> bool {
        channels <= self.lanes
    }

    /// The convolution's correlation from `input` to `out`; `runs` is as for [`KernelShape`].
    fn towards_output(&self, input: &Layout, out: &Layout, runs: bool) -> (Correlate, WeightMap) {
        let conv = &self.conv;
        let tap_offset = |channel: usize, ky: usize, kx: usize| {
            let row = (ky * conv.dilation[0]) as isize - conv.pad.top as isize;
            let col = (kx * conv.dilation[1]) as isize - conv.pad.left as isize;
            let channel = channel / input.block * input.plane() + channel % input.block;
            channel as isize + row * input.row() as isize + col * input.block as isize
        };
        let kernel_rows: Vec<isize> =
            (0..conv.kernel[0]).map(|ky| (ky * conv.dilation[0]) as isize - conv.pad.top as isize).collect();
        let depthwise = self.depthwise(input);
        let wiring = self.wiring();
        let sources = |outs: Range<usize>| match self.dense() {
            _ if depthwise => vec![0],
            true => (0..self.input[0]).collect(),
            false => union(outs.flat_map(|out| wiring[out].iter().map(|(channel, _)| *channel))),
        };
        let taps = KernelTaps::new(&KernelShape {
            channels: self.output[0],
            lanes: self.lanes,
            source_block: input.block,
            rows: (0..conv.kernel[0]).map(|ky| (ky, (0..conv.kernel[1]).collect())).collect(),
            width: conv.kernel[1],
            dense: self.dense() || depthwise,
            runs,
            sources: &sources,
            offset: &tap_offset,
            kernel_at: &|out, channel| kernel_of(&wiring[out], channel),
        });
        let per_lane = if depthwise { 1 } else { self.input[0] };
        let strides = DenseStrides { tap: self.kernel_len(), lane: per_lane * self.kernel_len() };
        let (taps, mut blocks, map) = taps.finish(strides);
        for (index, block) in blocks.iter_mut().enumerate() {
            block.source = if depthwise { index * input.plane() } else { 0 };
            block.out = index * out.plane();
            block.bias = conv.bias.then_some(index * self.lanes);
        }
        let mut correlate = Correlate {
            extent: [self.batch, self.output[1], self.output[2]],
            source: input.row_at(0),
            source_stride: [input.image(), conv.stride[0] * input.row(), conv.stride[1] * input.block],
            source_rows: self.input[1],
            row_step: conv.stride[0],
            kernel_rows,
            taps,
            blocks,
            out: out.row_at(0),
            out_stride: [out.image(), out.row(), out.block],
            depthwise,
            accumulate: false,
            activation: None,
            ..Correlate::default()
        };
        if self.covers() {
            images_as_pixels(&mut correlate, input, out);
        }
        (correlate, map)
    }

    /// The correlations from the output's gradient `d_out` of the convolution to its input's gradient `d_in`.
    fn towards_input(&self, d_out: &Layout, d_in: &Layout) -> Vec<(Correlate, WeightMap)> {
        if self.covers() {
            return vec![self.backward_covering(d_out, d_in)];
        }
        let [rows, cols] = [self.conv.stride[0].min(self.input[1]), self.conv.stride[1].min(self.input[2])];
        let residues = (0..rows).flat_map(|y| (0..cols).map(move |x| [y, x]));
        residues.map(|residue| self.backward_residue(d_out, d_in, residue)).collect()
    }

    fn backward_residue(&self, d_out: &Layout, d_in: &Layout, residue: [usize; 2]) -> (Correlate, WeightMap) {
        let conv = &self.conv;
        let rows = self.back_taps(0, residue[0]);
        let cols = self.back_taps(1, residue[1]);
        let depthwise = self.depthwise(d_out);
        let readers = self.readers();
        let shift = |taps: &[(usize, isize)], tap: usize| taps.iter().find(|(t, _)| *t == tap).map_or(0, |(_, s)| *s);
        let tap_offset = |out: usize, ky: usize, kx: usize| {
            let channel = out / d_out.block * d_out.plane() + out % d_out.block;
            channel as isize + shift(&rows, ky) * d_out.row() as isize + shift(&cols, kx) * d_out.block as isize
        };
        let sources = |ins: Range<usize>| match self.dense() {
            _ if depthwise => vec![0],
            true => (0..self.output[0]).collect(),
            false => union(ins.flat_map(|channel| readers[channel].iter().map(|(out, _)| *out))),
        };
        let taps = KernelTaps::new(&KernelShape {
            channels: self.input[0],
            lanes: self.lanes,
            source_block: d_out.block,
            rows: rows.iter().map(|(ky, _)| (*ky, cols.iter().map(|(kx, _)| *kx).collect())).collect(),
            width: conv.kernel[1],
            dense: self.dense() || depthwise,
            runs: self.narrow(self.input[0]),
            sources: &sources,
            offset: &tap_offset,
            kernel_at: &|channel, out| kernel_of(&readers[channel], out),
        });
        let strides = DenseStrides { tap: self.input[0] * self.kernel_len(), lane: self.kernel_len() };
        let (taps, mut blocks, map) = taps.finish(strides);
        for (index, block) in blocks.iter_mut().enumerate() {
            block.source = if depthwise { index * d_out.plane() } else { 0 };
            block.out = index * d_in.plane();
        }
        let start = d_in.row_at(0) + residue[0] * d_in.row() + residue[1] * d_in.block;
        let extent =
            |dimension: usize| (self.input[dimension + 1] - residue[dimension]).div_ceil(conv.stride[dimension]);
        let correlate = Correlate {
            extent: [self.batch, extent(0), extent(1)],
            source: d_out.row_at(0),
            source_stride: [d_out.image(), d_out.row(), d_out.block],
            source_rows: self.output[1],
            row_step: 1,
            kernel_rows: rows.iter().map(|(_, shift)| *shift).collect(),
            taps,
            blocks,
            out: start,
            out_stride: [d_in.image(), conv.stride[0] * d_in.row(), conv.stride[1] * d_in.block],
            depthwise,
            accumulate: false,
            activation: None,
            ..Correlate::default()
        };
        (correlate, map)
    }

    /// Each pixel of the input has weights of its own: it is a block.
    fn backward_covering(&self, d_out: &Layout, d_in: &Layout) -> (Correlate, WeightMap) {
        let [channels, height, width] = self.input;
        let (outs, pixels) = (self.output[0], height * width);
        let offset = |out: usize| (out / d_out.block * d_out.plane() + out % d_out.block) as i32;
        let taps: Vec<i32> = (0..outs).map(offset).collect();
        let (mut blocks, mut weight_blocks) = (Vec::new(), Vec::new());
        for block in 0..d_in.blocks() {
            for pixel in 0..pixels {
                let weights = blocks.len() * outs * self.lanes;
                let out = block * d_in.plane() + pixel / width * d_in.row() + pixel % width * d_in.block;
                blocks.push(Block { out, source: 0, weights, bias: None, first_tap: 0, row_taps: outs });
                let base = block * self.lanes * pixels + pixel;
                let used = self.lanes.min(channels - block * self.lanes);
                weight_blocks.push(WeightBlock {
                    packed: weights,
                    first_tap: 0,
                    taps: outs,
                    base,
                    stride: pixels,
                    used,
                });
            }
        }
        let map = WeightMap {
            blocks: weight_blocks,
            taps: (0..outs).map(|out| (out * channels * pixels) as u32).collect(),
            lanes: self.lanes,
            table: None,
        };
        let mut correlate = Correlate {
            source: d_out.row_at(0),
            kernel_rows: vec![0],
            taps,
            blocks,
            out: d_in.row_at(0),
            extent: [self.batch, 1, 1],
            ..Correlate::default()
        };
        images_as_pixels(&mut correlate, d_out, d_in);
        (correlate, map)
    }
}

/// Turns a correlation with a single output pixel an image into one whose row of pixels is the batch.
fn images_as_pixels(correlate: &mut Correlate, input: &Layout, out: &Layout) {
    let rows = correlate.kernel_rows.len();
    correlate.extent = [1, 1, correlate.extent[0]];
    correlate.source_stride = [0, 0, input.image()];
    correlate.source_rows = 1;
    correlate.row_step = 0;
    correlate.kernel_rows = vec![0];
    for block in &mut correlate.blocks {
        block.row_taps *= rows;
    }
    correlate.out_stride = [0, 0, out.image()];
}

/// The offset of the kernel of `channel` among those of an output or input channel.
fn kernel_of(kernels: &[(usize, usize)], channel: usize) -> Option<usize> {
    kernels.iter().find(|(other, _)| *other == channel).map(|(_, kernel)| *kernel)
}

fn union(channels: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut channels: Vec<usize> = channels.collect();
    channels.sort_unstable();
    channels.dedup();
    channels
}
