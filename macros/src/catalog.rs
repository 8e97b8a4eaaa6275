//! The one table of layer words and their arguments.

/// What kind of value an argument takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number of channels or outputs: an integer, or a const generic.
    Size,
    /// An integer.
    Count,
    /// An integer for both dimensions, or `(height, width)`.
    Pair,
    /// An integer, `(height, width)`, `(top, bottom, left, right)` or `same`.
    Pad,
    /// A decimal number.
    Float,
    /// `true` or `false`; the name alone means `true`.
    Flag,
    /// A list of lists of channel numbers.
    Table,
}

/// An argument of a layer.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Whether the layer is incomplete without it.
    pub required: bool,
}

/// A layer.
#[derive(Debug, Clone, Copy)]
pub struct Word {
    /// How it is written.
    pub name: &'static str,
    /// Its arguments; those without a name in the source are taken in this order.
    pub args: &'static [Spec],
    /// How many of them may be given without a name.
    pub positional: usize,
    /// A complete example.
    pub example: &'static str,
}

const fn need(name: &'static str, kind: Kind) -> Spec {
    Spec { name, kind, required: true }
}

const fn may(name: &'static str, kind: Kind) -> Spec {
    Spec { name, kind, required: false }
}

const fn word(name: &'static str, positional: usize, args: &'static [Spec], example: &'static str) -> Word {
    Word { name, args, positional, example }
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

/// Every layer.
pub const WORDS: &[Word] = &[
    word("conv", 2, CONV, "conv(16, kernel = 3, pad = 1)"),
    word("depthwise", 1, DEPTHWISE, "depthwise(3, pad = 1)"),
    word("conv_transpose", 2, CONV_TRANSPOSE, "conv_transpose(16, kernel = 2, stride = 2)"),
    word("max_pool", 1, POOL, "max_pool(2)"),
    word("min_pool", 1, POOL, "min_pool(2)"),
    word("avg_pool", 1, AVG_POOL, "avg_pool(2)"),
    word("adaptive_avg_pool", 2, &[need("height", Kind::Count), may("width", Kind::Count)], "adaptive_avg_pool(7, 7)"),
    word("global_avg_pool", 0, &[], "global_avg_pool"),
    word("global_max_pool", 0, &[], "global_max_pool"),
    word("channel_max_pool", 1, &[need("size", Kind::Count)], "channel_max_pool(2)"),
    word("channel_avg_pool", 1, &[need("size", Kind::Count)], "channel_avg_pool(2)"),
    word("subsample", 1, &[need("size", Kind::Count)], "subsample(2)"),
    word("flatten", 0, &[], "flatten"),
    word("linear", 1, &[need("out", Kind::Size), may("bias", Kind::Flag)], "linear(10)"),
    word("batch_norm", 0, &[may("eps", Kind::Float), may("momentum", Kind::Float)], "batch_norm"),
    word(
        "lrn",
        1,
        &[need("size", Kind::Count), may("alpha", Kind::Float), may("beta", Kind::Float), may("k", Kind::Float)],
        "lrn(5, alpha = 1e-4, beta = 0.75, k = 2)",
    ),
    word(
        "group_norm",
        1,
        &[need("groups", Kind::Count), may("eps", Kind::Float), may("affine", Kind::Flag)],
        "group_norm(8)",
    ),
    word("layer_norm", 0, NORM, "layer_norm"),
    word("instance_norm", 0, NORM, "instance_norm"),
    word("squeeze_excite", 1, &[need("reduction", Kind::Count)], "squeeze_excite(4)"),
    word("dropout", 1, &[may("p", Kind::Float)], "dropout(0.5)"),
    word("dropout2d", 1, &[may("p", Kind::Float)], "dropout2d(0.2)"),
    word(
        "upsample",
        1,
        &[need("scale", Kind::Pair), may("nearest", Kind::Flag), may("bilinear", Kind::Flag)],
        "upsample(2, bilinear)",
    ),
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
    ),
    word("crop", 1, &[need("amount", Kind::Pad)], "crop(1)"),
    word("channel_pad", 1, &[need("amount", Kind::Pair)], "channel_pad((0, 16))"),
    word("channel_shuffle", 1, &[need("groups", Kind::Count)], "channel_shuffle(2)"),
    word("pixel_shuffle", 1, &[need("factor", Kind::Count)], "pixel_shuffle(2)"),
    word("identity", 0, &[], "identity"),
    word("relu", 0, &[], "relu"),
    word("relu6", 0, &[], "relu6"),
    word("leaky_relu", 1, &[may("slope", Kind::Float)], "leaky_relu(0.1)"),
    word("elu", 1, &[may("alpha", Kind::Float)], "elu"),
    word("selu", 0, &[], "selu"),
    word("gelu", 0, &[], "gelu"),
    word("silu", 0, &[], "silu"),
    word("mish", 0, &[], "mish"),
    word("hard_swish", 0, &[], "hard_swish"),
    word("sigmoid", 0, &[], "sigmoid"),
    word("tanh", 0, &[], "tanh"),
    word("scaled_tanh", 0, &[], "scaled_tanh"),
    word("softplus", 0, &[], "softplus"),
    word("prelu", 0, &[may("per_channel", Kind::Flag)], "prelu"),
    word("softmax", 0, &[], "softmax"),
    word("log_softmax", 0, &[], "log_softmax"),
];

/// Words that open a brace.
pub const STRUCTURES: &[&str] = &["block", "repeat", "residual", "shortcut", "concat", "head", "custom", "if", "else"];

/// The layer that `name` stands for.
pub fn find(name: &str) -> Option<&'static Word> {
    WORDS.iter().find(|word| word.name == name)
}
