//! The words of activations. One without parameters is its entry here and nothing else in the language.

use super::{Meaning, Signature, Spec, UNCHANGED, Word};
use crate::layers::Check;
use crate::signature::ArgKind::{Flag, Float};
use crate::signature::DefaultValue::{Decimal, Off};
use convnet_graph::{Activation, Op};

/// A function of each element by itself, without parameters.
const fn elementwise(name: &'static str, help: &'static str, check: Check) -> Word {
    activation(Signature { name, positional: 0, args: &[], example: name }, help, check)
}

const fn activation(signature: Signature, help: &'static str, check: Check) -> Word {
    Word { signature, help, shape: UNCHANGED, parameters: "", meaning: Meaning::Layer(check), enlarges: "" }
}

pub(super) const WORDS: &[Word] = &[
    elementwise("relu", "Each element `x` becomes `max(x, 0)`.", |layer, _| layer.activation(Activation::Relu)),
    elementwise("relu6", "Each element `x` becomes `min(max(x, 0), 6)`.", |layer, _| {
        layer.activation(Activation::Relu6)
    }),
    activation(
        Signature {
            name: "leaky_relu",
            positional: 1,
            args: &[Spec::optional("slope", Float, Decimal(0.01), "The factor of elements that are not positive.")],
            example: "leaky_relu(0.1)",
        },
        "Each element `x` stays if it is positive, and becomes `slope * x` otherwise.",
        |layer, errors| layer.activation(Activation::LeakyRelu(layer.args.float("slope", errors))),
    ),
    activation(
        Signature {
            name: "elu",
            positional: 1,
            args: &[Spec::optional("alpha", Float, Decimal(1.0), "Far below 0, the output approaches `-alpha`.")],
            example: "elu",
        },
        "Each element `x` stays if it is positive, and becomes `alpha * (exp(x) - 1)` otherwise.",
        |layer, errors| layer.activation(Activation::Elu(layer.args.float("alpha", errors))),
    ),
    elementwise("selu", "An elu with the self-normalising constants (Klambauer et al., 2017).", |layer, _| {
        layer.activation(Activation::Selu)
    }),
    activation(
        Signature {
            name: "gelu",
            positional: 0,
            args: &[Spec::optional(
                "tanh",
                Flag,
                Off,
                "Whether it is approximated, as PyTorch's `approximate = 'tanh'` does it (Hendrycks and Gimpel, 2016).",
            )],
            example: "gelu",
        },
        "Each element `x` becomes `x * Phi(x)`, where `Phi` is the normal distribution function.",
        |layer, errors| {
            layer.activation(if layer.args.flag("tanh", errors) { Activation::GeluTanh } else { Activation::Gelu })
        },
    ),
    elementwise("silu", "Each element `x` becomes `x * sigmoid(x)`.", |layer, _| layer.activation(Activation::Silu)),
    elementwise("mish", "Each element `x` becomes `x * tanh(softplus(x))`.", |layer, _| {
        layer.activation(Activation::Mish)
    }),
    elementwise("hard_swish", "Each element `x` becomes `x * relu6(x + 3) / 6`.", |layer, _| {
        layer.activation(Activation::HardSwish)
    }),
    elementwise("hard_sigmoid", "Each element `x` becomes `relu6(x + 3) / 6`.", |layer, _| {
        layer.activation(Activation::HardSigmoid)
    }),
    elementwise("sigmoid", "Each element `x` becomes `1 / (1 + exp(-x))`.", |layer, _| {
        layer.activation(Activation::Sigmoid)
    }),
    elementwise("tanh", "Each element becomes its hyperbolic tangent.", |layer, _| layer.activation(Activation::Tanh)),
    activation(
        Signature {
            name: "hard_tanh",
            positional: 2,
            args: &[
                Spec::optional("min", Float, Decimal(-1.0), "The lower bound."),
                Spec::optional("max", Float, Decimal(1.0), "The upper bound."),
            ],
            example: "hard_tanh",
        },
        "Each element `x` becomes `min` or `max` if it is beyond, and stays otherwise.",
        |layer, errors| layer.hard_tanh(errors),
    ),
    elementwise(
        "scaled_tanh",
        "Each element `x` becomes `1.7159 * tanh(2 / 3 * x)` (LeCun et al., 1998, appendix A).",
        |layer, _| layer.activation(Activation::ScaledTanh),
    ),
    elementwise("softplus", "Each element `x` becomes `ln(1 + exp(x))`.", |layer, _| {
        layer.activation(Activation::Softplus)
    }),
    Word {
        parameters: "`weight [1]`, or `weight [C]` with `per_channel`",
        ..activation(
            Signature {
                name: "prelu",
                positional: 0,
                args: &[Spec::optional("per_channel", Flag, Off, "Whether each channel has a slope of its own.")],
                example: "prelu",
            },
            "Each element `x` stays if it is positive, and becomes a learned slope times `x` otherwise (He et al., 2015).",
            |layer, errors| layer.prelu(errors),
        )
    },
    elementwise("softmax", "The softmax over the channels at each position.", |layer, _| layer.same(Op::Softmax)),
    elementwise("log_softmax", "The logarithm of the softmax over the channels at each position.", |layer, _| {
        layer.same(Op::LogSoftmax)
    }),
];
