//! The words of layers that move pixels or channels.

use super::{Meaning, Signature, Spec, UNCHANGED, Word};
use crate::signature::ArgKind::{Count, Ends, Flag, Float, Pair, Sides};
use crate::signature::DefaultValue::{Decimal, Instead, On};

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
];
