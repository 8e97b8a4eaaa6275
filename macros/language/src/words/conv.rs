//! The words of convolutions.

use super::{Meaning, Signature, Spec, Word};
use crate::signature::ArgKind::{Count, Flag, Pad, Pair, Size, Table};
use crate::signature::DefaultValue::{Absent, On, Whole};

const OUT: Spec = Spec::required("out", Size, "The number of output channels.");
const KERNEL: Spec = Spec::required("kernel", Pair, "The extent of the window, in pixels.");
const STRIDE: Spec = Spec::optional("stride", Pair, Whole(1), "The distance from one window to the next, in pixels.");
const PAD: Spec = Spec::optional(
    "pad",
    Pad,
    Whole(0),
    "The zeros around the input, in pixels at each side. With `same` there are as many as an output of `ceil(input / stride)` \
     needs; an odd one goes to the bottom and right.",
);
const DILATION: Spec = Spec::optional(
    "dilation",
    Pair,
    Whole(1),
    "The distance between neighbouring weights of the kernel, in pixels; 1 leaves no gap.",
);
const GROUPS: Spec = Spec::optional(
    "groups",
    Count,
    Whole(1),
    "Input and output channels are split into that many equal groups that do not see each other.",
);
const BIAS: Spec = Spec::optional("bias", Flag, On, "Whether each output channel has a bias.");

pub(super) const WORDS: &[Word] = &[
    Word {
        signature: Signature {
            name: "conv",
            positional: 2,
            args: &[
                OUT,
                KERNEL,
                STRIDE,
                PAD,
                DILATION,
                GROUPS,
                BIAS,
                Spec::optional(
                    "connections",
                    Table,
                    Absent,
                    "For each output channel the input channels that it reads (LeCun et al., 1998, table I). Without it, an output \
                     channel reads all of its group.",
                ),
            ],
            example: "conv(16, kernel = 3, pad = 1)",
        },
        help: "A 2-d convolution of all channels, of groups of them, or by a table of `connections`.",
        shape: "`[C, H, W] -> [out, H', W']` with `H' = (H + top + bottom - dilation * (kernel - 1) - 1) / stride + 1`, rounded down; \
                `W'` likewise",
        parameters: "`weight [out, C / groups, kh, kw]`, or `weight [n, kh, kw]` with `n` connections; and `bias [out]` unless `bias = false`",
        meaning: Meaning::Layer(|layer, errors| layer.conv(errors)),
        enlarges: "pad",
    },
    Word {
        signature: Signature {
            name: "depthwise",
            positional: 1,
            args: &[
                KERNEL,
                STRIDE,
                PAD,
                DILATION,
                Spec::optional("multiplier", Count, Whole(1), "The number of output channels for each input channel."),
                BIAS,
            ],
            example: "depthwise(3, pad = 1)",
        },
        help: "A convolution of each channel by itself, with as many groups as there are channels.",
        shape: "`[C, H, W] -> [C * multiplier, H', W']` with `H'` and `W'` as in [`conv`]",
        parameters: "`weight [C * multiplier, 1, kh, kw]`, and `bias [C * multiplier]` unless `bias = false`",
        meaning: Meaning::Layer(|layer, errors| layer.depthwise(errors)),
        enlarges: "multiplier",
    },
    Word {
        signature: Signature {
            name: "conv_transpose",
            positional: 2,
            args: &[
                OUT,
                KERNEL,
                Spec::optional(
                    "stride",
                    Pair,
                    Whole(1),
                    "The distance between the windows of neighbouring input pixels, in pixels of the output.",
                ),
                Spec::optional("pad", Pair, Whole(0), "The pixels that each side of the output loses."),
                Spec::optional(
                    "output_pad",
                    Pair,
                    Whole(0),
                    "More rows at the bottom and columns at the right of the output, fewer than `stride` or `dilation`.",
                ),
                DILATION,
                GROUPS,
                BIAS,
            ],
            example: "conv_transpose(16, kernel = 2, stride = 2)",
        },
        help: "A transposed convolution: each input pixel is spread over a window of the output.",
        shape: "`[C, H, W] -> [out, H', W']` with `H' = (H - 1) * stride - 2 * pad + dilation * (kernel - 1) + output_pad + 1`; `W'` \
                likewise",
        parameters: "`weight [C, out / groups, kh, kw]`, and `bias [out]` unless `bias = false`",
        meaning: Meaning::Layer(|layer, errors| layer.conv_transpose(errors)),
        enlarges: "stride",
    },
];
