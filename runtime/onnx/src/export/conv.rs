//! What multiplies by weights: convolutions, linear layers, LeNet's trainable pooling, factors of channels.

use super::Layer;
use super::draft::{float, int, ints};
use super::fold::Scaled;
use crate::proto::Attribute;
use convnet_graph::{Conv, ConvTranspose, Op, Pad, Shape};

impl Layer<'_> {
    pub(super) fn conv(&mut self, conv: &Conv) -> String {
        let [channels, ..] = self.from.chw();
        let [out, ..] = self.node.shape.chw();
        let groups = conv.groups.count(channels);
        let [height, width] = conv.kernel;
        let shape = [out, channels / groups.max(1), height, width];
        let weight = match self.graph.connections_of(conv) {
            Some(table) => dense(self.numbers(0), table, shape),
            None => self.numbers(0).to_vec(),
        };
        let per_channel = weight.len() / out.max(1);
        let attributes = window(conv.kernel, conv.stride, conv.pad, conv.dilation, groups);
        self.weighed("Conv", weight, &shape, conv.bias, |i| i / per_channel.max(1), attributes)
    }

    pub(super) fn conv_transpose(&mut self, conv: &ConvTranspose) -> String {
        let [channels, height, width] = self.from.chw();
        let [out, out_height, out_width] = self.node.shape.chw();
        let groups = conv.groups.count(channels);
        let [tall, wide] = conv.kernel;
        let shape = [channels, out / groups.max(1), tall, wide];
        let (kernel, per_group, ins) = ((tall * wide).max(1), shape[1].max(1), (channels / groups.max(1)).max(1));
        let channel = move |i: usize| {
            let (input, output) = (i / (kernel * per_group), i / kernel % per_group);
            input / ins * per_group + output
        };
        // Without padding there were so many pixels.
        let reach = |i: usize, input: usize| {
            (input.saturating_sub(1) * conv.stride[i] + conv.dilation[i] * (conv.kernel[i] - 1) + 1) as i64
        };
        let Pad { top, bottom, left, right } = conv.pad;
        let left_over = [reach(0, height) - (top + bottom) as i64, reach(1, width) - (left + right) as i64];
        let more = [out_height as i64 - left_over[0], out_width as i64 - left_over[1]];
        let weight = self.numbers(0).to_vec();
        // What readers of ONNX take: `output_padding` below the stride, and something left without it.
        if (0..2).all(|i| more[i] < conv.stride[i] as i64 && left_over[i] > 0) {
            let mut attributes = window(conv.kernel, conv.stride, conv.pad, conv.dilation, groups);
            if more != [0, 0] {
                attributes.push(ints("output_padding", &more.map(|more| more as usize)));
            }
            return self.weighed("ConvTranspose", weight, &shape, conv.bias, channel, attributes);
        }
        // Otherwise less is cut off at these sides, and what is still missing there is the bias alone.
        let cut = [bottom as i64 - more[0], right as i64 - more[1]];
        let [bottom, right] = cut.map(|side| side.max(0) as usize);
        let missing = cut.map(|side| (-side).max(0) as usize);
        let attributes = window(conv.kernel, conv.stride, Pad { bottom, right, ..conv.pad }, conv.dilation, groups);
        if missing == [0, 0] {
            return self.weighed("ConvTranspose", weight, &shape, conv.bias, channel, attributes);
        }
        let (weight, bias) = self.weights(weight, &shape, conv.bias, channel, Some([out, 1, 1]));
        self.then("ConvTranspose", &[&weight], attributes);
        let value = self.zeros([0, 0, 0, 0, 0, 0, missing[0], missing[1]]);
        bias.map_or(value, |bias| self.then("Add", &[&bias], vec![]))
    }

    pub(super) fn linear(&mut self, bias: bool) -> String {
        if let Shape::Map(_) = self.from {
            self.then("Flatten", &[], vec![int("axis", 1)]);
        }
        let shape = [self.node.shape.len(), self.from.len()];
        let weight = self.numbers(0).to_vec();
        self.weighed("Gemm", weight, &shape, bias, |i| i / shape[1].max(1), vec![int("transB", 1)])
    }

    /// A convolution of 1 x 1, which readers are quicker with than with two transposes; a note on the node has our word for it.
    pub(super) fn pixel_linear(&mut self, bias: bool) -> String {
        let [[channels, ..], [out, ..]] = [self.from, self.node.shape].map(|shape| shape.chw());
        let weight = self.numbers(0).to_vec();
        let attributes = vec![ints("kernel_shape", &[1, 1])];
        let value = self.weighed("Conv", weight, &[out, channels, 1, 1], bias, |i| i / channels.max(1), attributes);
        self.draft.note_last("convnet.word", "linear");
        value
    }

    /// An operator with a weight and perhaps a bias; `channel` says to which output channel an element of the weight belongs.
    fn weighed(
        &mut self,
        op: &str,
        weight: Vec<f32>,
        shape: &[usize],
        bias: bool,
        channel: impl Fn(usize) -> usize,
        attributes: Vec<Attribute>,
    ) -> String {
        let (weight, bias) = self.weights(weight, shape, bias, channel, None);
        let more: Vec<&str> = std::iter::once(&weight).chain(&bias).map(String::as_str).collect();
        self.then(op, &more, attributes)
    }

    /// Weight and bias, with the batch normalisation that is folded into them; the bias in this shape, or `[C]`.
    fn weights(
        &mut self,
        mut weight: Vec<f32>,
        shape: &[usize],
        bias: bool,
        channel: impl Fn(usize) -> usize,
        bias_shape: Option<[usize; 3]>,
    ) -> (String, Option<String>) {
        let [out, ..] = self.node.shape.chw();
        let mut biases = bias.then(|| self.numbers(1).to_vec());
        if let Some(Scaled { factor, offset }) = self.folded_norm() {
            for (i, w) in weight.iter_mut().enumerate() {
                *w = (f64::from(*w) * factor[channel(i)]) as f32;
            }
            let old = biases.unwrap_or_else(|| vec![0.0; out]);
            let scaled = old.iter().zip(&factor).zip(&offset).map(|((b, f), o)| (f64::from(*b) * f + o) as f32);
            biases = Some(scaled.collect());
        }
        let name = self.param_name(0);
        let weight = self.draft.reserved(&name, shape, &weight);
        let Some(biases) = biases else { return (weight, None) };
        let shape = bias_shape.map_or(vec![out], |shape| shape.to_vec());
        let bias = match bias {
            true => self.draft.reserved(&self.param_name(1), &shape, &biases),
            // A layer that gets its bias from a batch normalisation has no name for it.
            false => {
                let layer = name.strip_suffix("weight").unwrap_or(&name);
                self.draft.floats(&format!("{layer}bias"), &shape, &biases)
            }
        };
        (weight, Some(bias))
    }

    fn folded_norm(&self) -> Option<Scaled> {
        let norm = &self.graph.nodes[self.norm?];
        let Op::BatchNorm { eps, .. } = norm.op else { return None };
        let numbers = |place: usize| self.params.get(norm.first_param + place).map_or(&[][..], Vec::as_slice);
        Some(Scaled::of([numbers(0), numbers(1), numbers(2), numbers(3)], eps))
    }

    /// A depthwise convolution, all of whose weights for a channel are the one coefficient.
    pub(super) fn subsample(&mut self, size: usize) -> String {
        let [channels, ..] = self.from.chw();
        let weight: Vec<f32> = self.numbers(0).iter().flat_map(|w| std::iter::repeat_n(*w, size * size)).collect();
        let name = self.param_name(0);
        let weight = self.draft.reserved(&name, &[channels, 1, size, size], &weight);
        let bias = self.param(1, None);
        let attributes = window([size; 2], [size; 2], Pad::ZERO, [1, 1], channels);
        self.then("Conv", &[&weight, &bias], attributes)
    }

    pub(super) fn channel_scale(&mut self) -> String {
        let shape = self.by_channel(self.numbers(0).len());
        let weight = self.param(0, Some(&shape));
        self.then("Mul", &[&weight], vec![])
    }

    pub(super) fn prelu(&mut self, per_channel: bool) -> String {
        let shape = if per_channel { self.by_channel(self.numbers(0).len()) } else { vec![1] };
        let slope = self.param(0, Some(&shape));
        self.then("PRelu", &[&slope], vec![])
    }

    pub(super) fn batch_norm(&mut self, eps: f64, momentum: f64) -> String {
        let params: Vec<String> = (0..4).map(|place| self.param(place, None)).collect();
        let params: Vec<&str> = params.iter().map(String::as_str).collect();
        // In ONNX the momentum is the weight of the old statistics.
        self.then("BatchNormalization", &params, vec![float("epsilon", eps), float("momentum", 1.0 - momentum)])
    }
}

/// The attributes that convolutions have in common.
fn window(kernel: [usize; 2], stride: [usize; 2], pad: Pad, dilation: [usize; 2], groups: usize) -> Vec<Attribute> {
    vec![
        ints("kernel_shape", &kernel),
        ints("strides", &stride),
        pads(pad),
        ints("dilations", &dilation),
        int("group", groups as i64),
    ]
}

/// Padding in ONNX's order.
pub(super) fn pads(Pad { top, bottom, left, right }: Pad) -> Attribute {
    ints("pads", &[top, left, bottom, right])
}

/// The weight of a convolution with a connection table, zero where an output channel does not read an input channel.
fn dense(values: &[f32], table: &[std::borrow::Cow<'static, [usize]>], shape: [usize; 4]) -> Vec<f32> {
    let [_, channels, height, width] = shape;
    let kernel = height * width;
    let mut weight = vec![0.0; shape.iter().product()];
    let pairs = table.iter().enumerate().flat_map(|(out, row)| row.iter().map(move |input| (out, *input)));
    for ((out, input), values) in pairs.zip(values.chunks_exact(kernel)) {
        let at = (out * channels + input) * kernel;
        weight[at..at + kernel].copy_from_slice(values);
    }
    weight
}
