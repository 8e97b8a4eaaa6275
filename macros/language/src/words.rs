//! The one table of layer words: for each, its arguments and the function that checks it.
//!
//! The walk asks this table what to do with a word, so a word without a function does not compile, and none is looked for by its
//! name a second time.

use crate::layers::Check;
use crate::signature::{Kind, Signature, Spec};
use convnet_graph::{Activation, AvgDivisor, Op, PoolKind};

/// A layer.
#[derive(Debug, Clone, Copy)]
pub struct Word {
    /// How it is written, with its arguments.
    pub signature: Signature,
    /// What is done with it.
    pub meaning: Meaning,
    /// The argument that makes its output larger; the word itself is at fault where it was not given.
    pub enlarges: &'static str,
}

/// What is done with a word.
#[derive(Debug, Clone, Copy)]
pub enum Meaning {
    /// It is one operation, which this function checks.
    Layer(Check),
    /// It stands for several layers: squeeze and excitation.
    SqueezeExcite,
}

impl Word {
    /// How it is written.
    pub const fn name(&self) -> &'static str {
        self.signature.name
    }

    const fn enlarging(self, argument: &'static str) -> Self {
        Word { enlarges: argument, ..self }
    }
}

const fn need(name: &'static str, kind: Kind) -> Spec {
    Spec { name, kind, required: true }
}

const fn may(name: &'static str, kind: Kind) -> Spec {
    Spec { name, kind, required: false }
}

const fn word(
    name: &'static str,
    positional: usize,
    args: &'static [Spec],
    example: &'static str,
    check: Check,
) -> Word {
    let signature = Signature { name, args, positional, example };
    Word { signature, meaning: Meaning::Layer(check), enlarges: "" }
}

const fn activation(name: &'static str, check: Check) -> Word {
    word(name, 0, &[], name, check)
}

const CONV: &[Spec] = &[
    need("out", Kind::Size),
    need("kernel", Kind::Pair),
    may("stride", Kind::Pair),
    may("pad", Kind::Pad),
    may("dilation", Kind::Pair),
    may("groups", Kind::Count),
    may("bias", Kind::Flag),
    may("connections", Kind::Table),
];
const POOL: &[Spec] =
    &[need("kernel", Kind::Pair), may("stride", Kind::Pair), may("pad", Kind::Pair), may("ceil", Kind::Flag)];
const AVG_POOL: &[Spec] = &[
    need("kernel", Kind::Pair),
    may("stride", Kind::Pair),
    may("pad", Kind::Pair),
    may("ceil", Kind::Flag),
    may("count_include_pad", Kind::Flag),
];

const DEPTHWISE: &[Spec] = &[
    need("kernel", Kind::Pair),
    may("stride", Kind::Pair),
    may("pad", Kind::Pad),
    may("dilation", Kind::Pair),
    may("multiplier", Kind::Count),
    may("bias", Kind::Flag),
];
const CONV_TRANSPOSE: &[Spec] = &[
    need("out", Kind::Size),
    need("kernel", Kind::Pair),
    may("stride", Kind::Pair),
    may("pad", Kind::Pair),
    may("output_pad", Kind::Pair),
    may("dilation", Kind::Pair),
    may("groups", Kind::Count),
    may("bias", Kind::Flag),
];
const NORM: &[Spec] = &[may("eps", Kind::Float), may("affine", Kind::Flag)];

/// The mean over windows, bins or groups, padding included where there is any.
const AVERAGE: PoolKind = PoolKind::Avg(AvgDivisor::WithPad);

/// Squeeze and excitation.
pub const SQUEEZE_EXCITE: Word = Word {
    signature: Signature {
        name: "squeeze_excite",
        args: &[need("reduction", Kind::Count)],
        positional: 1,
        example: "squeeze_excite(4)",
    },
    meaning: Meaning::SqueezeExcite,
    enlarges: "",
};

/// Every layer.
pub const WORDS: &[Word] = &[
    word("conv", 2, CONV, "conv(16, kernel = 3, pad = 1)", |layer, errors| layer.conv(errors)).enlarging("pad"),
    word("depthwise", 1, DEPTHWISE, "depthwise(3, pad = 1)", |layer, errors| layer.depthwise(errors))
        .enlarging("multiplier"),
    word("conv_transpose", 2, CONV_TRANSPOSE, "conv_transpose(16, kernel = 2, stride = 2)", |layer, errors| {
        layer.conv_transpose(errors)
    })
    .enlarging("stride"),
    word("max_pool", 1, POOL, "max_pool(2)", |layer, errors| layer.pool(PoolKind::Max, errors)),
    word("min_pool", 1, POOL, "min_pool(2)", |layer, errors| layer.pool(PoolKind::Min, errors)),
    word("avg_pool", 1, AVG_POOL, "avg_pool(2)", |layer, errors| layer.avg_pool(errors)),
    word(
        "adaptive_avg_pool",
        2,
        &[need("height", Kind::Count), may("width", Kind::Count)],
        "adaptive_avg_pool(7, 7)",
        |layer, errors| layer.adaptive_avg_pool(errors),
    ),
    word("global_avg_pool", 0, &[], "global_avg_pool", |layer, errors| layer.global(AVERAGE, errors)),
    word("global_max_pool", 0, &[], "global_max_pool", |layer, errors| layer.global(PoolKind::Max, errors)),
    word("channel_max_pool", 1, &[need("size", Kind::Count)], "channel_max_pool(2)", |layer, errors| {
        layer.channel_pool(PoolKind::Max, errors)
    }),
    word("channel_avg_pool", 1, &[need("size", Kind::Count)], "channel_avg_pool(2)", |layer, errors| {
        layer.channel_pool(AVERAGE, errors)
    }),
    word("subsample", 1, &[need("size", Kind::Count)], "subsample(2)", |layer, errors| layer.subsample(errors)),
    word("flatten", 0, &[], "flatten", |layer, errors| layer.flatten(errors)),
    word("linear", 1, &[need("out", Kind::Size), may("bias", Kind::Flag)], "linear(10)", |layer, errors| {
        layer.linear(errors)
    }),
    word("batch_norm", 0, &[may("eps", Kind::Float), may("momentum", Kind::Float)], "batch_norm", |layer, errors| {
        layer.batch_norm(errors)
    }),
    word(
        "lrn",
        1,
        &[need("size", Kind::Count), may("alpha", Kind::Float), may("beta", Kind::Float), may("k", Kind::Float)],
        "lrn(5, alpha = 1e-4, beta = 0.75, k = 2)",
        |layer, errors| layer.lrn(errors),
    ),
    word(
        "group_norm",
        1,
        &[need("groups", Kind::Count), may("eps", Kind::Float), may("affine", Kind::Flag)],
        "group_norm(8)",
        |layer, errors| layer.group_norm(errors),
    ),
    word("layer_norm", 0, NORM, "layer_norm", |layer, errors| layer.layer_norm(errors)),
    word("instance_norm", 0, NORM, "instance_norm", |layer, errors| layer.instance_norm(errors)),
    SQUEEZE_EXCITE,
    word("dropout", 1, &[may("p", Kind::Float)], "dropout(0.5)", |layer, errors| layer.dropout(errors)),
    word("dropout2d", 1, &[may("p", Kind::Float)], "dropout2d(0.2)", |layer, errors| layer.dropout2d(errors)),
    word(
        "upsample",
        1,
        &[need("scale", Kind::Pair), may("nearest", Kind::Flag), may("bilinear", Kind::Flag)],
        "upsample(2, bilinear)",
        |layer, errors| layer.upsample(errors),
    )
    .enlarging("scale"),
    word(
        "pad",
        1,
        &[
            need("amount", Kind::Pad),
            may("value", Kind::Float),
            may("reflect", Kind::Flag),
            may("replicate", Kind::Flag),
        ],
        "pad(1)",
        |layer, errors| layer.pad_layer(errors),
    )
    .enlarging("amount"),
    word("crop", 1, &[need("amount", Kind::Pad)], "crop(1)", |layer, errors| layer.crop(errors)),
    word("channel_pad", 1, &[need("amount", Kind::Pair)], "channel_pad((0, 16))", |layer, errors| {
        layer.channel_pad(errors)
    })
    .enlarging("amount"),
    word("channel_shuffle", 1, &[need("groups", Kind::Count)], "channel_shuffle(2)", |layer, errors| {
        layer.channel_shuffle(errors)
    }),
    word("pixel_shuffle", 1, &[need("factor", Kind::Count)], "pixel_shuffle(2)", |layer, errors| {
        layer.pixel_shuffle(errors)
    })
    .enlarging("factor"),
    word("identity", 0, &[], "identity", |layer, errors| layer.identity(errors)),
    activation("relu", |layer, _| layer.same(Op::Activation(Activation::Relu))),
    activation("relu6", |layer, _| layer.same(Op::Activation(Activation::Relu6))),
    word("leaky_relu", 1, &[may("slope", Kind::Float)], "leaky_relu(0.1)", |layer, errors| layer.leaky_relu(errors)),
    word("elu", 1, &[may("alpha", Kind::Float)], "elu", |layer, errors| layer.elu(errors)),
    activation("selu", |layer, _| layer.same(Op::Activation(Activation::Selu))),
    activation("gelu", |layer, _| layer.same(Op::Activation(Activation::Gelu))),
    activation("silu", |layer, _| layer.same(Op::Activation(Activation::Silu))),
    activation("mish", |layer, _| layer.same(Op::Activation(Activation::Mish))),
    activation("hard_swish", |layer, _| layer.same(Op::Activation(Activation::HardSwish))),
    activation("sigmoid", |layer, _| layer.same(Op::Activation(Activation::Sigmoid))),
    activation("tanh", |layer, _| layer.same(Op::Activation(Activation::Tanh))),
    activation("scaled_tanh", |layer, _| layer.same(Op::Activation(Activation::ScaledTanh))),
    activation("softplus", |layer, _| layer.same(Op::Activation(Activation::Softplus))),
    word("prelu", 0, &[may("per_channel", Kind::Flag)], "prelu", |layer, errors| layer.prelu(errors)),
    word("softmax", 0, &[], "softmax", |layer, _| layer.same(Op::Softmax)),
    word("log_softmax", 0, &[], "log_softmax", |layer, _| layer.same(Op::LogSoftmax)),
];

/// Words that open a brace.
pub const STRUCTURES: &[&str] = &["block", "repeat", "residual", "shortcut", "concat", "head", "custom", "if", "else"];

/// The layer that `name` stands for.
pub fn find(name: &str) -> Option<&'static Word> {
    WORDS.iter().find(|word| word.name() == name)
}
