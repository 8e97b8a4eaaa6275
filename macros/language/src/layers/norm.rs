//! Normalisation: by batch, by group of channels, across channels.

use super::{Context, Made, groups, number, param};
use crate::cost::Dim;
use crate::graph::{Init, Param, Shape};
use crate::report::Errors;
use convnet_graph::{Affine, Groups, Op};

impl Context<'_> {
    pub fn batch_norm(&self, errors: &mut Errors) -> Made {
        let eps = self.eps(errors);
        let momentum = self.args.float("momentum", errors);
        if !(0.0..=1.0).contains(&momentum) {
            self.args.fault("momentum", errors, "`momentum` is the weight of the new batch, from 0 to 1");
        }
        let [channels, ..] = self.shape.chw();
        let buffer = |name, init| Param { name, shape: vec![channels], trainable: false, init };
        let params = vec![
            param("weight", vec![channels], Init::Ones),
            param("bias", vec![channels], Init::Zeros),
            buffer("running_mean", Init::Zeros),
            buffer("running_var", Init::Ones),
        ];
        Made { params, ..self.same(Op::BatchNorm { eps, momentum }) }
    }

    fn eps(&self, errors: &mut Errors) -> f64 {
        let eps = self.args.float("eps", errors);
        if eps <= 0.0 {
            self.args.fault("eps", errors, "`eps` must be above 0");
        }
        eps
    }

    pub fn lrn(&self, errors: &mut Errors) -> Made {
        self.map(errors);
        let size = self.args.count("size", errors).unwrap_or(1);
        let [alpha, beta, k] = ["alpha", "beta", "k"].map(|name| self.args.float(name, errors));
        Made { label: format!("lrn {size}"), ..self.same(Op::Lrn { size: number(size), alpha, beta, k }) }
    }

    pub fn group_norm(&self, errors: &mut Errors) -> Made {
        let [channels, ..] = self.map(errors);
        let eps = self.eps(errors);
        let affine = self.args.flag("affine", errors);
        let Some(count) = self.args.count("groups", errors) else { return self.failed(self.shape) };
        self.per_group(count, channels, channels, errors);
        let made = self.normalised(Groups::Count(number(count)), eps, by_channel(affine));
        Made { label: format!("group_norm {count}"), ..made }
    }

    /// All channels in one group, or those of each pixel by themselves.
    pub fn layer_norm(&self, errors: &mut Errors) -> Made {
        let eps = self.eps(errors);
        let affine = self.args.flag("affine", errors);
        if self.args.flag("each_pixel", errors) {
            self.map(errors);
            // The parameters are those of any normalisation with one weight and one bias for each channel.
            let made = self.normalised(groups(1), eps, by_channel(affine));
            return Made { op: Op::PixelNorm { eps, affine }, ..made };
        }
        let affine = match self.shape {
            Shape::Map(_) if affine => Affine::Element,
            _ => by_channel(affine),
        };
        self.seeing_all(self.normalised(groups(1), eps, affine))
    }

    /// Each channel in a group of its own.
    pub fn instance_norm(&self, errors: &mut Errors) -> Made {
        self.map(errors);
        let eps = self.eps(errors);
        let affine = self.args.flag("affine", errors);
        self.seeing_all(self.normalised(Groups::Each, eps, by_channel(affine)))
    }

    fn normalised(&self, groups: Groups, eps: f64, affine: Affine) -> Made {
        let [channels, height, width] = self.shape.chw();
        let params =
            |shape: Vec<Dim>| vec![param("weight", shape.clone(), Init::Ones), param("bias", shape, Init::Zeros)];
        let params = match affine {
            Affine::None => Vec::new(),
            Affine::Channel => params(vec![channels]),
            Affine::Element => params(vec![channels, height, width]),
        };
        Made { params, ..self.same(Op::GroupNorm { groups, eps, affine }) }
    }

    /// Every output sees the whole map.
    fn seeing_all(&self, made: Made) -> Made {
        let [_, height, width] = self.shape.chw();
        Made { span: [height.count(), width.count()], ..made }
    }
}

fn by_channel(affine: bool) -> Affine {
    if affine { Affine::Channel } else { Affine::None }
}
