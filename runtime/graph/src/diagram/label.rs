//! What a box says about an operation: a word with its numbers.

use crate::{Category, Detail, Groups, Node, Op, Shape};

/// Whether an operation is drawn as a chip in the box of the layer that it follows.
pub(super) fn is_chip(op: &Op) -> bool {
    match op.category() {
        Category::Norm | Category::Activation => true,
        Category::Other => matches!(op, Op::Dropout { .. } | Op::StochasticDepth { .. } | Op::Flatten),
        Category::Conv | Category::Pool | Category::Linear | Category::Merge => false,
    }
}

/// `conv 3x3 /2`: the operation with its numbers.
pub(super) fn label(node: &Node) -> String {
    let (word, [channels, height, width]) = (node.op.word(), node.shape.chw());
    match node.op.detail() {
        Detail::Nothing => word.to_string(),
        Detail::Window { kernel, stride, dilation, groups } => {
            // The groups say already that a convolution is depthwise.
            let word = if matches!(node.op, Op::Conv(_)) { "conv" } else { word };
            format!("{word} {}", window_label(kernel, stride, dilation, groups, channels))
        }
        Detail::Output if [height, width] == [1, 1] && node.op.category() == Category::Pool => "global_avg_pool".into(),
        Detail::Output => format!("{word} {height}x{width}"),
        Detail::Square(size) => format!("{word} {size}x{size}"),
        Detail::Count(count) => format!("{word} {count}"),
        Detail::Share(share) => format!("{word} {share}"),
        Detail::Word(detail) => format!("{word} {detail}"),
        Detail::Symbol(symbol) => symbol.to_string(),
    }
}

/// The same for a chip, where there is less room.
pub(super) fn chip(node: &Node) -> String {
    if let Op::BatchNorm { .. } = node.op {
        return "bn".to_string();
    }
    if let Op::PixelNorm { .. } = node.op {
        return "ln".to_string();
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
