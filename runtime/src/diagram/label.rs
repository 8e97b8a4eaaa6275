//! What a box says about an operation: a word with its numbers, and the kind that gives the colour.

use crate::graph::{Conv, ConvTranspose, Node, Op, Pool, Resample, Shape};

/// What an operation is, for its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Conv,
    Pool,
    Norm,
    Activation,
    Linear,
    Merge,
    Other,
}

impl Kind {
    /// Every kind.
    pub(super) const ALL: [Kind; 7] =
        [Kind::Conv, Kind::Pool, Kind::Norm, Kind::Activation, Kind::Linear, Kind::Merge, Kind::Other];

    /// The label of an operation.
    pub(super) fn of(op: &Op) -> Self {
        match op {
            Op::Conv(_) | Op::ConvTranspose(_) => Kind::Conv,
            Op::Pool(_) | Op::AdaptiveAvgPool | Op::ChannelPool { .. } | Op::Subsample { .. } => Kind::Pool,
            Op::BatchNorm { .. } | Op::GroupNorm { .. } | Op::Lrn { .. } => Kind::Norm,
            Op::Activation(_) | Op::Prelu { .. } | Op::Softmax | Op::LogSoftmax => Kind::Activation,
            Op::Linear { .. } => Kind::Linear,
            Op::Add | Op::Concat | Op::Scale => Kind::Merge,
            Op::Input | Op::Flatten | Op::Identity | Op::Dropout { .. } | Op::Custom(_) => Kind::Other,
            Op::Resample(_) | Op::ChannelPad { .. } | Op::ChannelShuffle { .. } | Op::PixelShuffle { .. } => {
                Kind::Other
            }
        }
    }

    /// The class in CSS and in Mermaid.
    pub(super) fn class(self) -> &'static str {
        match self {
            Kind::Conv => "conv",
            Kind::Pool => "pool",
            Kind::Norm => "norm",
            Kind::Activation => "activation",
            Kind::Linear => "linear",
            Kind::Merge => "merge",
            Kind::Other => "other",
        }
    }
}

/// Whether an operation is drawn as a chip in the box of the layer that it follows.
pub(super) fn is_chip(op: &Op) -> bool {
    matches!(
        op,
        Op::BatchNorm { .. }
            | Op::GroupNorm { .. }
            | Op::Lrn { .. }
            | Op::Activation(_)
            | Op::Prelu { .. }
            | Op::Softmax
            | Op::LogSoftmax
            | Op::Dropout { .. }
            | Op::Flatten
    )
}

/// `conv 3x3 /2`: the operation with its numbers.
pub(super) fn label(node: &Node) -> String {
    let word = node.op.word();
    let [channels, height, width] = node.shape.chw();
    match node.op {
        Op::Conv(conv) => conv_label(&conv, channels),
        // The same numbers, so the same text.
        Op::ConvTranspose(ConvTranspose { kernel, stride, pad, dilation, groups, bias }) => {
            let conv = Conv { kernel, stride, pad, dilation, groups, bias, links: None };
            conv_label(&conv, channels).replace("conv", "conv_transpose")
        }
        Op::Pool(Pool { kernel, stride, .. }) => format!("{word} {}{}", window(kernel), step(stride)),
        Op::AdaptiveAvgPool if [height, width] == [1, 1] => "global_avg_pool".to_string(),
        Op::AdaptiveAvgPool => format!("{word} {height}x{width}"),
        Op::ChannelPool { size, .. } | Op::Lrn { size, .. } => format!("{word} {size}"),
        Op::Subsample { size } => format!("{word} {size}x{size}"),
        Op::Dropout { p, .. } => format!("{word} {p}"),
        Op::GroupNorm { groups, .. } | Op::ChannelShuffle { groups } => format!("{word} {groups}"),
        Op::PixelShuffle { factor } => format!("{word} {factor}"),
        Op::Resample(Resample::Bilinear) => format!("{word} bilinear"),
        Op::Scale => "×".to_string(),
        Op::Add => "+".to_string(),
        _ => word.to_string(),
    }
}

/// The same for a chip, where there is less room.
pub(super) fn chip(node: &Node) -> String {
    match node.op {
        Op::BatchNorm { .. } => "bn".to_string(),
        Op::GroupNorm { groups, .. } => format!("gn {groups}"),
        _ => label(node),
    }
}

fn conv_label(conv: &Conv, channels: usize) -> String {
    let depthwise = conv.groups > 1 && conv.groups == channels;
    let mut text = format!("conv {}{}", window(conv.kernel), step(conv.stride));
    if conv.dilation != [1, 1] {
        text += &format!(" d{}", pair(conv.dilation));
    }
    if depthwise {
        text += " dw";
    } else if conv.groups > 1 {
        text += &format!(" g{}", conv.groups);
    }
    text
}

fn window([h, w]: [usize; 2]) -> String {
    format!("{h}x{w}")
}

fn pair([h, w]: [usize; 2]) -> String {
    if h == w { h.to_string() } else { window([h, w]) }
}

fn step(stride: [usize; 2]) -> String {
    if stride == [1, 1] { String::new() } else { format!(" /{}", pair(stride)) }
}

/// One shape, or the range of channels of shapes that differ in nothing else: `[96 – 256, 56, 56]`.
pub(super) fn range(shapes: &[Shape]) -> String {
    let Some(first) = shapes.first() else { return String::new() };
    let channels = shapes.iter().map(|shape| shape.chw()[0]);
    let (least, most) = (channels.clone().min().unwrap_or(0), channels.max().unwrap_or(0));
    match first {
        _ if least == most => first.to_string(),
        Shape::Map([_, h, w]) => format!("[{least} – {most}, {h}, {w}]"),
        Shape::Vector(_) => format!("[{least} – {most}]"),
    }
}
