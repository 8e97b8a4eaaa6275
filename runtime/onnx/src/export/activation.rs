//! Element-wise functions.

use super::Layer;
use super::draft::{float, word};
use convnet_graph::Activation;

impl Layer<'_> {
    pub(super) fn activation(&mut self, activation: Activation) -> String {
        let (op, attributes) = match activation {
            Activation::Relu => ("Relu", vec![]),
            Activation::Relu6 => return self.clipped(0.0, 6.0),
            Activation::LeakyRelu(slope) => ("LeakyRelu", vec![float("alpha", slope)]),
            Activation::Elu(alpha) => ("Elu", vec![float("alpha", alpha)]),
            Activation::Selu => ("Selu", vec![]),
            Activation::Gelu => ("Gelu", vec![word("approximate", "none")]),
            Activation::GeluTanh => ("Gelu", vec![word("approximate", "tanh")]),
            Activation::HardTanh(low, high) => return self.clipped(low, high),
            Activation::Silu => {
                let given = self.value();
                self.then("Sigmoid", &[], vec![]);
                self.inputs.insert(0, given);
                return self.merged("Mul", vec![]);
            }
            Activation::Mish => ("Mish", vec![]),
            Activation::HardSwish => ("HardSwish", vec![]),
            Activation::HardSigmoid => ("HardSigmoid", vec![float("alpha", 1.0 / 6.0), float("beta", 0.5)]),
            Activation::Sigmoid => ("Sigmoid", vec![]),
            Activation::Tanh => ("Tanh", vec![]),
            Activation::ScaledTanh => {
                self.times("inner", 2.0 / 3.0);
                self.then("Tanh", &[], vec![]);
                return self.times("outer", 1.7159);
            }
            Activation::Softplus => ("Softplus", vec![]),
        };
        self.then(op, &[], attributes)
    }

    fn clipped(&mut self, low: f64, high: f64) -> String {
        let [low, high] = [("low", low), ("high", high)].map(|(name, value)| {
            let name = self.own(name);
            self.draft.scalar(&name, value)
        });
        self.then("Clip", &[&low, &high], vec![])
    }

    pub(super) fn times(&mut self, what: &str, factor: f64) -> String {
        let name = self.own(what);
        let factor = self.draft.scalar(&name, factor);
        self.then("Mul", &[&factor], vec![])
    }
}
