//! Layers without a window: dense, and element by element.

use super::conv::weights;
use super::{Context, Made, param};
use crate::cost::{Dim, product};
use crate::graph::{Init, Shape};
use crate::report::Errors;
use convnet_graph::{Activation, Op};

impl Context<'_> {
    pub fn flatten(&self, errors: &mut Errors) -> Made {
        let Shape::Map(dims) = self.shape else { return self.same(Op::Flatten) };
        let known: Option<Vec<u64>> = dims.iter().map(|dim| dim.known()).collect();
        let shape = match (known, dims) {
            (Some(known), _) => Shape::Vector(Dim::Known(known.into_iter().fold(1, u64::saturating_mul))),
            (None, [channels, Dim::Known(1), Dim::Known(1)]) => Shape::Vector(channels),
            _ if self.shape.is_unknown() => Shape::Vector(Dim::Unknown),
            _ => {
                let message = format!(
                    "`flatten` would have to multiply {}, but a const generic has no value when the network is checked\n  fix: use `global_avg_pool`, or declare the size as a number",
                    self.show(self.shape)
                );
                errors.on(&self.layer.word, message);
                Shape::Vector(Dim::Unknown)
            }
        };
        Made { shape, ..self.same(Op::Flatten) }
    }

    pub fn linear(&self, errors: &mut Errors) -> Made {
        let out = self.args.size("out", errors);
        let bias = self.args.flag("bias", errors);
        if self.args.flag("each_pixel", errors) {
            return self.pixel_linear(out, bias, errors);
        }
        let inputs = match self.shape {
            Shape::Vector(n) => n,
            Shape::Unknown => Dim::Unknown,
            Shape::Map(_) => {
                let message = format!(
                    "{} needs a vector, but gets the feature map {}\n  trace: {}\n  fix: insert `flatten;` (or `global_avg_pool;`) before it",
                    self.name(),
                    self.show(self.shape),
                    self.trace()
                );
                errors.on(&self.layer.word, message);
                Dim::Unknown
            }
        };
        let init = Init::Uniform { fan_in: inputs.count(), closed: false };
        Made {
            shape: Shape::Vector(out),
            params: weights(vec![out, inputs], bias.then_some(out), init),
            macs: product(&[out, inputs]),
            span: self.source_extent.map(Dim::count),
            source_extent: [Dim::Known(1); 2],
            ..self.same(Op::Linear { bias })
        }
    }

    /// A linear layer on the channels of each pixel.
    fn pixel_linear(&self, out: Dim, bias: bool, errors: &mut Errors) -> Made {
        let [channels, height, width] = self.map(errors);
        let init = Init::Uniform { fan_in: channels.count(), closed: false };
        Made {
            shape: Shape::Map([out, height, width]),
            params: weights(vec![out, channels], bias.then_some(out), init),
            macs: product(&[out, channels, height, width]),
            ..self.same(Op::PixelLinear { bias })
        }
    }

    pub fn dropout(&self, errors: &mut Errors) -> Made {
        let p = self.share(errors);
        Made { label: format!("dropout {p}"), ..self.same(Op::Dropout { p, channels: false }) }
    }

    /// Drops whole channels.
    pub fn dropout2d(&self, errors: &mut Errors) -> Made {
        self.map(errors);
        let p = self.share(errors);
        Made { label: format!("dropout2d {p}"), ..self.same(Op::Dropout { p, channels: true }) }
    }

    /// Drops whole images.
    pub fn stochastic_depth(&self, errors: &mut Errors) -> Made {
        let p = self.share(errors);
        let (Some(layer), Some(of)) = (self.args.natural("layer", errors), self.args.count("of", errors)) else {
            return self.failed(self.shape);
        };
        if layer > of {
            self.args.fault("layer", errors, format!("`layer` is one of 0 to {of} (`of`), not {layer}"));
            return self.failed(self.shape);
        }
        let p = p * layer as f64 / of as f64;
        Made { label: format!("stochastic_depth {p:.3}"), ..self.same(Op::StochasticDepth { p }) }
    }

    pub fn hard_tanh(&self, errors: &mut Errors) -> Made {
        let (min, max) = (self.args.float("min", errors), self.args.float("max", errors));
        if min >= max {
            let place = if self.args.has("max") { "max" } else { "min" };
            self.args.fault(place, errors, format!("`min` has to be below `max`, but {min} is not below {max}"));
        }
        self.activation(Activation::HardTanh(min, max))
    }

    fn share(&self, errors: &mut Errors) -> f64 {
        let p = self.args.float("p", errors);
        if !(0.0..1.0).contains(&p) {
            let fix = match p {
                p if (2.0..100.0).contains(&p) => format!("\n  fix: write `{}`", p / 100.0),
                _ => String::new(),
            };
            let message = format!("`p` is the share of elements that are dropped, from 0 to below 1, not {p}{fix}");
            self.args.fault("p", errors, message);
        }
        p
    }

    pub fn prelu(&self, errors: &mut Errors) -> Made {
        let per_channel = self.args.flag("per_channel", errors);
        let [channels, ..] = self.shape.chw();
        let slopes = if per_channel { channels } else { Dim::Known(1) };
        let params = vec![param("weight", vec![slopes], Init::Constant(0.25))];
        Made { params, ..self.same(Op::Prelu { per_channel }) }
    }
    /// ConvNeXt's layer scale.
    pub fn channel_scale(&self) -> Made {
        let [channels, ..] = self.shape.chw();
        let params = vec![param("weight", vec![channels], Init::Constant(1e-6))];
        Made { params, ..self.same(Op::ChannelScale) }
    }
}
