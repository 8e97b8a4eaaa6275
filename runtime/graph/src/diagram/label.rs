//! What a box says about an operation: a word with its numbers.

use crate::{Conv, ConvTranspose, Fill, Groups, Node, Op, Pool, Resample, Shape};

/// Whether an operation is drawn as a chip in the box of the layer that it follows.
pub(super) fn is_chip(op: &Op) -> bool {
    match op {
        Op::BatchNorm { .. } | Op::GroupNorm { .. } | Op::Lrn { .. } => true,
        Op::Activation(_) | Op::Prelu { .. } | Op::Softmax | Op::LogSoftmax => true,
        Op::Dropout { .. } | Op::Flatten => true,
        Op::Input | Op::Conv(_) | Op::ConvTranspose(_) | Op::Linear { .. } | Op::Identity | Op::Custom(_) => false,
        Op::Pool(_) | Op::AdaptiveAvgPool | Op::GlobalPool(_) | Op::ChannelPool { .. } | Op::Subsample { .. } => false,
        Op::Resample(_) | Op::ChannelPad { .. } | Op::ChannelShuffle { .. } | Op::PixelShuffle { .. } => false,
        Op::Add | Op::Concat | Op::Scale => false,
    }
}

/// `conv 3x3 /2`: the operation with its numbers.
pub(super) fn label(node: &Node) -> String {
    let word = node.op.word();
    let [channels, height, width] = node.shape.chw();
    match node.op {
        Op::Conv(Conv { kernel, stride, dilation, groups, .. }) => {
            format!("conv {}", window_label(kernel, stride, dilation, groups, channels))
        }
        Op::ConvTranspose(ConvTranspose { kernel, stride, dilation, groups, .. }) => {
            format!("conv_transpose {}", window_label(kernel, stride, dilation, groups, channels))
        }
        Op::Pool(Pool { kernel, stride, .. }) => format!("{word} {}{}", window(kernel), step(stride)),
        Op::AdaptiveAvgPool if [height, width] == [1, 1] => "global_avg_pool".to_string(),
        Op::AdaptiveAvgPool => format!("{word} {height}x{width}"),
        Op::ChannelPool { size, .. } | Op::Lrn { size, .. } => format!("{word} {size}"),
        Op::Subsample { size } => format!("{word} {size}x{size}"),
        Op::Dropout { p, .. } => format!("{word} {p}"),
        Op::GroupNorm { groups: Groups::Count(groups), .. } | Op::ChannelShuffle { groups } => {
            format!("{word} {groups}")
        }
        Op::PixelShuffle { factor } => format!("{word} {factor}"),
        Op::Resample(how) => match how {
            Resample::Bilinear => format!("{word} bilinear"),
            Resample::Pad { fill: Fill::Reflect, .. } => format!("{word} reflect"),
            Resample::Pad { fill: Fill::Replicate, .. } => format!("{word} replicate"),
            Resample::Nearest | Resample::Crop { .. } | Resample::Pad { fill: Fill::Constant(_), .. } => word.into(),
        },
        Op::Scale => "×".to_string(),
        Op::Add => "+".to_string(),
        Op::Input | Op::Linear { .. } | Op::Flatten | Op::Identity | Op::Concat | Op::Custom(_) => word.to_string(),
        Op::GroupNorm { groups: Groups::One | Groups::Each, .. } | Op::BatchNorm { .. } => word.to_string(),
        Op::Activation(_) | Op::Prelu { .. } | Op::Softmax | Op::LogSoftmax => word.to_string(),
        Op::GlobalPool(_) | Op::ChannelPad { .. } => word.to_string(),
    }
}

/// The same for a chip, where there is less room.
pub(super) fn chip(node: &Node) -> String {
    if let Op::BatchNorm { .. } = node.op {
        return "bn".to_string();
    }
    let Op::GroupNorm { groups, .. } = node.op else { return label(node) };
    match groups {
        Groups::One => "ln".to_string(),
        Groups::Each => "in".to_string(),
        Groups::Count(groups) => format!("gn {groups}"),
    }
}

/// `3x3 /2 d2 dw`: kernel, stride, dilation and groups, each where it is not the usual one.
fn window_label(
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
    groups: Groups,
    channels: usize,
) -> String {
    let mut text = format!("{}{}", window(kernel), step(stride));
    if dilation != [1, 1] {
        text += &format!(" d{}", pair(dilation));
    }
    match groups {
        Groups::One | Groups::Count(1) => {}
        Groups::Each => text += " dw",
        Groups::Count(groups) if groups == channels => text += " dw",
        Groups::Count(groups) => text += &format!(" g{groups}"),
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
