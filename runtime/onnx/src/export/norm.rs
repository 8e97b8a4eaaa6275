//! Normalisation over groups of channels and across channels; dropout, which does nothing in evaluation.

use super::Layer;
use super::draft::{float, int, ints};
use convnet_graph::{Affine, Groups, Shape};

impl Layer<'_> {
    pub(super) fn group_norm(&mut self, groups: Groups, eps: f64, affine: Affine) -> String {
        let [channels, height, width] = self.from.chw();
        let groups = groups.count(channels);
        let eps = float("epsilon", eps);
        if let (1, Affine::Element, _) | (1, Affine::Channel, Shape::Vector(_)) = (groups, affine, self.from) {
            let (weight, bias) = (self.param(0, None), self.param(1, None));
            return self.then("LayerNormalization", &[&weight, &bias], vec![int("axis", 1), eps]);
        }
        if groups == channels && affine == Affine::Channel {
            let (weight, bias) = (self.param(0, None), self.param(1, None));
            return self.then("InstanceNormalization", &[&weight, &bias], vec![eps]);
        }
        // `GroupNormalization` has changed its meaning from version to version: as PyTorch writes it, a group becomes a channel.
        self.reshaped(&[groups, channels * height * width / groups.max(1)]);
        let [ones, zeros] = [("ones", 1.0), ("zeros", 0.0)].map(|(name, value)| {
            let name = self.own(name);
            self.draft.floats(&name, &[groups], &vec![value; groups])
        });
        self.then("InstanceNormalization", &[&ones, &zeros], vec![eps]);
        let value = match self.from {
            Shape::Map(shape) => self.reshaped(&shape),
            Shape::Vector(n) => self.reshaped(&[n]),
        };
        let shape = match affine {
            Affine::None => return value,
            Affine::Channel => self.by_channel(channels),
            Affine::Element => vec![channels, height, width],
        };
        let (weight, bias) = (self.param(0, Some(&shape)), self.param(1, Some(&shape)));
        self.then("Mul", &[&weight], vec![]);
        self.then("Add", &[&bias], vec![])
    }

    /// `LayerNormalization` takes the last dimensions, so channels become the last one for its time, as PyTorch writes it.
    pub(super) fn pixel_norm(&mut self, eps: f64, affine: bool) -> String {
        let [channels, ..] = self.from.chw();
        self.then("Transpose", &[], vec![ints("perm", &[0, 2, 3, 1])]);
        let attributes = vec![int("axis", -1), float("epsilon", eps)];
        if affine {
            let (weight, bias) = (self.param(0, None), self.param(1, None));
            self.then("LayerNormalization", &[&weight, &bias], attributes);
        } else {
            let name = self.own("ones");
            let ones = self.draft.floats(&name, &[channels], &vec![1.0; channels]);
            self.then("LayerNormalization", &[&ones], attributes);
        }
        self.then("Transpose", &[], vec![ints("perm", &[0, 3, 1, 2])])
    }

    pub(super) fn lrn(&mut self, size: usize, [alpha, beta, k]: [f64; 3]) -> String {
        let lrn = |alpha: f64, k: f64| {
            vec![int("size", size as i64), float("alpha", alpha), float("beta", beta), float("bias", k)]
        };
        if size % 2 == 1 && k.fract() == 0.0 {
            return self.then("LRN", &[], lrn(alpha, k));
        }
        if size % 2 == 1 && k > 0.0 {
            // (k + alpha s)^-beta is k^-beta (1 + alpha/k s)^-beta; OpenVINO takes the whole part of `bias`.
            self.then("LRN", &[], lrn(alpha / k, 1.0));
            return self.times("factor", k.powf(-beta));
        }
        // Of an even window, PyTorch has the larger half before the channel, ONNX behind it.
        let [channels, height, width] = self.from.chw();
        let given = self.value();
        self.then("Mul", &[&given], vec![]);
        self.reshaped(&[1, channels, height * width]);
        let window = vec![
            ints("kernel_shape", &[size, 1]),
            ints("strides", &[1, 1]),
            ints("pads", &[size / 2, 0, (size - 1) / 2, 0]),
            int("count_include_pad", 1),
        ];
        self.then("AveragePool", &[], window);
        self.reshaped(&[channels, height, width]);
        for (op, what, value) in [("Mul", "alpha", alpha), ("Add", "k", k), ("Pow", "beta", beta)] {
            let name = self.own(what);
            let value = self.draft.scalar(&name, value);
            self.then(op, &[&value], vec![]);
        }
        self.inputs.insert(0, given);
        self.merged("Div", vec![])
    }

    /// ONNX has no dropout of whole channels or images, which is the same in evaluation; a note on the node has our `word` for it.
    pub(super) fn dropout(&mut self, p: f64, word: Option<&str>) -> String {
        let name = self.own("ratio");
        let ratio = self.draft.scalar(&name, p);
        let value = self.then("Dropout", &[&ratio], vec![]);
        if let Some(word) = word {
            self.draft.note_last("convnet.word", word);
        }
        value
    }
}
