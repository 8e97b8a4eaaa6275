//! Normalisation: by batch, by group of channels, across channels.

use super::{Context, Draft, literal, param};
use crate::cost::Dim;
use crate::graph::{Module, Param, Shape};
use crate::report::Errors;
use quote::quote;

impl Context<'_> {
    pub(super) fn batch_norm(&self, errors: &mut Errors) -> Draft {
        let mut draft = self.same(quote!(Flatten), "batch_norm".into());
        let eps = self.args.float("eps", 1e-5, errors).unwrap_or(1e-5);
        let momentum = self.args.float("momentum", 0.1, errors).unwrap_or(0.1);
        if eps <= 0.0 {
            self.args.fault("eps", errors, "`eps` must be above 0");
        }
        if !(0.0..=1.0).contains(&momentum) {
            self.args.fault("momentum", errors, "`momentum` is the weight of the new batch, from 0 to 1");
        }
        let [channels, ..] = self.shape.chw();
        let buffer = |name| Param { name, shape: vec![channels], trainable: false };
        draft.params = vec![
            param("weight", vec![channels]),
            param("bias", vec![channels]),
            buffer("running_mean"),
            buffer("running_var"),
        ];
        draft.module = Some(Module { name: "BatchNorm", sizes: vec![channels] });
        draft.op = quote!(BatchNorm { eps: #eps, momentum: #momentum });
        draft
    }

    pub(super) fn lrn(&self, errors: &mut Errors) -> Draft {
        self.map(errors);
        let n = self.args.count("size", 1, errors).unwrap_or(1);
        let float = |name, default, errors: &mut Errors| self.args.float(name, default, errors).unwrap_or(default);
        let (alpha, beta, k) = (float("alpha", 1e-4, errors), float("beta", 0.75, errors), float("k", 1.0, errors));
        let size = literal(n);
        self.same(quote!(Lrn { size: #size, alpha: #alpha, beta: #beta, k: #k }), format!("lrn {n}"))
    }

    /// `group_norm`, with all channels in one group (`layer_norm`) or each in its own (`instance_norm`).
    pub(super) fn group_norm(&self, word: &str, errors: &mut Errors) -> Draft {
        let mut draft = self.same(quote!(Identity), word.into());
        let [channels, height, width] = if word == "layer_norm" { self.shape.chw() } else { self.map(errors) };
        let eps = self.args.float("eps", 1e-5, errors).unwrap_or(1e-5);
        if eps <= 0.0 {
            self.args.fault("eps", errors, "`eps` must be above 0");
        }
        // PyTorch's defaults: only `InstanceNorm2d` has no parameters unless it is asked to.
        let affine = self.args.flag("affine", word != "instance_norm", errors);
        let groups = match word {
            "layer_norm" => Dim::Known(1),
            "instance_norm" => channels,
            _ => self.args.count("groups", 1, errors).map_or(Dim::Unknown, Dim::Known),
        };
        if let ("group_norm", Dim::Known(groups)) = (word, groups) {
            self.per_group(groups, channels, channels, errors);
            draft.label = format!("group_norm {groups}");
        }
        let per_element = word == "layer_norm" && matches!(self.shape, Shape::Map(_));
        let kind = match (affine, per_element) {
            (false, _) => quote!(None),
            (true, false) => quote!(Channel),
            (true, true) => quote!(Element),
        };
        if affine {
            let (shape, name) = match per_element {
                true => (vec![channels, height, width], "LayerNorm"),
                false => (vec![channels], "GroupNorm"),
            };
            draft.params = vec![param("weight", shape.clone()), param("bias", shape.clone())];
            draft.module = Some(Module { name, sizes: shape });
        }
        if word != "group_norm" {
            // Every output sees the whole map.
            draft.span = [height.count(), width.count()];
        }
        let groups = groups.count().tokens(&quote!(usize), &crate::emit::symbols(self.network));
        draft.op = quote!(GroupNorm { groups: #groups, eps: #eps, affine: ::__convnet::graph::Affine::#kind });
        draft
    }
}
