//! The words of pooling: over windows, over bins, over the whole map, over channels.

use super::{Meaning, Signature, Spec, Word};
use crate::signature::ArgKind::{Count, Flag, Pad, Pair};
use crate::signature::DefaultValue::{Like, Off, On, Whole};
use convnet_graph::{AvgDivisor, PoolKind};

/// The mean over windows, bins or groups, padding included where there is any.
const AVERAGE: PoolKind = PoolKind::Avg(AvgDivisor::WithPad);

const KERNEL: Spec = Spec::required("kernel", Pair, "The extent of the window, in pixels.");
const STRIDE: Spec =
    Spec::optional("stride", Pair, Like("kernel"), "The distance from one window to the next, in pixels.");
const PAD: Spec = Spec::optional(
    "pad",
    Pad,
    Whole(0),
    "The padding at each side, in pixels; at most half of the window. With `same` there is as much as an output of `ceil(input / stride)` \
     needs; an odd pixel goes to the bottom and right.",
);
const DILATION: Spec = Spec::optional(
    "dilation",
    Pair,
    Whole(1),
    "The distance between neighbouring pixels of the window; 1 leaves no gap.",
);
const CEIL: Spec = Spec::optional(
    "ceil",
    Flag,
    Off,
    "Whether the number of windows is rounded up, as PyTorch's `ceil_mode` does. The last window has to start inside the input or \
     the padding before it.",
);
const CHANNELS: Spec = Spec::required("size", Count, "The number of channels in a group, which divides `C`.");

const WINDOWS: &str = "`[C, H, W] -> [C, H', W']` with `H' = (H + top + bottom - dilation * (kernel - 1) - 1) / stride + 1`, rounded down, or up with `ceil`; `W'` likewise";
const WHOLE: &str = "`[C, H, W] -> [C]`";
const GROUPED: &str = "`[C, H, W] -> [C / size, H, W]`";

pub(super) const WORDS: &[Word] = &[
    Word {
        signature: Signature {
            name: "max_pool",
            positional: 1,
            args: &[KERNEL, STRIDE, PAD, CEIL, DILATION],
            example: "max_pool(2)",
        },
        help: "The maximum over each window. Padding is never the maximum.",
        shape: WINDOWS,
        parameters: "",
        meaning: Meaning::Layer(|layer, errors| layer.pool(PoolKind::Max, errors)),
        enlarges: "",
    },
    Word {
        signature: Signature {
            name: "min_pool",
            positional: 1,
            args: &[KERNEL, STRIDE, PAD, CEIL, DILATION],
            example: "min_pool(2)",
        },
        help: "The minimum over each window. Padding is never the minimum.",
        shape: WINDOWS,
        parameters: "",
        meaning: Meaning::Layer(|layer, errors| layer.pool(PoolKind::Min, errors)),
        enlarges: "",
    },
    Word {
        signature: Signature {
            name: "avg_pool",
            positional: 1,
            args: &[
                KERNEL,
                STRIDE,
                PAD,
                CEIL,
                Spec::optional(
                    "count_include_pad",
                    Flag,
                    On,
                    "Whether the padding counts as zeros. Otherwise the sum is divided by the number of pixels of the input in the \
                     window.",
                ),
            ],
            example: "avg_pool(2)",
        },
        help: "The mean over each window.",
        shape: WINDOWS,
        parameters: "",
        meaning: Meaning::Layer(|layer, errors| layer.avg_pool(errors)),
        enlarges: "",
    },
    Word {
        signature: Signature {
            name: "adaptive_avg_pool",
            positional: 2,
            args: &[
                Spec::required("height", Count, "The number of rows of bins."),
                Spec::optional("width", Count, Like("height"), "The number of columns of bins."),
            ],
            example: "adaptive_avg_pool(7, 7)",
        },
        help: "The mean over each of a grid of bins, which cover the map whatever its size is.",
        shape: "`[C, H, W] -> [C, height, width]`",
        parameters: "",
        meaning: Meaning::Layer(|layer, errors| layer.adaptive_avg_pool(errors)),
        enlarges: "",
    },
    Word {
        signature: Signature { name: "global_avg_pool", positional: 0, args: &[], example: "global_avg_pool" },
        help: "The mean of each channel over the whole map.",
        shape: WHOLE,
        parameters: "",
        meaning: Meaning::Layer(|layer, errors| layer.global(AVERAGE, errors)),
        enlarges: "",
    },
    Word {
        signature: Signature { name: "global_max_pool", positional: 0, args: &[], example: "global_max_pool" },
        help: "The maximum of each channel over the whole map.",
        shape: WHOLE,
        parameters: "",
        meaning: Meaning::Layer(|layer, errors| layer.global(PoolKind::Max, errors)),
        enlarges: "",
    },
    Word {
        signature: Signature {
            name: "channel_max_pool",
            positional: 1,
            args: &[CHANNELS],
            example: "channel_max_pool(2)",
        },
        help: "The maximum over groups of neighbouring channels, at each pixel.",
        shape: GROUPED,
        parameters: "",
        meaning: Meaning::Layer(|layer, errors| layer.channel_pool(PoolKind::Max, errors)),
        enlarges: "",
    },
    Word {
        signature: Signature {
            name: "channel_avg_pool",
            positional: 1,
            args: &[CHANNELS],
            example: "channel_avg_pool(2)",
        },
        help: "The mean over groups of neighbouring channels, at each pixel.",
        shape: GROUPED,
        parameters: "",
        meaning: Meaning::Layer(|layer, errors| layer.channel_pool(AVERAGE, errors)),
        enlarges: "",
    },
    Word {
        signature: Signature {
            name: "subsample",
            positional: 1,
            args: &[Spec::required("size", Count, "The height and width of the window, and its stride, in pixels.")],
            example: "subsample(2)",
        },
        help: "LeNet's trainable pooling (LeCun et al., 1998, section II-B): the sum over each window times a weight of its channel, \
               plus a bias.",
        shape: "`[C, H, W] -> [C, H / size, W / size]`, rounded down",
        parameters: "`weight [C]`, `bias [C]`",
        meaning: Meaning::Layer(|layer, errors| layer.subsample(errors)),
        enlarges: "",
    },
];
