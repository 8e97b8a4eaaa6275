//! The words of normalisation.

use super::{Meaning, Signature, Spec, UNCHANGED, Word};
use crate::signature::ArgKind::{Count, Flag, Float};
use crate::signature::DefaultValue::{Decimal, Off, On};

const EPS: Spec = Spec::optional("eps", Float, Decimal(1e-5), "A number above 0 that is added to the variance.");
const BY_CHANNEL: &str = "`weight [C]` and `bias [C]` with `affine`";

pub(super) const WORDS: &[Word] = &[
    Word {
        signature: Signature {
            name: "batch_norm",
            positional: 0,
            args: &[
                EPS,
                Spec::optional(
                    "momentum",
                    Float,
                    Decimal(0.1),
                    "The weight of the new batch in the running statistics, from 0 to 1.",
                ),
            ],
            example: "batch_norm",
        },
        help: "Batch normalisation (Ioffe and Szegedy, 2015). Each channel is normalised by its mean and variance over the batch, and in \
               evaluation by the running statistics of training.",
        shape: UNCHANGED,
        parameters: "`weight [C]`, `bias [C]`; buffers: `running_mean [C]`, `running_var [C]`",
        meaning: Meaning::Layer(|layer, errors| layer.batch_norm(errors)),
        enlarges: "",
    },
    Word {
        signature: Signature {
            name: "lrn",
            positional: 1,
            args: &[
                Spec::required("size", Count, "The number of neighbouring channels that are summed over."),
                Spec::optional("alpha", Float, Decimal(1e-4), "The scale of the sum of squares."),
                Spec::optional("beta", Float, Decimal(0.75), "The exponent."),
                Spec::optional("k", Float, Decimal(1.0), "The constant that the sum is added to."),
            ],
            example: "lrn(5, alpha = 1e-4, beta = 0.75, k = 2)",
        },
        help: "Local response normalisation (Krizhevsky et al., 2012, section 3.3). Each element `x` becomes \
               `x / (k + alpha / size * sum of squares over size channels)^beta`, which is PyTorch's convention.",
        shape: UNCHANGED,
        parameters: "",
        meaning: Meaning::Layer(|layer, errors| layer.lrn(errors)),
        enlarges: "",
    },
    Word {
        signature: Signature {
            name: "group_norm",
            positional: 1,
            args: &[
                Spec::required("groups", Count, "The number of equal groups that the channels are split into."),
                EPS,
                Spec::optional("affine", Flag, On, "Whether each channel has a weight and a bias."),
            ],
            example: "group_norm(8)",
        },
        help: "Normalisation over the pixels and channels of a group, for each image (Wu and He, 2018).",
        shape: UNCHANGED,
        parameters: BY_CHANNEL,
        meaning: Meaning::Layer(|layer, errors| layer.group_norm(errors)),
        enlarges: "",
    },
    Word {
        signature: Signature {
            name: "layer_norm",
            positional: 0,
            args: &[
                EPS,
                Spec::optional(
                    "affine",
                    Flag,
                    On,
                    "Whether each element, or with `each_pixel` each channel, has a weight and a bias.",
                ),
                Spec::optional(
                    "each_pixel",
                    Flag,
                    Off,
                    "Whether the channels of each pixel of a map are normalised by themselves, as ConvNeXt does it (Liu et al., 2022).",
                ),
            ],
            example: "layer_norm",
        },
        help: "Normalisation over all values of an image (Ba et al., 2016), or over the channels of each pixel.",
        shape: UNCHANGED,
        parameters: "with `affine`, `weight` and `bias` of the input's shape, as PyTorch's `LayerNorm([C, H, W])` has them; with \
                     `each_pixel`, `[C]` each, as torchvision's `LayerNorm2d(C)` has them",
        meaning: Meaning::Layer(|layer, errors| layer.layer_norm(errors)),
        enlarges: "",
    },
    Word {
        signature: Signature {
            name: "instance_norm",
            positional: 0,
            args: &[
                EPS,
                Spec::optional(
                    "affine",
                    Flag,
                    Off,
                    "Whether each channel has a weight and a bias. As in PyTorch, this is the one normalisation that has none unless \
                     it is asked to.",
                ),
            ],
            example: "instance_norm",
        },
        help: "Normalisation over the pixels of each channel, for each image (Ulyanov et al., 2016).",
        shape: UNCHANGED,
        parameters: BY_CHANNEL,
        meaning: Meaning::Layer(|layer, errors| layer.instance_norm(errors)),
        enlarges: "",
    },
];
