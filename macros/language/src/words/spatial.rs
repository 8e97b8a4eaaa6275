//! The words of layers that move pixels or channels.

use super::{Meaning, Signature, Spec, UNCHANGED, Word};
use crate::signature::ArgKind::{Count, Ends, Flag, Float, Pair, Sides};
use crate::signature::DefaultValue::{Decimal, Instead, Off, On};

pub(super) const WORDS: &[Word] = &[
    Word {
        signature: Signature {
            name: "upsample",
            positional: 1,
            args: &[
                Spec::required("scale", Pair, "How many times larger the output is."),
                Spec::optional("nearest", Flag, On, "The default: pixels are repeated."),
                Spec::optional(
                    "bilinear",
                    Flag,
                    Instead,
                    "Neighbouring pixels are mixed, as PyTorch does it with `align_corners = False`.",
                ),
            ],
            example: "upsample(2, bilinear)",
        },
        help: "Enlarges a map by whole factors.",
        shape: "`[C, H, W] -> [C, H * scale, W * scale]`",
        parameters: "",
        meaning: Meaning::Layer(|layer, errors| layer.upsample(errors)),
        enlarges: "scale",
    },
    Word {
        signature: Signature {
            name: "resize",
            positional: 1,
            args: &[
                Spec::required("size", Pair, "The extent of the output, in pixels."),
                Spec::optional(
                    "nearest",
                    Flag,
                    On,
                    "The default: each pixel is the one that it falls on, rounded down.",
                ),
                Spec::optional(
                    "bilinear",
                    Flag,
                    Instead,
                    "Neighbouring pixels are mixed, as PyTorch does it with `align_corners = False`.",
                ),
                Spec::optional(
                    "antialias",
                    Flag,
                    Off,
                    "With `bilinear`, where the map gets smaller: whether a pixel is mixed of all that it covers (Pillow's filter, \
                     PyTorch's `antialias = True`), and not of the two nearest.",
                ),
            ],
            example: "resize(56, bilinear)",
        },
        help: "Makes a map larger or smaller, to any size.",
        shape: "`[C, H, W] -> [C, height, width]`",
        parameters: "",
        meaning: Meaning::Layer(|layer, errors| layer.resize(errors)),
        enlarges: "size",
    },
    Word {
        signature: Signature {
            name: "pad",
            positional: 1,
            args: &[
                Spec::required("amount", Sides, "The number of pixels at each side."),
                Spec::optional("value", Float, Decimal(0.0), "The value of the new pixels."),
                Spec::optional(
                    "reflect",
                    Flag,
                    Instead,
                    "The new pixels mirror the map at its border, which is not repeated.",
                ),
                Spec::optional("replicate", Flag, Instead, "The new pixels repeat the map's border."),
                Spec::optional(
                    "circular",
                    Flag,
                    Instead,
                    "The new pixels are those of the opposite side, as if the map were a ring.",
                ),
            ],
            example: "pad(1)",
        },
        help: "Puts more pixels at the sides of a map.",
        shape: "`[C, H, W] -> [C, H + top + bottom, W + left + right]`",
        parameters: "",
        meaning: Meaning::Layer(|layer, errors| layer.pad_layer(errors)),
        enlarges: "amount",
    },
    Word {
        signature: Signature {
            name: "crop",
            positional: 1,
            args: &[Spec::required("amount", Sides, "The number of pixels that each side loses.")],
            example: "crop(1)",
        },
        help: "Takes pixels from the sides of a map.",
        shape: "`[C, H, W] -> [C, H - top - bottom, W - left - right]`",
        parameters: "",
        meaning: Meaning::Layer(|layer, errors| layer.crop(errors)),
        enlarges: "",
    },
    Word {
        signature: Signature {
            name: "channel_pad",
            positional: 1,
            args: &[Spec::required("amount", Ends, "The number of channels before and after those of the input.")],
            example: "channel_pad((0, 16))",
        },
        help: "Puts channels of zeros beside those of a map.",
        shape: "`[C, H, W] -> [C + before + after, H, W]`",
        parameters: "",
        meaning: Meaning::Layer(|layer, errors| layer.channel_pad(errors)),
        enlarges: "amount",
    },
    Word {
        signature: Signature {
            name: "channel_crop",
            positional: 1,
            args: &[Spec::required(
                "amount",
                Ends,
                "The number of channels that are left out before and after the others.",
            )],
            example: "channel_crop((0, 1))",
        },
        help: "Takes a slice of the channels of a map. The parts of a map for branches that join again are the structure `split`.",
        shape: "`[C, H, W] -> [C - before - after, H, W]`",
        parameters: "",
        meaning: Meaning::Layer(|layer, errors| layer.channel_crop(errors)),
        enlarges: "",
    },
    Word {
        signature: Signature {
            name: "channel_shuffle",
            positional: 1,
            args: &[Spec::required("groups", Count, "The number of equal groups that the channels are split into.")],
            example: "channel_shuffle(2)",
        },
        help: "Mixes the channels of groups (Zhang et al., 2017), so that a group of what follows has channels of each.",
        shape: UNCHANGED,
        parameters: "",
        meaning: Meaning::Layer(|layer, errors| layer.channel_shuffle(errors)),
        enlarges: "",
    },
    Word {
        signature: Signature {
            name: "pixel_shuffle",
            positional: 1,
            args: &[Spec::required("factor", Count, "The side of a square, in pixels; its square divides `C`.")],
            example: "pixel_shuffle(2)",
        },
        help: "Turns channels into squares of pixels (Shi et al., 2016).",
        shape: "`[C, H, W] -> [C / factor^2, H * factor, W * factor]`",
        parameters: "",
        meaning: Meaning::Layer(|layer, errors| layer.pixel_shuffle(errors)),
        enlarges: "factor",
    },
    Word {
        signature: Signature {
            name: "pixel_unshuffle",
            positional: 1,
            args: &[Spec::required("factor", Count, "The side of a square, in pixels, which divides `H` and `W`.")],
            example: "pixel_unshuffle(2)",
        },
        help: "Turns squares of pixels into channels, which is what `pixel_shuffle` undoes.",
        shape: "`[C, H, W] -> [C * factor^2, H / factor, W / factor]`",
        parameters: "",
        meaning: Meaning::Layer(|layer, errors| layer.pixel_unshuffle(errors)),
        enlarges: "factor",
    },
    Word {
        signature: Signature {
            name: "permute",
            positional: 3,
            args: &[
                Spec::required(
                    "channels",
                    Count,
                    "What the channels of the output are: 1, the channels of the input, 2, its rows, or 3, its columns.",
                ),
                Spec::required("height", Count, "What its rows are."),
                Spec::required("width", Count, "What its columns are."),
            ],
            example: "permute(2, 3, 1)",
        },
        help: "Puts channels, rows and columns into another order, numbered as in PyTorch without the images. `permute(2, 3, 1)` in front of `flatten` is \
               the order of networks whose channels are last.",
        shape: "`[C, H, W]` in another order",
        parameters: "",
        meaning: Meaning::Layer(|layer, errors| layer.permute(errors)),
        enlarges: "",
    },
];
