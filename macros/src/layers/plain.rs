//! Layers without a window: dense, and element by element.

use super::{Context, Draft, capital, param};
use crate::cost::{Dim, product};
use crate::graph::{Module, Shape};
use crate::report::Errors;
use quote::{format_ident, quote};

impl Context<'_> {
    pub(super) fn flatten(&self, errors: &mut Errors) -> Draft {
        let mut draft = self.same(quote!(Flatten), "flatten".into());
        let Shape::Map(dims) = self.shape else { return draft };
        let known: Option<Vec<u64>> = dims.iter().map(|dim| dim.known()).collect();
        draft.shape = match (known, dims) {
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
        draft
    }

    pub(super) fn linear(&self, errors: &mut Errors) -> Draft {
        let mut draft = self.same(quote!(Flatten), "linear".into());
        let out = self.args.size("out", errors);
        let bias = self.args.flag("bias", true, errors);
        draft.shape = Shape::Vector(out);
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
        draft.params = vec![param("weight", vec![out, inputs])];
        if bias {
            draft.params.push(param("bias", vec![out]));
        }
        draft.macs = product(&[out, inputs]);
        let name = if bias { "Linear" } else { "UnbiasedLinear" };
        draft.module = Some(Module { name, sizes: vec![inputs, out] });
        draft.span = self.spread.map(Dim::count);
        draft.spread = [Dim::Known(1); 2];
        draft.op = quote!(Linear { bias: #bias });
        draft
    }

    pub(super) fn dropout(&self, errors: &mut Errors) -> Draft {
        let p = self.share(errors);
        self.same(quote!(Dropout { p: #p, channels: false }), format!("dropout {p}"))
    }

    /// Drops whole channels.
    pub(super) fn dropout2d(&self, errors: &mut Errors) -> Draft {
        self.map(errors);
        let p = self.share(errors);
        self.same(quote!(Dropout { p: #p, channels: true }), format!("dropout2d {p}"))
    }

    fn share(&self, errors: &mut Errors) -> f64 {
        let p = self.args.float("p", 0.5, errors).unwrap_or(0.5);
        if !(0.0..1.0).contains(&p) {
            self.args.fault(
                "p",
                errors,
                format!("`p` is the share of elements that are dropped, from 0 to below 1, not {p}"),
            );
        }
        p
    }

    pub(super) fn prelu(&self, errors: &mut Errors) -> Draft {
        let per_channel = self.args.flag("per_channel", false, errors);
        let mut draft = self.same(quote!(Prelu { per_channel: #per_channel }), "prelu".into());
        let [channels, ..] = self.shape.chw();
        let slopes = if per_channel { channels } else { Dim::Known(1) };
        draft.params = vec![param("weight", vec![slopes])];
        draft.module = Some(Module { name: "Prelu", sizes: vec![slopes] });
        draft
    }

    pub(super) fn activation(&self, word: &str, errors: &mut Errors) -> Draft {
        let camel: String = word.split('_').map(capital).collect();
        let variant = format_ident!("{camel}");
        let value = match word {
            "leaky_relu" => self.args.float("slope", 0.01, errors).or(Some(0.01)),
            "elu" => self.args.float("alpha", 1.0, errors).or(Some(1.0)),
            _ => None,
        };
        let value = value.map(|value| quote!((#value)));
        self.same(quote!(Activation(::__convnet::graph::Activation::#variant #value)), word.into())
    }
}
