//! Words that are no layers: what opens a brace or starts a statement, what values may be computed from, and what budgets are about.

use super::Term;

/// Words of structures, none of which can name a block.
pub const STRUCTURES: &[Term] = &[
    Term {
        name: "block",
        written: "block name(out, stride = 1) { ... }",
        help: "A template for sequences, beside the structs. Its parameters are whole numbers, which may have defaults. A use, \
               `name: block_name(16, stride = 2);`, is a sequence of its own.",
    },
    Term {
        name: "repeat",
        written: "repeat 3 { ... }",
        help: "The same layers several times, each with weights of its own. It adds no name of its own.",
    },
    Term {
        name: "residual",
        written: "residual { ... } shortcut { ... }",
        help: "The sum of what its layers give and of what the `shortcut` gives for the same input; without a shortcut, of the input \
               itself (He et al., 2015). Both have to be of one shape.",
    },
    Term {
        name: "gate",
        written: "gate { ... } shortcut { ... }",
        help: "The product of what its layers give and of what the `shortcut` gives for the same input; without a shortcut, of the input \
               itself. One of both may be `[C, 1, 1]`, a factor for each channel (squeeze and excitation: Hu et al., 2017); otherwise both \
               have to be of one shape.",
    },
    Term {
        name: "shortcut",
        written: "residual { ... } shortcut if stride != 1 { ... }",
        help: "The layers beside those of the `residual` or the `gate` before it. Where its condition does not hold, they are left out, and \
               it is the input itself that is added or multiplied.",
    },
    Term {
        name: "concat",
        written: "concat { a: ...; b: ...; }",
        help: "Each statement is a branch on the same input; the channels of their outputs are joined in this order. A branch of several \
               layers is `name: { ... }`, or `{ ... }` to keep its layers' names as they are.",
    },
    Term {
        name: "split",
        written: "split { a: ...; b: ...; }",
        help: "A `concat` whose branches share the channels out: the first branch gets the first part, and so on, all of one size (Ma et \
               al., 2018, ShuffleNetV2). The part as it is is `identity;`. For parts of other sizes, begin the branches of a `concat` with \
               `channel_crop`.",
    },
    Term {
        name: "output",
        written: "output boxes: [4] { ... }",
        help: "A further output, in evaluation and in training, of the shape that is declared: `forward` gives a tuple of the network's own \
               output and of these, in the order in which they are written. `output p4: [64, 32, 32] = conv(64, 3, pad = 1);` for one layer \
               or a block. The layers after it go on from where it begins.",
    },
    Term {
        name: "head",
        written: "head aux: [10] { ... }",
        help: "An auxiliary output, in training only, of the shape that is declared; `head aux: [10] = block_name(...);` for one layer or a block. \
               The layers after it go on from where it begins.",
    },
    Term {
        name: "custom",
        written: "custom stem: path::Stem<E, D> -> [8, 14, 14];",
        help: "Any dfdx module that is `Clone + Debug`, another network included. `E` and `D` are the network's dtype and device; \
               its real shape is checked. Parameters and operations of it are not counted.",
    },
    Term {
        name: "if",
        written: "if stride > 1 { ... } else { ... }",
        help: "Layers that are chosen when the network is checked, by comparisons, `&&`, `||` and `!`.",
    },
    Term {
        name: "else",
        written: "if stride > 1 { ... } else { ... }",
        help: "The layers for where the condition of the `if` before it does not hold.",
    },
    Term {
        name: "assert",
        written: "assert params <= 62_000, macs <= 420_000;",
        help: "Budgets of the whole network: the program does not compile where one of them does not hold. The comparisons are \
               `<=`, `<`, `==`, `>=` and `>`.",
    },
];

/// Names that values know, beside const generics and the parameters of a block.
pub const VALUES: &[Term] = &[
    Term {
        name: "channels",
        written: "channels",
        help: "The channels of what comes in at this point; the length of a vector.",
    },
    Term { name: "height", written: "height", help: "The height of the map that comes in at this point, in pixels." },
    Term { name: "width", written: "width", help: "The width of the map that comes in at this point, in pixels." },
    Term {
        name: "index",
        written: "repeat 3 { unit(first + index); }",
        help: "In a `repeat`, the number of the repetition, from 0; in one within another one, that of the inner one. A block gets it as a parameter.",
    },
    Term { name: "max", written: "max(channels / 4, 8)", help: "The larger one of two numbers." },
    Term { name: "min", written: "min(channels, 64)", help: "The smaller one of two numbers." },
    Term {
        name: "round_to",
        written: "round_to(channels / 4, 8)",
        help: "The multiple of the second number that is nearest to the first one, at least one of it; a tie goes up, and so does what would \
               lose more than a tenth. This is how MobileNet's widths are made (Sandler et al., 2018; `_make_divisible` of torchvision).",
    },
    Term {
        name: "same",
        written: "pad = same",
        help: "As the padding of a convolution or a pool: as many pixels as an output of `ceil(input / stride)` needs.",
    },
];

/// What an `assert` can be about.
pub const BUDGETS: &[Term] = &[
    Term {
        name: "params",
        written: "params <= 62_000",
        help: "The number of trainable scalars, those of auxiliary heads included.",
    },
    Term {
        name: "macs",
        written: "macs <= 420_000",
        help: "Multiplications with an addition, for one image in evaluation.",
    },
    Term {
        name: "receptive_field",
        written: "receptive_field >= 28",
        help: "The extent of the input that an element of the last feature map depends on, in pixels.",
    },
    Term {
        name: "activations",
        written: "activations <= 10_000",
        help: "Elements of all activations of one image in evaluation.",
    },
    Term {
        name: "peak_activations",
        written: "peak_activations <= 5_000",
        help: "Elements of the activations of one image that have to be in memory at once in evaluation.",
    },
];
