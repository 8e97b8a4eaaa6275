//! Pooling: over windows, over bins, over the whole map, over channels.

use super::{Context, Draft, Window, count, extent, literal, pair, param};
use crate::check::size;
use crate::cost::Dim;
use crate::graph::{Module, Shape};
use crate::report::Errors;
use crate::shape;
use proc_macro2::TokenStream;
use quote::quote;

impl Context<'_> {
    pub(super) fn pool(&self, word: &str, errors: &mut Errors) -> Draft {
        let [channels, height, width] = self.map(errors);
        let mut draft = self.same(quote!(Flatten), word.into());
        draft.shape = Shape::Map([channels, Dim::Unknown, Dim::Unknown]);
        let Some(kernel) = self.args.pair("kernel", None, 1, errors) else { return draft };
        let stride = self.args.pair("stride", Some(kernel), 1, errors);
        let pad = self.args.pair("pad", Some([0, 0]), 0, errors);
        let ceil = self.args.flag("ceil", false, errors);
        let include = self.args.flag("count_include_pad", true, errors);
        let (Some(stride), Some(pad)) = (stride, pad) else { return draft };
        if let Some(i) = (0..2).find(|i| pad[*i] > kernel[*i] / 2) {
            let message = format!(
                "{}: pad {} is more than half of kernel {}: a window would lie outside the map\n  fix: use pad <= {}",
                self.name(),
                pad[i],
                kernel[i],
                kernel[i] / 2
            );
            self.args.fault("pad", errors, message);
            return draft;
        }
        let sides = pad.map(|pad| (pad, pad));
        let window = Window { kernel, stride, dilation: [1, 1], pad: sides, ceil, pools: true };
        let mut failed = false;
        let [oh, ow] = [0, 1].map(|i| self.windows(errors, &mut failed, i, [height, width][i], &window));
        draft.shape = Shape::Map([channels, oh, ow]);
        draft.label = format!("{word} {}", extent(kernel));
        draft.span = kernel.map(count);
        draft.stride = stride;
        draft.spread = [oh, ow];
        let kind = match (word, include) {
            ("max_pool", _) => quote!(Max),
            ("min_pool", _) => quote!(Min),
            (_, true) => quote!(Avg(::__convnet::graph::AvgDivisor::WithPad)),
            (_, false) => quote!(Avg(::__convnet::graph::AvgDivisor::WithoutPad)),
        };
        let (kernel, stride) = (pair(kernel), pair(stride));
        let [h, w] = pad.map(literal);
        draft.op = pool_op(&kind, &kernel, &stride, &quote!({ top: #h, bottom: #h, left: #w, right: #w }));
        draft
    }

    pub(super) fn adaptive(&self, errors: &mut Errors) -> Draft {
        let [channels, height, width] = self.map(errors);
        let mut draft = self.same(quote!(AdaptiveAvgPool), "adaptive_avg_pool".into());
        let h = self.args.count("height", 1, errors);
        let w = if self.args.has("width") { self.args.count("width", 1, errors) } else { h };
        let (Some(h), Some(w)) = (h, w) else {
            draft.shape = Shape::Map([channels, Dim::Unknown, Dim::Unknown]);
            return draft;
        };
        draft.shape = Shape::Map([channels, Dim::Known(h), Dim::Known(w)]);
        draft.label = format!("adaptive_avg_pool {h}x{w}");
        draft.spread = [Dim::Known(h), Dim::Known(w)];
        for (i, (input, output)) in [(height, h), (width, w)].into_iter().enumerate() {
            if let (Dim::Known(input), Some(span)) = (input, draft.span.get_mut(i)) {
                *span = count(shape::largest_bin(input, output));
            }
        }
        draft.stride =
            [(height, h), (width, w)].map(|(input, output)| input.known().map_or(1, |n| (n / output).max(1)));
        draft
    }

    pub(super) fn global(&self, word: &str, errors: &mut Errors) -> Draft {
        let [channels, height, width] = self.map(errors);
        let mut draft = self.same(quote!(AdaptiveAvgPool), word.into());
        draft.shape = Shape::Vector(channels);
        draft.span = [height.count(), width.count()];
        draft.spread = [Dim::Known(1); 2];
        if word == "global_max_pool" {
            let names = crate::emit::symbols(self.network);
            let extents = [height, width].map(|dim| dim.count().tokens(&quote!(usize), &names));
            let [h, w] = extents;
            let window = quote!([#h, #w]);
            draft.op = pool_op(&quote!(Max), &window, &window, &quote!({ top: 0, bottom: 0, left: 0, right: 0 }));
        }
        draft
    }

    pub(super) fn channel_pool(&self, word: &str, errors: &mut Errors) -> Draft {
        let [channels, height, width] = self.map(errors);
        let mut draft = self.same(quote!(Flatten), word.into());
        draft.shape = Shape::Map([Dim::Unknown, height, width]);
        let Some(n) = self.args.count("size", 1, errors) else { return draft };
        let groups = match channels {
            Dim::Known(c) if c % n == 0 => Dim::Known(c / n),
            Dim::Known(c) => {
                let message = format!(
                    "{}: {c} channels cannot be pooled in groups of {n}: {c} % {n} = {}\n  trace: {}",
                    self.name(),
                    c % n,
                    self.trace()
                );
                self.args.fault("size", errors, message);
                Dim::Unknown
            }
            Dim::Symbol(_) if n == 1 => channels,
            Dim::Symbol(_) => {
                let name = size(channels, self.network);
                self.args.fault(
                    "size",
                    errors,
                    format!(
                        "the const generic `{name}` cannot be divided: it has no value when the network is checked"
                    ),
                );
                Dim::Unknown
            }
            Dim::Unknown => Dim::Unknown,
        };
        draft.shape = Shape::Map([groups, height, width]);
        draft.label = format!("{word} {n}");
        let kind =
            if word == "channel_max_pool" { quote!(Max) } else { quote!(Avg(::__convnet::graph::AvgDivisor::WithPad)) };
        let n = literal(n);
        draft.op = quote!(ChannelPool { kind: ::__convnet::graph::PoolKind::#kind, size: #n });
        draft
    }

    pub(super) fn subsample(&self, errors: &mut Errors) -> Draft {
        let [channels, height, width] = self.map(errors);
        let mut draft = self.same(quote!(Flatten), "subsample".into());
        draft.shape = Shape::Map([channels, Dim::Unknown, Dim::Unknown]);
        let Some(k) = self.args.count("size", 1, errors) else { return draft };
        let window =
            Window { kernel: [k; 2], stride: [k; 2], dilation: [1; 2], pad: [(0, 0); 2], ceil: false, pools: true };
        let mut failed = false;
        let [oh, ow] = [0, 1].map(|i| self.windows(errors, &mut failed, i, [height, width][i], &window));
        draft.shape = Shape::Map([channels, oh, ow]);
        draft.label = format!("subsample {k}x{k}");
        draft.params = vec![param("weight", vec![channels]), param("bias", vec![channels])];
        draft.module = Some(Module { name: "Subsample", sizes: vec![channels, Dim::Known(k)] });
        draft.span = [count(k), count(k)];
        draft.stride = [k, k];
        draft.spread = [oh, ow];
        let k = literal(k);
        draft.op = quote!(Subsample { size: #k });
        draft
    }
}

fn pool_op(kind: &TokenStream, kernel: &TokenStream, stride: &TokenStream, pad: &TokenStream) -> TokenStream {
    quote!(Pool(::__convnet::graph::Pool {
        kind: ::__convnet::graph::PoolKind::#kind, kernel: #kernel, stride: #stride, pad: ::__convnet::graph::Pad #pad,
    }))
}
