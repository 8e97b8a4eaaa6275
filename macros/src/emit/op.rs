//! Operations as Rust expressions, and the types of the modules that hold their parameters.

use convnet_graph::{
    Activation, Affine, AvgDivisor, Conv, ConvTranspose, Fill, Groups, Op, Pad, Pool, PoolKind, Resample,
};
use convnet_language::cost::Dim;
use convnet_language::graph::Node;
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::quote;
use std::str::FromStr;

/// An operation as an expression.
pub fn op(op: &Op) -> TokenStream {
    let op = match *op {
        Op::Input => quote!(Input),
        Op::Conv(conv) => self::conv(conv),
        Op::ConvTranspose(conv) => conv_transpose(conv),
        Op::Pool(pool) => self::pool(pool),
        Op::AdaptiveAvgPool => quote!(AdaptiveAvgPool),
        Op::GlobalPool(kind) => {
            let kind = pool_kind(kind);
            quote!(GlobalPool(#kind))
        }
        Op::ChannelPool { kind, size } => {
            let (kind, size) = (pool_kind(kind), number(size));
            quote!(ChannelPool { kind: #kind, size: #size })
        }
        Op::Subsample { size } => {
            let size = number(size);
            quote!(Subsample { size: #size })
        }
        Op::Flatten => quote!(Flatten),
        Op::Identity => quote!(Identity),
        Op::Resample(how) => {
            let how = resample(how);
            quote!(Resample(::__convnet::graph::Resample::#how))
        }
        Op::ChannelPad { before } => {
            let before = number(before);
            quote!(ChannelPad { before: #before })
        }
        Op::ChannelCrop { before } => {
            let before = number(before);
            quote!(ChannelCrop { before: #before })
        }
        Op::ChannelShuffle { groups } => {
            let groups = number(groups);
            quote!(ChannelShuffle { groups: #groups })
        }
        Op::PixelShuffle { factor } => {
            let factor = number(factor);
            quote!(PixelShuffle { factor: #factor })
        }
        Op::PixelUnshuffle { factor } => {
            let factor = number(factor);
            quote!(PixelUnshuffle { factor: #factor })
        }
        Op::Permute { order } => {
            let [channels, height, width] = order.map(number);
            quote!(Permute { order: [#channels, #height, #width] })
        }
        Op::ChannelScale => quote!(ChannelScale),
        Op::Scale => quote!(Scale),
        Op::Linear { bias } => quote!(Linear { bias: #bias }),
        Op::PixelLinear { bias } => quote!(PixelLinear { bias: #bias }),
        Op::BatchNorm { eps, momentum } => quote!(BatchNorm { eps: #eps, momentum: #momentum }),
        Op::GroupNorm { groups, eps, affine } => {
            let (groups, affine) = (self::groups(groups), self::affine(affine));
            quote!(GroupNorm { groups: #groups, eps: #eps, affine: #affine })
        }
        Op::PixelNorm { eps, affine } => quote!(PixelNorm { eps: #eps, affine: #affine }),
        Op::Lrn { size, alpha, beta, k } => {
            let size = number(size);
            quote!(Lrn { size: #size, alpha: #alpha, beta: #beta, k: #k })
        }
        Op::Dropout { p, channels } => quote!(Dropout { p: #p, channels: #channels }),
        Op::StochasticDepth { p } => quote!(StochasticDepth { p: #p }),
        Op::Activation(activation) => {
            let activation = self::activation(activation);
            quote!(Activation(#activation))
        }
        Op::Prelu { per_channel } => quote!(Prelu { per_channel: #per_channel }),
        Op::Softmax => quote!(Softmax),
        Op::LogSoftmax => quote!(LogSoftmax),
        Op::Add => quote!(Add),
        Op::Concat => quote!(Concat),
        Op::Custom(index) => {
            let index = number(index);
            quote!(Custom(#index))
        }
    };
    quote!(::__convnet::graph::Op::#op)
}

fn conv(conv: Conv) -> TokenStream {
    let Conv { kernel, stride, pad, dilation, groups, bias, connections } = conv;
    let (kernel, stride, pad, dilation) = (pair(kernel), pair(stride), self::pad(pad), pair(dilation));
    let (groups, connections) = (self::groups(groups), option(connections.map(number)));
    quote!(Conv(::__convnet::graph::Conv {
        kernel: #kernel, stride: #stride, pad: #pad, dilation: #dilation, groups: #groups, bias: #bias,
        connections: #connections,
    }))
}

fn conv_transpose(conv: ConvTranspose) -> TokenStream {
    let ConvTranspose { kernel, stride, pad, dilation, groups, bias } = conv;
    let (kernel, stride, pad, dilation) = (pair(kernel), pair(stride), self::pad(pad), pair(dilation));
    let groups = self::groups(groups);
    quote!(ConvTranspose(::__convnet::graph::ConvTranspose {
        kernel: #kernel, stride: #stride, pad: #pad, dilation: #dilation, groups: #groups, bias: #bias,
    }))
}

fn pool(pool: Pool) -> TokenStream {
    let Pool { kind, kernel, stride, pad, dilation } = pool;
    let (kind, kernel, stride) = (pool_kind(kind), pair(kernel), pair(stride));
    let (pad, dilation) = (self::pad(pad), pair(dilation));
    quote!(Pool(::__convnet::graph::Pool {
        kind: #kind, kernel: #kernel, stride: #stride, pad: #pad, dilation: #dilation,
    }))
}

/// A number as it is.
pub fn number(n: usize) -> TokenStream {
    let n = Literal::usize_unsuffixed(n);
    quote!(#n)
}

fn option(value: Option<TokenStream>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}

fn pair([h, w]: [usize; 2]) -> TokenStream {
    let (h, w) = (number(h), number(w));
    quote!([#h, #w])
}

fn pad(Pad { top, bottom, left, right }: Pad) -> TokenStream {
    let [top, bottom, left, right] = [top, bottom, left, right].map(number);
    quote!(::__convnet::graph::Pad { top: #top, bottom: #bottom, left: #left, right: #right })
}

fn groups(groups: Groups) -> TokenStream {
    let groups = match groups {
        Groups::One => quote!(One),
        Groups::Each => quote!(Each),
        Groups::Count(count) => {
            let count = number(count);
            quote!(Count(#count))
        }
    };
    quote!(::__convnet::graph::Groups::#groups)
}

fn affine(affine: Affine) -> TokenStream {
    let affine = match affine {
        Affine::None => quote!(None),
        Affine::Channel => quote!(Channel),
        Affine::Element => quote!(Element),
    };
    quote!(::__convnet::graph::Affine::#affine)
}

fn pool_kind(kind: PoolKind) -> TokenStream {
    let kind = match kind {
        PoolKind::Max => quote!(Max),
        PoolKind::Min => quote!(Min),
        PoolKind::Avg(AvgDivisor::WithPad) => quote!(Avg(::__convnet::graph::AvgDivisor::WithPad)),
        PoolKind::Avg(AvgDivisor::WithoutPad) => quote!(Avg(::__convnet::graph::AvgDivisor::WithoutPad)),
    };
    quote!(::__convnet::graph::PoolKind::#kind)
}

fn resample(how: Resample) -> TokenStream {
    match how {
        Resample::Nearest => quote!(Nearest),
        Resample::Bilinear => quote!(Bilinear),
        Resample::Resize { nearest, antialias } => quote!(Resize { nearest: #nearest, antialias: #antialias }),
        Resample::Pad { pad, fill } => {
            let pad = self::pad(pad);
            let fill = match fill {
                Fill::Constant(value) => quote!(Constant(#value)),
                Fill::Reflect => quote!(Reflect),
                Fill::Replicate => quote!(Replicate),
                Fill::Circular => quote!(Circular),
            };
            quote!(Pad { pad: #pad, fill: ::__convnet::graph::Fill::#fill })
        }
        Resample::Crop { top, left } => {
            let (top, left) = (number(top), number(left));
            quote!(Crop { top: #top, left: #left })
        }
    }
}

/// An activation as a path, with its number where it has one. Its debug form is just that, so a new one needs no line here.
fn activation(activation: Activation) -> TokenStream {
    let variant = TokenStream::from_str(&format!("{activation:?}")).unwrap_or_default();
    quote!(::__convnet::graph::Activation::#variant)
}

/// The type in `convnet::layers` that holds a node's parameters, with its const generics; none where it has none.
pub fn module(node: &Node) -> Option<(Ident, Vec<Dim>)> {
    let weight = &node.params.first()?.shape;
    let sizes = |more: &[Dim]| [weight.as_slice(), more].concat();
    let (name, sizes) = match node.op {
        Op::Conv(Conv { connections: Some(_), bias, .. }) => {
            let name = if bias { "LinkedConv" } else { "UnbiasedLinkedConv" };
            (name, [node.shape.chw().get(..1).unwrap_or_default(), weight].concat())
        }
        Op::Conv(Conv { bias, .. }) => (if bias { "Conv" } else { "UnbiasedConv" }, sizes(&[])),
        Op::ConvTranspose(ConvTranspose { bias: false, .. }) => ("UnbiasedConv", sizes(&[])),
        Op::ConvTranspose(ConvTranspose { bias: true, .. }) => {
            let (channels, kernel) = weight.split_at(weight.len().min(2));
            let [out, ..] = node.shape.chw();
            ("ConvTranspose", [channels, &[out], kernel].concat())
        }
        Op::Linear { bias } | Op::PixelLinear { bias } => {
            (if bias { "Linear" } else { "UnbiasedLinear" }, weight.iter().rev().copied().collect())
        }
        Op::BatchNorm { .. } => ("BatchNorm", sizes(&[])),
        Op::GroupNorm { affine: Affine::Element, .. } => ("LayerNorm", sizes(&[])),
        Op::GroupNorm { .. } | Op::PixelNorm { .. } => ("GroupNorm", sizes(&[])),
        Op::Prelu { .. } => ("Prelu", sizes(&[])),
        Op::ChannelScale => ("ChannelScale", sizes(&[])),
        Op::Subsample { size } => ("Subsample", sizes(&[Dim::Known(size as u64)])),
        Op::Input | Op::Identity | Op::Flatten | Op::Add | Op::Concat | Op::Scale | Op::Custom(_) => return None,
        Op::Pool(_) | Op::AdaptiveAvgPool | Op::GlobalPool(_) | Op::ChannelPool { .. } => return None,
        Op::Resample(_) | Op::ChannelPad { .. } | Op::ChannelCrop { .. } | Op::ChannelShuffle { .. } => return None,
        Op::PixelShuffle { .. } | Op::PixelUnshuffle { .. } | Op::Permute { .. } => return None,
        Op::StochasticDepth { .. } => return None,
        Op::Lrn { .. } | Op::Dropout { .. } | Op::Activation(_) | Op::Softmax | Op::LogSoftmax => return None,
    };
    Some((Ident::new(name, Span::call_site()), sizes))
}
