//! The words of layers without a window that are no activations: dense layers, attention, regularisation, and nothing.

use super::{Meaning, Signature, Spec, UNCHANGED, Word};
use crate::signature::ArgKind::{Count, Flag, Float, Size};
use crate::signature::DefaultValue::{Decimal, Off, On, Whole};
use convnet_graph::Op;

pub(super) const DENSE: &[Word] = &[
    Word {
        signature: Signature { name: "flatten", positional: 0, args: &[], example: "flatten" },
        help: "A map as a vector, in the order `[C, H, W]`.",
        shape: "`[C, H, W] -> [C * H * W]`",
        parameters: "",
        meaning: Meaning::Layer(|layer, errors| layer.flatten(errors)),
        enlarges: "",
    },
    Word {
        signature: Signature {
            name: "linear",
            positional: 1,
            args: &[
                Spec::required("out", Size, "The number of outputs."),
                Spec::optional("bias", Flag, On, "Whether each output has a bias."),
                Spec::optional(
                    "each_pixel",
                    Flag,
                    Off,
                    "Whether the layer is applied to the channels of each pixel of a map. That is a convolution of 1 x 1 whose weight is \
                     of a linear layer's shape, as in ConvNeXt (Liu et al., 2022).",
                ),
            ],
            example: "linear(10)",
        },
        help: "A fully connected layer: each output is a weighted sum of all inputs.",
        shape: "`[N] -> [out]`; with `each_pixel`, `[C, H, W] -> [out, H, W]`",
        parameters: "`weight [out, N]`, or `weight [out, C]` with `each_pixel`; and `bias [out]` unless `bias = false`",
        meaning: Meaning::Layer(|layer, errors| layer.linear(errors)),
        enlarges: "",
    },
];

pub(super) const ATTENTION: &[Word] = &[Word {
    signature: Signature {
        name: "squeeze_excite",
        positional: 1,
        args: &[Spec::required(
            "reduction",
            Count,
            "How many times fewer channels there are between the two convolutions; one is left at least.",
        )],
        example: "squeeze_excite(4)",
    },
    help: "Squeeze and excitation (Hu et al., 2017). Each channel is multiplied by a number that two 1 x 1 convolutions (`fc1` to \
           `C / reduction` channels, relu, `fc2`, sigmoid) make of the map's average. The names are torchvision's.",
    shape: UNCHANGED,
    parameters: "`fc1.weight [C / reduction, C, 1, 1]`, `fc1.bias [C / reduction]`, `fc2.weight [C, C / reduction, 1, 1]`, \
                 `fc2.bias [C]`",
    meaning: Meaning::SqueezeExcite,
    enlarges: "",
}];

/// How much is dropped.
const P: Spec = Spec::optional("p", Float, Decimal(0.5), "The probability, from 0 to below 1.");

pub(super) const REGULARISATION: &[Word] = &[
    Word {
        signature: Signature { name: "dropout", positional: 1, args: &[P], example: "dropout(0.5)" },
        help: "Zeroes each element with probability `p` in training and scales the others by `1 / (1 - p)` (Srivastava et al., 2014). In \
               evaluation it does nothing.",
        shape: UNCHANGED,
        parameters: "",
        meaning: Meaning::Layer(|layer, errors| layer.dropout(errors)),
        enlarges: "",
    },
    Word {
        signature: Signature { name: "dropout2d", positional: 1, args: &[P], example: "dropout2d(0.2)" },
        help: "Zeroes each channel of an image with probability `p` in training and scales the others by `1 / (1 - p)` (Tompson et \
               al., 2015). In evaluation it does nothing.",
        shape: UNCHANGED,
        parameters: "",
        meaning: Meaning::Layer(|layer, errors| layer.dropout2d(errors)),
        enlarges: "",
    },
    Word {
        signature: Signature {
            name: "stochastic_depth",
            positional: 1,
            args: &[
                P,
                Spec::optional(
                    "layer",
                    Count,
                    Whole(1),
                    "With `of`, the number of this layer, from 0: the probability is `p * layer / of`, so that it grows with depth.",
                ),
                Spec::optional("of", Count, Whole(1), "How many such layers the network has."),
            ],
            example: "stochastic_depth(0.2)",
        },
        help: "Zeroes all values of an image with probability `p` in training and scales those of the others by `1 / (1 - p)` (Huang et \
               al., 2016; also called drop path). As the last layer of a `residual` it leaves out the layers before it, image by image. In \
               evaluation it does nothing.",
        shape: UNCHANGED,
        parameters: "",
        meaning: Meaning::Layer(|layer, errors| layer.stochastic_depth(errors)),
        enlarges: "",
    },
];

pub(super) const OTHER: &[Word] = &[
    Word {
        signature: Signature { name: "channel_scale", positional: 0, args: &[], example: "channel_scale" },
        help: "Each channel times a learned factor of its own, which begins at 1e-6: ConvNeXt's layer scale (Touvron et al., 2021; Liu et \
               al., 2022).",
        shape: UNCHANGED,
        parameters: "`weight [C]`",
        meaning: Meaning::Layer(|layer, _| layer.channel_scale()),
        enlarges: "",
    },
    Word {
        signature: Signature { name: "identity", positional: 0, args: &[], example: "identity" },
        help: "Gives its input as it is: a place with a name.",
        shape: UNCHANGED,
        parameters: "",
        meaning: Meaning::Layer(|layer, _| layer.same(Op::Identity)),
        enlarges: "",
    },
];
